//! What happens to the money of a reservation: one place for every way it can go.

use super::{Payment, PaymentState, Refund, Settlement};
use crate::catalogue::Event;
use crate::command::{Context, Decision, Fact, Stop, Verdict};
use crate::holds::{Reservation, Standing, Tender, fill, keys_of};
use crate::jobs::{Errand, Job};
use crate::money::Won;
use crate::refusal::Refusal;
use crate::wallet::{About, Account, transfer, wallet_with};
use crate::world::{Change, Key, Row, World};

/// The payment once its gateway has taken the money, and where that is: where it was only just taken it comes from the gateway.
/// Programs of before noted it first and settled it later.
pub(crate) fn taken(payment: &Payment, method: &str, cx: &Context) -> (Payment, Account) {
    if let PaymentState::Succeeded { .. } = payment.state {
        return (payment.clone(), Account::Unsettled);
    }
    let state = PaymentState::Succeeded { at: cx.now, method: method.to_owned(), refund: Refund::None };
    (Payment { state, ..payment.clone() }, Account::Gateway)
}

/// Acts on a gateway's word that it has the money of a payment: notes it, unless that is known, and settles. Gives the payment
/// as it is then.
pub(crate) fn succeed(payment: &Payment, method: &str, world: &World, cx: &mut Context) -> Verdict<Payment> {
    world.need([Key::Reservation(payment.reservation)])?;
    let reservation = world.reservations.get(&payment.reservation).ok_or(Refusal::ReservationUnknown)?;
    let (paid, from) = taken(payment, method, cx);
    let settled = settle(&paid, from, reservation, world, cx)?;
    let after = match settled.reply {
        Settlement::Returned(_) if paid.holds_money() => with_refund(&paid, Refund::Requested),
        _ => paid.clone(),
    };
    // Settling may put the payment once more: what comes later counts.
    let row = (paid != *payment).then_some(Row::Payment(paid));
    let noted = Decision::new(after).put_all(row);
    Ok(Decision { facts: settled.facts, ..noted.change(settled.changes) })
}

/// Gives a reservation to the payment that was taken for it, late or not; where it cannot have it, the
/// money goes back from where it is. Doing it again changes nothing.
pub(crate) fn settle(
    payment: &Payment,
    from: Account,
    reservation: &Reservation,
    world: &World,
    cx: &mut Context,
) -> Verdict<Settlement> {
    let own = Tender::Card(payment.id);
    if !payment.holds_money() {
        return Ok(Decision::new(Settlement::Returned(Refusal::PaymentIncomplete)));
    }
    match reservation.standing {
        Standing::Confirmed { tender, .. } if tender == own => {
            return Ok(Decision::new(Settlement::Confirmed(reservation.clone())));
        }
        Standing::Confirmed { .. } => return Ok(turn_back(payment, from, Refusal::ReservationPaid, cx)),
        Standing::Cancelled { .. } => return Ok(turn_back(payment, from, Refusal::ReservationCancelled, cx)),
        Standing::Pending { .. } | Standing::Expired { .. } => {}
    }
    // All at once: each time something is missing costs another journey to the store.
    world.need(std::iter::once(Key::Event(reservation.event)).chain(keys_of(reservation)))?;
    let event = world.events.get(&reservation.event).ok_or(Refusal::EventUnknown)?;
    let standing = Standing::Confirmed { at: cx.now, tender: own, admitted_at: None };
    let confirmed = Reservation { standing, payment: Some(payment.id), ..reservation.clone() };
    let takes = event.takes_payments().map_err(Stop::from);
    let fits = takes.and_then(|()| within_limit(reservation, event, world, cx));
    match fits.and_then(|()| fill(&confirmed, world, cx.now)) {
        Err(Stop::Refused(why)) => Ok(turn_back(payment, from, why, cx)),
        Err(missing) => Err(missing),
        Ok(changes) => {
            let sales = Account::Sales(reservation.event);
            let earned = transfer(from, sales, payment.amount, about(payment), cx);
            let other = (reservation.payment_id() != payment.id).then(|| abandon(reservation, world, cx));
            Ok(Decision::new(Settlement::Confirmed(confirmed.clone()))
                .change(changes)
                .change(earned.into_iter().collect())
                .change(other.transpose()?.unwrap_or_default())
                .put(Row::Reservation(confirmed.clone()))
                .fact(Fact::Confirmed(confirmed)))
        }
    }
}

/// A hold that has lapsed counted for nothing: what the person took since then may have used the limit up.
fn within_limit(reservation: &Reservation, event: &Event, world: &World, cx: &Context) -> Result<(), Stop> {
    let Some(limit) = event.billing.max_per_user else { return Ok(()) };
    if reservation.held_at(cx.now).is_ok() {
        return Ok(());
    }
    let of = (reservation.user, reservation.event);
    world.need([Key::Holdings(of)])?;
    let has = world.holdings.get(&of).map_or(0, |holdings| holdings.live(cx.now));
    if has + reservation.count() > limit { Err(Refusal::PersonLimit { limit }.into()) } else { Ok(()) }
}

fn turn_back(payment: &Payment, from: Account, why: Refusal, cx: &mut Context) -> Decision<Settlement> {
    Decision::new(Settlement::Returned(why))
        .change(request_refund(payment, from, cx))
        .fact(Fact::PaymentReturned(payment.clone()))
}

/// What goes back when a reservation is given up: how much, what had paid, and the changes.
pub(crate) fn give_back(
    reservation: &Reservation,
    world: &World,
    cx: &mut Context,
) -> Result<(Won, Option<Tender>, Vec<Change>), Stop> {
    let (tender, from) = match reservation.standing {
        Standing::Confirmed { tender, .. } => (tender, Account::Sales(reservation.event)),
        // Taken by the gateway, perhaps, but not settled yet.
        _ => (Tender::Card(reservation.payment_id()), Account::Unsettled),
    };
    match tender {
        Tender::Card(id) => {
            world.need([Key::Payment(id)])?;
            match world.payments.get(&id).filter(|payment| payment.holds_money()) {
                Some(payment) => Ok((payment.amount, Some(tender), request_refund(payment, from, cx))),
                None => Ok((Won::ZERO, None, Vec::new())),
            }
        }
        Tender::Wallet(id) => {
            world.need([Key::Wallet(reservation.user)])?;
            let wallet = wallet_with(reservation.user, reservation.total, world)?;
            let about = About { reservation: Some(reservation.id), payment: Some(id) };
            let to = Account::Wallet(reservation.user);
            let moved = transfer(from, to, reservation.total, about, cx);
            let changes = [Change::Put(Row::Wallet(wallet))].into_iter().chain(moved);
            Ok((reservation.total, Some(tender), changes.collect()))
        }
    }
}

/// Sends a card payment on its way back: a job asks the gateway.
fn request_refund(payment: &Payment, from: Account, cx: &mut Context) -> Vec<Change> {
    let mut changes = leave(payment, from, cx);
    let job = Job::new(cx, Errand::Refund(payment.id));
    changes.push(Change::Put(Row::Payment(with_refund(payment, Refund::Requested))));
    changes.push(Change::Put(Row::Job(job)));
    changes
}

/// Takes the money of a payment out of the account it was in.
pub(crate) fn leave(payment: &Payment, from: Account, cx: &mut Context) -> Vec<Change> {
    transfer(from, Account::Refunds, payment.amount, about(payment), cx).into_iter().collect()
}

/// Notes that the gateway has given the money back; once.
pub(crate) fn record_refund(payment: &Payment, cx: &mut Context) -> Vec<Change> {
    match payment.state {
        PaymentState::Succeeded { refund: Refund::None | Refund::Requested | Refund::Failed { .. }, .. } => {}
        _ => return Vec::new(),
    }
    let done = with_refund(payment, Refund::Done { at: cx.now });
    let back = transfer(Account::Refunds, Account::Gateway, payment.amount, about(payment), cx);
    [Change::Put(Row::Payment(done))].into_iter().chain(back).collect()
}

/// Notes that the gateway could not give the money back. Had it said that it did, it has the money again.
pub(crate) fn take_back(payment: &Payment, cx: &mut Context) -> Vec<Change> {
    let back = match payment.state {
        PaymentState::Succeeded { refund: Refund::Requested, .. } => None,
        PaymentState::Succeeded { refund: Refund::Done { .. }, .. } => {
            transfer(Account::Gateway, Account::Refunds, payment.amount, about(payment), cx)
        }
        _ => return Vec::new(),
    };
    let failed = with_refund(payment, Refund::Failed { at: cx.now });
    [Change::Put(Row::Payment(failed))].into_iter().chain(back).collect()
}

/// Calls off the open payment of a reservation that nobody will pay by it any more.
pub(crate) fn abandon(reservation: &Reservation, world: &World, cx: &mut Context) -> Result<Vec<Change>, Stop> {
    let id = reservation.payment_id();
    world.need([Key::Payment(id)])?;
    let open = world.payments.get(&id).filter(|payment| matches!(payment.state, PaymentState::Open(_)));
    let Some(payment) = open else { return Ok(Vec::new()) };
    let canceled = Payment { state: PaymentState::Canceled { at: cx.now }, ..payment.clone() };
    let told = Job::new(cx, Errand::CancelIntent(id));
    Ok(vec![Change::Put(Row::Payment(canceled)), Change::Put(Row::Job(told))])
}

/// The payment with its refund standing so.
pub(crate) fn with_refund(payment: &Payment, refund: Refund) -> Payment {
    let state = match &payment.state {
        PaymentState::Succeeded { at, method, .. } => {
            PaymentState::Succeeded { at: *at, method: method.clone(), refund }
        }
        other => other.clone(),
    };
    Payment { state, ..payment.clone() }
}

fn about(payment: &Payment) -> About {
    About { reservation: Some(payment.reservation), payment: Some(payment.id) }
}
