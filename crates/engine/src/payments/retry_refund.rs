use super::{Payment, PaymentState, Refund, with_refund};
use crate::command::{Command, Context, Decision, Verdict};
use crate::id::PaymentId;
use crate::jobs::{Errand, Job};
use crate::refusal::Refusal;
use crate::world::{Key, Row, World};

/// Asks the gateway once more to give money back that it could not give back. A refund that is under way or done stays as
/// it is; where none was asked for this is refused, so that nobody takes it for a way of refunding.
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
        match payment.state {
            PaymentState::Succeeded { refund: Refund::Failed { .. }, .. } => {}
            PaymentState::Succeeded { refund: Refund::Requested | Refund::Done { .. }, .. } => {
                return Ok(Decision::new(payment.clone()));
            }
            PaymentState::Open(_)
            | PaymentState::Canceled { .. }
            | PaymentState::Succeeded { refund: Refund::None, .. } => {
                return Err(Refusal::RefundNotDue.into());
            }
        }
        let asked = with_refund(payment, Refund::Requested);
        let job = Job::new(cx, Errand::Refund(payment.id));
        Ok(Decision::new(asked.clone()).put(Row::Payment(asked)).put(Row::Job(job)))
    }
}
