use crate::command::{Command, Context, Decision, Verdict};
use crate::holds::{Reservation, Standing};
use crate::id::ReservationId;
use crate::refusal::Refusal;
use crate::world::{Key, Row, World};

/// Lets the holder of a ticket in. A ticket lets in once.
#[derive(Debug, Clone)]
pub struct Admit {
    /// The reservation on the ticket.
    pub reservation: ReservationId,
}

impl Command for Admit {
    type Reply = Reservation;
    const NAME: &'static str = "Admit";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<Reservation> {
        world.need([Key::Reservation(self.reservation)])?;
        let reservation = world.reservations.get(&self.reservation).ok_or(Refusal::ReservationUnknown)?;
        let (at, tender, admitted_at) = reservation.paid()?;
        if let Some(at) = admitted_at {
            return Err(Refusal::TicketUsed { at }.into());
        }
        let standing = Standing::Confirmed { at, tender, admitted_at: Some(cx.now) };
        let admitted = Reservation { standing, ..reservation.clone() };
        Ok(Decision::new(admitted.clone()).put(Row::Reservation(admitted)))
    }
}
