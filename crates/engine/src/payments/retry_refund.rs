use super::{Payment, Refund, with_refund};
use crate::command::{Command, Context, Decision, Verdict};
use crate::id::PaymentId;
use crate::jobs::{Errand, Job};
use crate::refusal::Refusal;
use crate::world::{Key, Row, World};

/// Asks the gateway once more to give money back that it could not give back. Any other refund stays as it is.
#[derive(Debug, Clone)]
pub struct RetryRefund {
    /// The payment.
    pub payment: PaymentId,
}

impl Command for RetryRefund {
    type Reply = Payment;
    const NAME: &'static str = "RetryRefund";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<Payment> {
        world.need([Key::Payment(self.payment)])?;
        let payment = world.payments.get(&self.payment).ok_or(Refusal::PaymentUnknown)?;
        if !payment.is_stuck() {
            return Ok(Decision::new(payment.clone()));
        }
        let asked = with_refund(payment, Refund::Requested);
        let job = Job::new(cx, Errand::Refund(payment.id));
        Ok(Decision::new(asked.clone()).put(Row::Payment(asked)).put(Row::Job(job)))
    }
}
