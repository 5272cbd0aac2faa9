use super::{GatewayEvent, News, Payment, PaymentState, Step, leave, record_refund, succeed, take_back, taken};
use crate::command::{Command, Context, Decision, Verdict};
use crate::holds::{Standing, Tender, end};
use crate::id::{PaymentId, ReservationId};
use crate::refusal::Refusal;
use crate::wallet::Account;
use crate::world::{Key, Row, World};

/// Acts on what a gateway says of a payment: once by event, in any order, however late.
#[derive(Debug, Clone)]
pub struct ReceiveNews {
    /// The gateway's id of the event.
    pub event: String,
    /// The payment.
    pub payment: PaymentId,
    /// What it is for, where the caller knows: then both are asked for together and locked in the order in which everybody
    /// else locks them.
    pub reservation: Option<ReservationId>,
    /// What it says.
    pub news: News,
}

impl Command for ReceiveNews {
    type Reply = ();
    const NAME: &'static str = "ReceiveNews";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<()> {
        let event = [Key::GatewayEvent(self.event.clone()), Key::Payment(self.payment)];
        world.need(event.into_iter().chain(self.reservation.map(Key::Reservation)))?;
        if world.gateway_events.get(&self.event).is_some() {
            return Ok(Decision::new(()));
        }
        let payment = world.payments.get(&self.payment).ok_or(Refusal::PaymentUnknown)?;
        let received = GatewayEvent { id: self.event.clone(), received_at: cx.now };
        let decision = match &self.news {
            News::Succeeded { method } => succeed(payment, method, world, cx)?.replying(()),
            News::Refunded => refunded(payment, world, cx)?,
            News::RefundFailed => Decision::new(()).change(take_back(payment, cx)),
            News::Failed => step(payment, Step::Method),
            News::ActionRequired => step(payment, Step::Action),
            News::Processing => step(payment, Step::Processing),
            News::Canceled => canceled(payment, cx),
        };
        Ok(decision.put(Row::GatewayEvent(received)))
    }
}

/// The money is back with the buyer: the reservation it paid for ends.
fn refunded(payment: &Payment, world: &World, cx: &mut Context) -> Verdict<()> {
    world.need([Key::Reservation(payment.reservation)])?;
    let reservation = world.reservations.get(&payment.reservation).ok_or(Refusal::ReservationUnknown)?;
    // Word of the refund may come before word of the payment.
    let (paid, held) = taken(payment, "card", cx);
    if !paid.holds_money() {
        return Ok(Decision::new(()).change(record_refund(&paid, cx)));
    }
    let (ends, from) = match reservation.standing {
        Standing::Confirmed { tender, .. } if tender == Tender::Card(payment.id) => {
            (true, Account::Sales(payment.event))
        }
        Standing::Pending { .. } => (reservation.payment_id() == payment.id, held),
        _ => (false, held),
    };
    let mut decision = Decision::new(()).change(leave(&paid, from, cx));
    if ends {
        let ended = end(reservation, paid.amount, Some(Tender::Card(paid.id)), world, cx)?;
        decision = decision.change(ended.changes);
        decision.facts = ended.facts;
    }
    Ok(decision.change(record_refund(&paid, cx)))
}

fn step(payment: &Payment, step: Step) -> Decision<()> {
    let decision = Decision::new(());
    match payment.state {
        PaymentState::Open(_) => {
            decision.put(Row::Payment(Payment { state: PaymentState::Open(step), ..payment.clone() }))
        }
        PaymentState::Succeeded { .. } | PaymentState::Canceled { .. } => decision,
    }
}

fn canceled(payment: &Payment, cx: &Context) -> Decision<()> {
    let decision = Decision::new(());
    match payment.state {
        PaymentState::Open(_) => {
            decision.put(Row::Payment(Payment { state: PaymentState::Canceled { at: cx.now }, ..payment.clone() }))
        }
        PaymentState::Succeeded { .. } | PaymentState::Canceled { .. } => decision,
    }
}
