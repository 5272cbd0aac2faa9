use super::{Gateway, Payment, PaymentState, Step, succeed};
use crate::command::{Command, Context, Decision, Stop, Verdict};
use crate::holds::{Reservation, Standing, Tender};
use crate::id::{PaymentId, ReservationId, UserId};
use crate::money::Won;
use crate::refusal::Refusal;
use crate::time::Time;
use crate::world::{Key, Row, World};

/// How a payment of nothing was made.
const FREE: &str = "free";

/// Opens a payment for a held reservation. A reservation has at most one that is not cancelled: asking
/// again gives the same one. What costs nothing is confirmed by it.
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
        world.need([Key::Reservation(self.reservation), Key::Payment(PaymentId::first_of(self.reservation))])?;
        let reservation = world.reservations.get(&self.reservation).ok_or(Refusal::ReservationUnknown)?;
        reservation.owned_by(self.user)?;
        if let Some(payment) = self.free(reservation, world)? {
            return Ok(Decision::new(payment));
        }
        reservation.held_at(cx.now)?;
        if reservation.total != self.amount {
            return Err(Refusal::TotalDiffers { expected: reservation.total.0 }.into());
        }
        let id = reservation.payment_id();
        world.need([Key::Payment(id), Key::Event(reservation.event)])?;
        let known = world.payments.get(&id);
        let open = known.filter(|own| !matches!(own.state, PaymentState::Canceled { .. }));
        if !open.is_some_and(Payment::is_taken) {
            // Called off, but the reservation's turn to be cancelled has not come yet: nobody pays for it any more.
            world.events.get(&reservation.event).ok_or(Refusal::EventUnknown)?.takes_payments()?;
        }
        if let Some(payment) = open {
            return Ok(Decision::new(payment.clone()));
        }
        let id = if known.is_some() { cx.mint.id() } else { id };
        let payment = self.payment(id, reservation, cx.now);
        if payment.amount == Won::ZERO {
            // It is paid by asking for it: no gateway takes a payment of zero.
            return succeed(&payment, FREE, world, cx);
        }
        let noted = known.is_some().then(|| Reservation { payment: Some(id), ..reservation.clone() });
        Ok(Decision::new(payment.clone()).put(Row::Payment(payment)).put_all(noted.map(Row::Reservation)))
    }
}

impl OpenPayment {
    /// What costs nothing is confirmed by being opened: the payment that did it, where this asks for it again.
    fn free(&self, reservation: &Reservation, world: &World) -> Result<Option<Payment>, Stop> {
        match reservation.standing {
            Standing::Confirmed { tender: Tender::Card(id), .. }
                if [self.amount, reservation.total] == [Won::ZERO; 2] =>
            {
                world.need([Key::Payment(id)])?;
                Ok(world.payments.get(&id).cloned())
            }
            _ => Ok(None),
        }
    }

    fn payment(&self, id: PaymentId, reservation: &Reservation, now: Time) -> Payment {
        Payment {
            id,
            reservation: reservation.id,
            event: reservation.event,
            user: self.user,
            amount: reservation.total,
            gateway: if reservation.total == Won::ZERO { Gateway::Sandbox } else { self.gateway },
            reference: None,
            client_secret: self.client_secret.clone(),
            state: PaymentState::Open(Step::Method),
            created_at: now,
        }
    }
}
