use super::{Reservation, Standing, release};
use crate::command::{Command, Context, Decision, Fact, Verdict};
use crate::id::ReservationId;
use crate::refusal::Refusal;
use crate::world::{Key, Row, World};

/// Tidies up a hold whose time has passed. The seats were free before this; it tells the others.
#[derive(Debug, Clone)]
pub struct ExpireReservation {
    /// The reservation.
    pub reservation: ReservationId,
}

impl Command for ExpireReservation {
    type Reply = bool;
    const NAME: &'static str = "ExpireReservation";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<bool> {
        world.need([Key::Reservation(self.reservation)])?;
        let reservation = world.reservations.get(&self.reservation).ok_or(Refusal::ReservationUnknown)?;
        if !matches!(reservation.standing, Standing::Pending { until } if until <= cx.now) {
            return Ok(Decision::new(false));
        }
        // An open payment stays open: if it is made late, settling it decides what becomes of the money.
        let (changes, freed) = release(reservation, world, cx.now)?;
        let expired = Reservation { standing: Standing::Expired { at: cx.now }, ..reservation.clone() };
        Ok(Decision::new(true)
            .change(changes)
            .put(Row::Reservation(expired.clone()))
            .fact(Fact::Expired { reservation: expired, freed }))
    }
}
