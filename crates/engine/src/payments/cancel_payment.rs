use super::{Payment, PaymentState};
use crate::command::{Command, Context, Decision, Verdict};
use crate::id::{PaymentId, UserId};
use crate::jobs::{Errand, Job};
use crate::refusal::Refusal;
use crate::world::{Key, Row, World};

/// Calls a payment off before anything was taken. The hold runs on, and another may be opened.
#[derive(Debug, Clone)]
pub struct CancelPayment {
    /// Who calls it off; `None` for the house.
    pub user: Option<UserId>,
    /// The payment.
    pub payment: PaymentId,
}

impl Command for CancelPayment {
    type Reply = Payment;
    const NAME: &'static str = "CancelPayment";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<Payment> {
        world.need([Key::Payment(self.payment)])?;
        let payment = world.payments.get(&self.payment).ok_or(Refusal::PaymentUnknown)?;
        if self.user.is_some_and(|user| user != payment.user) {
            return Err(Refusal::NotYours.into());
        }
        match payment.state {
            PaymentState::Succeeded { .. } => Err(Refusal::PaymentSucceeded.into()),
            PaymentState::Canceled { .. } => Err(Refusal::PaymentCanceled.into()),
            PaymentState::Open(_) => {
                let canceled = Payment { state: PaymentState::Canceled { at: cx.now }, ..payment.clone() };
                let told = Job::new(cx, Errand::CancelIntent(payment.id));
                Ok(Decision::new(canceled.clone()).put(Row::Payment(canceled)).put(Row::Job(told)))
            }
        }
    }
}
