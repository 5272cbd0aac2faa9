use super::{Gateway, Payment, PaymentState, Step, succeed};
use crate::command::{Command, Context, Decision, Verdict};
use crate::holds::keys_of;
use crate::id::{PaymentId, ReservationId, UserId};
use crate::refusal::Refusal;
use crate::world::{Key, Row, World};

/// What the sandbox's bank says to a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SandboxOutcome {
    /// Takes it.
    Approve,
    /// Turns it down.
    Decline,
    /// Asks for proof first, then takes it.
    Challenge,
}

/// The built-in gateway: takes the money of a payment, as a bank would. Its word of that need not travel, so it is acted on
/// at once, as that of another gateway is when it comes.
#[derive(Debug, Clone)]
pub struct ChargeSandbox {
    /// Who pays.
    pub user: UserId,
    /// The payment.
    pub payment: PaymentId,
    /// The card.
    pub method: String,
    /// What the bank says to it.
    pub outcome: SandboxOutcome,
}

impl Command for ChargeSandbox {
    type Reply = Payment;
    const NAME: &'static str = "ChargeSandbox";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<Payment> {
        // Both together, in the order in which everybody else locks them. Of a later payment than the first the reservation is
        // not known yet, and whoever meets it from the other side waits for a deadlock to be found.
        world.need([Key::Reservation(ReservationId::whose_first_is(self.payment)), Key::Payment(self.payment)])?;
        let payment = world.payments.get(&self.payment).ok_or(Refusal::PaymentUnknown)?;
        if payment.user != self.user {
            return Err(Refusal::NotYours.into());
        }
        let step = match payment.state {
            // A repeat after a lost answer: the money is taken once.
            PaymentState::Succeeded { .. } => return Ok(Decision::new(payment.clone())),
            PaymentState::Canceled { .. } => return Err(Refusal::PaymentCanceled.into()),
            PaymentState::Open(step) => step,
        };
        if payment.gateway != Gateway::Sandbox {
            return Err(Refusal::PaymentMismatch.into());
        }
        // And all that settling looks at with them: each time something is missing costs another journey to the store.
        let held = world.reservations.get(&payment.reservation).map(keys_of).into_iter().flatten();
        world.need([Key::Event(payment.event), Key::Reservation(payment.reservation)].into_iter().chain(held))?;
        world.events.get(&payment.event).ok_or(Refusal::EventUnknown)?.takes_payments()?;
        match (self.outcome, step) {
            (SandboxOutcome::Approve, _) | (SandboxOutcome::Challenge, Step::Action | Step::Processing) => {
                succeed(payment, &self.method, world, cx)
            }
            (SandboxOutcome::Challenge, Step::Method) => Ok(step_to(payment, Step::Action)),
            (SandboxOutcome::Decline, _) => Ok(step_to(payment, Step::Method)),
        }
    }
}

fn step_to(payment: &Payment, step: Step) -> Decision<Payment> {
    let changed = Payment { state: PaymentState::Open(step), ..payment.clone() };
    Decision::new(changed.clone()).put(Row::Payment(changed))
}
