//! One request of a virtual client: any command of the engine.

use engine::catalogue::{CancelEvent, CreateEvent, DeleteEvent, PublishEvent, UpdateEvent};
use engine::command::Command;
use engine::holds::{CancelReservation, ExpireReservation, HoldSeats};
use engine::id::{LaneId, MovieTicketId, ReservationId};
use engine::jobs::{FinishJobs, Job, PutOffJobs, TakeJobs};
use engine::lanes::{CompletePlace, ForgetPlaces, JoinLane, LeaveLane, MoveLane, UseTurn};
use engine::messages::{CallReminder, QueueMessages, SettleMessages};
use engine::movie::{IssueTickets, RefundOutcome, RefundTickets};
use engine::payments::{
    AttachIntent, CancelPayment, ChargeSandbox, CompleteRefund, ConfirmReservation, OpenPayment, ReceiveNews,
    RetryRefund,
};
use engine::people::{AdoptUser, RegisterUser, RevokeToken, SetRole};
use engine::refusal::Refusal;
use engine::tickets::Admit;
use engine::wallet::{PayFromWallet, TopUp};
use engine::webhooks::SettleDelivery;

use crate::store::Batch;

/// What a client remembers of an answer.
#[derive(Debug, Clone)]
pub enum Answer {
    /// It was done.
    Done,
    /// These reservations are mine.
    Held(Vec<ReservationId>),
    /// This place is mine.
    Placed((LaneId, i64)),
    /// These jobs are mine to perform.
    Jobs(Vec<Job>),
    /// These movie tickets are mine.
    Issued(Vec<MovieTicketId>),
    /// So many movie tickets were given back, or not.
    Refunded(Vec<RefundOutcome>),
}

macro_rules! answer {
    () => {
        |_| Answer::Done
    };
    ($answer:expr) => {
        $answer
    };
}

macro_rules! calls {
    ($($kind:ident $(=> $answer:expr)?,)+) => {
        /// A command to be sent, maybe more than once.
        #[derive(Debug, Clone)]
        #[expect(missing_docs, reason = "each is the command of that name")]
        pub enum Call {
            $($kind($kind),)+
        }

        impl Call {
            /// What the command is called.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => $kind::NAME,)+
                }
            }

            /// Sends it.
            ///
            /// # Errors
            /// The refusal.
            pub fn run(&self, batch: &mut Batch) -> Result<Answer, Refusal> {
                match self {
                    $(Self::$kind(command) => batch.run(command).map(answer!($($answer)?)),)+
                }
            }
        }

        $(impl From<$kind> for Call {
            fn from(command: $kind) -> Self {
                Self::$kind(command)
            }
        })+
    };
}

calls! {
    RegisterUser,
    AdoptUser,
    SetRole,
    RevokeToken,
    CreateEvent,
    UpdateEvent,
    PublishEvent,
    CancelEvent,
    DeleteEvent,
    HoldSeats => |made| Answer::Held(made.iter().map(|own| own.id).collect()),
    CancelReservation,
    ExpireReservation,
    OpenPayment,
    AttachIntent,
    ChargeSandbox,
    ConfirmReservation,
    CancelPayment,
    ReceiveNews,
    CompleteRefund,
    RetryRefund,
    TopUp,
    PayFromWallet,
    Admit,
    TakeJobs => Answer::Jobs,
    PutOffJobs,
    FinishJobs,
    JoinLane => |place| Answer::Placed(place.key),
    LeaveLane,
    UseTurn,
    CompletePlace,
    MoveLane,
    ForgetPlaces,
    IssueTickets => Answer::Issued,
    RefundTickets => Answer::Refunded,
    QueueMessages,
    SettleMessages,
    CallReminder,
    SettleDelivery,
}
