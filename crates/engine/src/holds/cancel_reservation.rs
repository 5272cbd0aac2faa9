use super::{Reservation, Standing, Tender, release};
use crate::command::{Command, Context, Decision, Fact, Verdict};
use crate::id::{PaymentId, ReservationId, UserId};
use crate::money::Won;
use crate::payments::{abandon, give_back};
use crate::refusal::Refusal;
use crate::world::{Key, Row, World};

/// Who gives a reservation up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Canceller {
    /// The buyer.
    Buyer(UserId),
    /// An admin, or the server because the event was called off.
    House,
}

/// Gives a reservation up: seats free, and what was paid goes back the way it came.
#[derive(Debug, Clone)]
pub struct CancelReservation {
    /// The reservation.
    pub reservation: ReservationId,
    /// Who gives it up.
    pub by: Canceller,
}

impl Command for CancelReservation {
    type Reply = Reservation;
    const NAME: &'static str = "CancelReservation";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<Reservation> {
        world.need([Key::Reservation(self.reservation), Key::Payment(PaymentId::first_of(self.reservation))])?;
        let reservation = world.reservations.get(&self.reservation).ok_or(Refusal::ReservationUnknown)?;
        if let Canceller::Buyer(user) = self.by {
            reservation.owned_by(user)?;
        }
        match reservation.standing {
            Standing::Confirmed { .. } => {}
            _ => reservation.held_at(cx.now)?,
        }
        if let (Standing::Confirmed { admitted_at: Some(at), .. }, Canceller::Buyer(_)) =
            (reservation.standing, self.by)
        {
            return Err(Refusal::TicketUsed { at }.into());
        }
        let (refund, tender, money) = give_back(reservation, world, cx)?;
        let intent = if tender.is_none() { abandon(reservation, world, cx)? } else { Vec::new() };
        Ok(end(reservation, refund, tender, world, cx)?.change(money).change(intent))
    }
}

/// The decision that ends a pending or confirmed reservation once its money is dealt with.
pub(crate) fn end(
    reservation: &Reservation,
    refund: Won,
    tender: Option<Tender>,
    world: &World,
    cx: &Context,
) -> Verdict<Reservation> {
    let (changes, freed) = release(reservation, world, cx.now)?;
    let standing = Standing::Cancelled { at: cx.now, refund, tender };
    let cancelled = Reservation { standing, ..reservation.clone() };
    Ok(Decision::new(cancelled.clone())
        .change(changes)
        .put(Row::Reservation(cancelled.clone()))
        .fact(Fact::Cancelled { reservation: cancelled, freed }))
}
