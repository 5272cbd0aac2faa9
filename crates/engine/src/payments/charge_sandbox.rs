use super::{Gateway, News, Payment, PaymentState, Step, record_success};
use crate::command::{Command, Context, Decision, Verdict};
use crate::id::{PaymentId, UserId};
use crate::jobs::{Errand, Job};
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

/// The built-in gateway: takes the money of a payment, as a bank would, and sends word by a webhook.
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
        world.need([Key::Payment(self.payment)])?;
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
        world.need([Key::Event(payment.event)])?;
        world.events.get(&payment.event).ok_or(Refusal::EventUnknown)?.takes_payments()?;
        Ok(match (self.outcome, step) {
            (SandboxOutcome::Approve, _) | (SandboxOutcome::Challenge, Step::Action | Step::Processing) => {
                self.approve(payment, cx)
            }
            (SandboxOutcome::Challenge, Step::Method) => step_to(payment, Step::Action),
            // No word is sent of it: it could only undo the proof that was asked for the next card meanwhile.
            (SandboxOutcome::Decline, _) => step_to(payment, Step::Method),
        })
    }
}

impl ChargeSandbox {
    fn approve(&self, payment: &Payment, cx: &mut Context) -> Decision<Payment> {
        let (paid, money) = record_success(payment, &self.method, cx);
        let news = News::Succeeded { method: self.method.clone() };
        let told = Job::new(cx, Errand::SandboxWebhook(payment.id, news));
        Decision::new(paid.clone()).put(Row::Payment(paid)).change(money).put(Row::Job(told))
    }
}

fn step_to(payment: &Payment, step: Step) -> Decision<Payment> {
    let changed = Payment { state: PaymentState::Open(step), ..payment.clone() };
    Decision::new(changed.clone()).put(Row::Payment(changed))
}
