use super::{PaymentState, Refund, record_refund};
use crate::command::{Command, Context, Decision, Verdict};
use crate::id::PaymentId;
use crate::refusal::Refusal;
use crate::world::{Key, World};

/// Notes that the gateway has given a payment back. Noting it again changes nothing.
#[derive(Debug, Clone)]
pub struct CompleteRefund {
    /// The payment.
    pub payment: PaymentId,
}

impl Command for CompleteRefund {
    type Reply = ();
    const NAME: &'static str = "CompleteRefund";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<()> {
        world.need([Key::Payment(self.payment)])?;
        let payment = world.payments.get(&self.payment).ok_or(Refusal::PaymentUnknown)?;
        // Only what was asked back: any other money has not left its account yet.
        let asked = matches!(payment.state, PaymentState::Succeeded { refund: Refund::Requested, .. });
        let changes = if asked { record_refund(payment, cx) } else { Vec::new() };
        Ok(Decision::new(()).change(changes))
    }
}
