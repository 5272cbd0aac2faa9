use super::{PaymentState, settle};
use crate::command::{Command, Context, Decision, Verdict};
use crate::holds::{Reservation, Standing, Tender};
use crate::id::{PaymentId, ReservationId, UserId};
use crate::refusal::Refusal;
use crate::wallet::Account;
use crate::world::{Key, World};

/// What became of a reservation whose payment was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// It is confirmed.
    Confirmed(Reservation),
    /// It cannot be had any more, for this reason: the money goes back.
    Returned(Refusal),
}

/// Confirms a reservation with a payment that has succeeded. Asking again gives the same answer.
#[derive(Debug, Clone)]
pub struct ConfirmReservation {
    /// Whose it is.
    pub user: UserId,
    /// The reservation.
    pub reservation: ReservationId,
    /// The payment.
    pub payment: PaymentId,
}

impl Command for ConfirmReservation {
    type Reply = Settlement;
    const NAME: &'static str = "ConfirmReservation";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<Settlement> {
        world.need([Key::Reservation(self.reservation)])?;
        let reservation = world.reservations.get(&self.reservation).ok_or(Refusal::ReservationUnknown)?;
        reservation.owned_by(self.user)?;
        if let Standing::Confirmed { tender: Tender::Card(id), .. } = reservation.standing
            && id == self.payment
        {
            // As most are when this is asked: nothing else need be looked at.
            return Ok(Decision::new(Settlement::Confirmed(reservation.clone())));
        }
        world.need([Key::Payment(self.payment)])?;
        let payment = world.payments.get(&self.payment).ok_or(Refusal::PaymentMismatch)?;
        if payment.reservation != reservation.id || payment.amount != reservation.total {
            return Err(Refusal::PaymentMismatch.into());
        }
        match reservation.standing {
            Standing::Confirmed { .. } => return Err(Refusal::ReservationPaid.into()),
            Standing::Cancelled { .. } => return Err(Refusal::ReservationCancelled.into()),
            Standing::Pending { .. } | Standing::Expired { .. } => {}
        }
        if payment.holds_money() {
            return settle(payment, Account::Unsettled, reservation, world, cx);
        }
        match (reservation.held_at(cx.now), &payment.state) {
            // Also where the gateway could not give it back yet: somebody sees to that.
            (Err(why), PaymentState::Succeeded { .. }) => Ok(Decision::new(Settlement::Returned(why))),
            (Err(why), _) => Err(why.into()),
            (Ok(_), PaymentState::Canceled { .. }) => Err(Refusal::PaymentCanceled.into()),
            (Ok(_), _) => Err(Refusal::PaymentIncomplete.into()),
        }
    }
}
