use super::{Gateway, News, Payment, PaymentState, Refund, Step};
use crate::command::{Command, Context, Decision, Verdict};
use crate::holds::Reservation;
use crate::id::{ReservationId, UserId};
use crate::jobs::{Errand, Job};
use crate::money::Won;
use crate::refusal::Refusal;
use crate::world::{Key, Row, World};

/// How a payment of nothing was made.
const FREE: &str = "free";

/// Opens a payment for a held reservation. A reservation has at most one that is not cancelled: asking
/// again gives the same one.
#[derive(Debug, Clone)]
pub struct OpenPayment {
    /// Who pays.
    pub user: UserId,
    /// For what.
    pub reservation: ReservationId,
    /// What the caller believes it costs; refused when it is not that.
    pub amount: Won,
    /// Who takes the money.
    pub gateway: Gateway,
    /// What the buyer's browser shows the sandbox; other gateways give their own.
    pub client_secret: Option<String>,
}

impl Command for OpenPayment {
    type Reply = Payment;
    const NAME: &'static str = "OpenPayment";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<Payment> {
        world.need([Key::Reservation(self.reservation)])?;
        let reservation = world.reservations.get(&self.reservation).ok_or(Refusal::ReservationUnknown)?;
        reservation.owned_by(self.user)?;
        reservation.held_at(cx.now)?;
        if reservation.total != self.amount {
            return Err(Refusal::TotalDiffers { expected: reservation.total.0 }.into());
        }
        let known = reservation.payment;
        world.need(known.map(Key::Payment).into_iter().chain([Key::Event(reservation.event)]))?;
        let open = known.and_then(|id| world.payments.get(&id));
        let open = open.filter(|own| !matches!(own.state, PaymentState::Canceled { .. }));
        if !open.is_some_and(Payment::is_taken) {
            // Called off, but the reservation's turn to be cancelled has not come yet: nobody pays for it any more.
            world.events.get(&reservation.event).ok_or(Refusal::EventUnknown)?.takes_payments()?;
        }
        if let Some(payment) = open {
            return Ok(Decision::new(payment.clone()));
        }
        let payment = self.payment(reservation, cx);
        let marked = Reservation { payment: Some(payment.id), ..reservation.clone() };
        // What costs nothing is confirmed the way everything is: by word of the payment.
        let news = News::Succeeded { method: FREE.to_owned() };
        let told = (payment.amount == Won::ZERO).then(|| Job::new(cx, Errand::SandboxWebhook(payment.id, news)));
        Ok(Decision::new(payment.clone())
            .put(Row::Payment(payment))
            .put(Row::Reservation(marked))
            .put_all(told.map(Row::Job)))
    }
}

impl OpenPayment {
    fn payment(&self, reservation: &Reservation, cx: &mut Context) -> Payment {
        // What costs nothing is paid by asking for it: no gateway takes a payment of zero.
        let free = || PaymentState::Succeeded { at: cx.now, method: FREE.to_owned(), refund: Refund::None };
        let state = if reservation.total == Won::ZERO { free() } else { PaymentState::Open(Step::Method) };
        Payment {
            id: cx.mint.id(),
            reservation: reservation.id,
            event: reservation.event,
            user: self.user,
            amount: reservation.total,
            gateway: if reservation.total == Won::ZERO { Gateway::Sandbox } else { self.gateway },
            reference: None,
            client_secret: self.client_secret.clone(),
            state,
            created_at: cx.now,
        }
    }
}
