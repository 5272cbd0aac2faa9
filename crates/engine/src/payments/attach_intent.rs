use super::Payment;
use crate::command::{Command, Context, Decision, Verdict};
use crate::id::PaymentId;
use crate::refusal::Refusal;
use crate::world::{Key, Row, World};

/// Notes what the gateway calls a payment. The first note stays.
#[derive(Debug, Clone)]
pub struct AttachIntent {
    /// The payment.
    pub payment: PaymentId,
    /// The gateway's id of it.
    pub reference: String,
    /// What the buyer's browser shows the gateway.
    pub client_secret: String,
}

impl Command for AttachIntent {
    type Reply = Payment;
    const NAME: &'static str = "AttachIntent";

    fn decide(&self, world: &World, _: &mut Context) -> Verdict<Payment> {
        world.need([Key::Payment(self.payment)])?;
        let mut payment = world.payments.get(&self.payment).cloned().ok_or(Refusal::PaymentUnknown)?;
        if payment.reference.is_some() {
            return Ok(Decision::new(payment));
        }
        payment.reference = Some(self.reference.clone());
        payment.client_secret = Some(self.client_secret.clone());
        Ok(Decision::new(payment.clone()).put(Row::Payment(payment)))
    }
}
