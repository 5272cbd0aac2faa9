//! Card payments: an intent is opened, the gateway takes the money, the reservation is settled.
//!
//! The gateway is right about money: whatever it reports, in whatever order and however late, ends
//! with the reservation confirmed or the money on its way back.

mod attach_intent;
mod cancel_payment;
mod charge_sandbox;
mod complete_refund;
mod confirm_reservation;
mod open_payment;
mod receive_news;
mod retry_refund;
mod settle;

pub use attach_intent::AttachIntent;
pub use cancel_payment::CancelPayment;
pub use charge_sandbox::{ChargeSandbox, SandboxOutcome};
pub use complete_refund::CompleteRefund;
pub use confirm_reservation::{ConfirmReservation, Settlement};
pub use open_payment::OpenPayment;
pub use receive_news::ReceiveNews;
pub use retry_refund::RetryRefund;
pub(crate) use settle::{abandon, give_back, leave, record_refund, settle, succeed, take_back, taken, with_refund};

use crate::id::{EventId, PaymentId, ReservationId, UserId};
use crate::money::Won;
use crate::time::Time;

/// Who takes the money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gateway {
    /// The built-in one, which moves no money.
    Sandbox,
    /// Stripe.
    Stripe,
}

impl Gateway {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Stripe => "stripe",
        }
    }

    /// The gateway a word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Sandbox, Self::Stripe].into_iter().find(|gateway| gateway.word() == word)
    }
}

/// What an open payment waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A payment method.
    Method,
    /// The buyer's proof to the bank (3-D Secure).
    Action,
    /// The bank.
    Processing,
}

/// What became of the money of a succeeded payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refund {
    /// It stays.
    None,
    /// It is to go back.
    Requested,
    /// It went back.
    Done {
        /// When.
        at: Time,
    },
    /// The gateway could not give it back and has it still: somebody has to look at it.
    Failed {
        /// When.
        at: Time,
    },
}

/// Where a payment stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentState {
    /// Nothing was taken yet.
    Open(Step),
    /// The money was taken.
    Succeeded {
        /// When.
        at: Time,
        /// With what, as the gateway calls it.
        method: String,
        /// What became of it.
        refund: Refund,
    },
    /// Called off before anything was taken.
    Canceled {
        /// When.
        at: Time,
    },
}

/// One attempt to pay for a reservation by card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Its id.
    pub id: PaymentId,
    /// What it is for.
    pub reservation: ReservationId,
    /// The event of the reservation.
    pub event: EventId,
    /// Who pays.
    pub user: UserId,
    /// How much.
    pub amount: Won,
    /// Who takes the money.
    pub gateway: Gateway,
    /// What the gateway calls it, once it knows of it.
    pub reference: Option<String>,
    /// What the buyer's browser shows the gateway.
    pub client_secret: Option<String>,
    /// Where it stands.
    pub state: PaymentState,
    /// When it was opened.
    pub created_at: Time,
}

impl Payment {
    /// Whether money was taken, wherever it is by now.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        matches!(self.state, PaymentState::Succeeded { .. })
    }

    /// Whether money was taken and is not on its way back.
    #[must_use]
    pub fn holds_money(&self) -> bool {
        matches!(self.state, PaymentState::Succeeded { refund: Refund::None, .. })
    }

    /// Whether money should have gone back and the gateway has it still.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        matches!(self.state, PaymentState::Succeeded { refund: Refund::Failed { .. }, .. })
    }
}

/// What a gateway says of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// The money was taken.
    Succeeded {
        /// With what.
        method: String,
    },
    /// The method was turned down; another may be tried.
    Failed,
    /// The buyer has to prove something to the bank.
    ActionRequired,
    /// The bank is thinking.
    Processing,
    /// Called off.
    Canceled,
    /// The money went back.
    Refunded,
    /// The money could not be given back, or came back after it had been.
    RefundFailed,
}

/// A gateway's event that was received, so that it acts once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayEvent {
    /// The gateway's id of it.
    pub id: String,
    /// When.
    pub received_at: Time,
}
