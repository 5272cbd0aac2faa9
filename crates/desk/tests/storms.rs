//! Many at one thing, on the store under test: SQLite, or PostgreSQL where `MAEPYO_TEST_DATABASE_URL` names one.

mod stores;

use std::collections::BTreeSet;
use std::sync::Arc;

use desk::{Answer, Desk, Once, Stopped};
use engine::catalogue::Event;
use engine::command::Command;
use engine::holds::{CancelReservation, Canceller, ExpireReservation, HoldRules, HoldSeats, Reservation, Standing};
use engine::id::UserId;
use engine::money::Won;
use engine::payments::{
    ChargeSandbox, ConfirmReservation, Gateway, OpenPayment, ReceiveNews, SandboxOutcome, Settlement,
};
use engine::people::{AdoptUser, Role};
use engine::refusal::Refusal;
use engine::seats::SeatStatus;
use engine::time::Span;
use engine::wallet::{PayFromWallet, TopUp};
use futures_util::future::join_all;
use stores::{Store, event, rules, user};

const MANY: usize = 200;

/// Runs commands at once, each in a task of its own.
async fn storm<C: Command>(desk: &Desk, commands: impl IntoIterator<Item = C>) -> Vec<Result<C::Reply, Stopped>> {
    let run = |command: C| {
        let desk = desk.clone();
        tokio::spawn(async move { desk.run(command).await })
    };
    let tasks: Vec<_> = commands.into_iter().map(run).collect();
    join_all(tasks).await.into_iter().map(|joined| joined.expect("a task does not panic")).collect()
}

fn hold(event: &Event, user: UserId, seats: Vec<u32>) -> HoldSeats {
    HoldSeats { user, event: event.id, seats, items: Vec::new(), stated_total: None, rules: rules(600) }
}

/// People who can be told apart by a number: `UserId(0)` up to one less than `count`.
async fn crowd(desk: &Desk, count: usize) {
    let adopt = |n: usize| AdoptUser { id: UserId(n as u128), email: format!("{n}@example.com"), role: Role::User };
    let adopted = join_all((0..count).map(|n| desk.run(adopt(n)))).await;
    assert!(adopted.iter().all(Result::is_ok), "everybody is taken in");
}

fn succeeded<R, E>(results: &[Result<R, E>]) -> usize {
    results.iter().filter(|result| result.is_ok()).count()
}

async fn assert_sound(desk: &Desk) {
    let report = desk.check(10).await.expect("the audit runs");
    // The people of a storm are made up.
    let real = report.checks.iter().filter(|(name, ..)| !name.ends_with("are of a user who is there"));
    let broken: Vec<_> = real.filter(|(_, _, broken)| !broken.is_empty()).collect();
    assert!(broken.is_empty(), "{broken:?}");
    assert!(report.checks.iter().any(|(_, over, _)| *over > 0), "an audit of nothing shows nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_want_one_seat_one_gets_it() {
    for batch in [1, 256] {
        let store = Store::fresh().await;
        let desk = store.desk(batch).await;
        let event = event(&desk, 100, 0).await;
        crowd(&desk, MANY).await;
        let holds = (0..MANY).map(|n| hold(&event, UserId(n as u128), vec![7, n as u32 % 5]));
        let results = storm(&desk, holds).await;
        assert_eq!(succeeded(&results), 1);
        let refused = results.into_iter().filter_map(Result::err);
        for stopped in refused {
            assert!(matches!(stopped, Stopped::Refused(Refusal::SeatTaken { .. })), "{stopped:?}");
        }
        let map = desk.seat_map(&event).await.expect("a map");
        assert_eq!(map.statuses.iter().filter(|status| **status == SeatStatus::Held).count(), 2);
        assert_eq!(desk.available(std::slice::from_ref(&event)).await.expect("a count"), vec![98]);
        assert_sound(&desk).await;
        desk.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_desks_on_one_store_never_sell_a_seat_twice() {
    let store = Store::fresh().await;
    let desks = [store.desk(64).await, store.desk(64).await];
    let event = event(&desks[0], 200, 0).await;
    crowd(&desks[0], 2 * 400).await;
    // Looked at before the storm, so that both keep a view which the storm has to keep true.
    for desk in &desks {
        assert_eq!(desk.available(std::slice::from_ref(&event)).await.expect("a count"), vec![200]);
    }
    let storms = desks.iter().enumerate().map(|(side, desk)| {
        let holds = (0..400).map(|n| {
            let first = (n * 7 + side * 3) as u32 % 199;
            hold(&event, UserId((n * 2 + side) as u128), vec![first, first + 1])
        });
        storm(desk, holds.collect::<Vec<_>>())
    });
    let results: Vec<_> = join_all(storms).await.into_iter().flatten().collect();
    let mut taken = BTreeSet::new();
    for reservation in results.iter().flatten().flatten() {
        for seat in &reservation.seats {
            assert!(taken.insert(seat.ordinal), "seat {} was held twice", seat.ordinal);
        }
    }
    assert!(taken.len() > 100, "the storm held {} seats", taken.len());
    for stopped in results.into_iter().filter_map(Result::err) {
        assert!(matches!(stopped, Stopped::Refused(Refusal::SeatTaken { .. })), "{stopped:?}");
    }
    let free = 200 - u32::try_from(taken.len()).expect("few");
    for desk in &desks {
        assert_sound(desk).await;
        // Two nodes on one SQLite folder are refused by the server: only a shared database tells the other's views.
        if store.shared().is_none() {
            continue;
        }
        stores::until(|| async { desk.available(std::slice::from_ref(&event)).await.expect("a count") == vec![free] })
            .await;
        assert_sound(desk).await;
    }
}

/// Many wishes of one person on two desks, each for a seat of its own at one of two events.
async fn holds_of_one_person(alone: bool) -> usize {
    let store = Store::fresh().await;
    let first = store.desk(16).await;
    let desks = if store.shared().is_some() { vec![first.clone(), store.desk(16).await] } else { vec![first.clone()] };
    let events = [event(&first, 100, 0).await, event(&first, 100, 0).await];
    let buyer = user(&first, "one@example.com").await;
    let storms = desks.iter().enumerate().map(|(side, desk)| {
        let wishes = (0..50).map(|n| HoldSeats {
            rules: HoldRules { alone, ..rules(600) },
            ..hold(&events[n % 2], buyer, vec![(n * 2 + side) as u32])
        });
        storm(desk, wishes.collect::<Vec<_>>())
    });
    let results: Vec<_> = join_all(storms).await.into_iter().flatten().collect();
    let refused = results.iter().filter_map(|result| result.as_ref().err());
    refused.for_each(|stopped| assert_eq!(*stopped, Stopped::Refused(Refusal::StillHolding)));
    assert_sound(&first).await;
    succeeded(&results)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_hold_one_thing_at_a_time_holds_one_on_all_desks_together() {
    assert_eq!(holds_of_one_person(true).await, 1);
    assert!(holds_of_one_person(false).await >= 50, "without the rule the same storm holds them all");
}

#[tokio::test]
async fn what_came_before_counts_though_it_is_of_the_same_batch() {
    let store = Store::fresh().await;
    let desk = store.desk_in_order().await;
    let event = event(&desk, 400, 0).await;
    crowd(&desk, MANY).await;
    let pair = |n: u32| {
        let plain = hold(&event, UserId(u128::from(n)), vec![2 * n]);
        let alone = HoldRules { alone: true, ..rules(600) };
        (plain.clone(), HoldSeats { seats: vec![2 * n + 1], rules: alone, ..plain })
    };
    let asked = (0..MANY as u32).map(pair).flat_map(|(plain, alone)| [desk.run(plain), desk.run(alone)]);
    let results = join_all(asked).await;
    for both in results.chunks(2) {
        assert!(both[0].is_ok(), "{both:?}");
        assert_eq!(both[1], Err(Stopped::Refused(Refusal::StillHolding)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_is_sold_to_its_last_ticket_and_no_further() {
    let store = Store::fresh().await;
    let desk = store.desk(256).await;
    let event = event(&desk, 0, 150).await;
    crowd(&desk, MANY).await;
    let ticket_type = event.offer.types[0].id;
    let want = |n: usize, quantity| HoldSeats {
        items: vec![(ticket_type, quantity)],
        ..hold(&event, UserId(n as u128), vec![])
    };
    let results = storm(&desk, (0..MANY).map(|n| want(n, 1))).await;
    assert_eq!(succeeded(&results), 150);
    assert_eq!(desk.stocks(&[event.id]).await.expect("stocks")[0].left(), 0);
    assert_sound(&desk).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lapsed_holds_are_free_before_anyone_tidies_up() {
    let store = Store::fresh().await;
    let desk = store.desk(256).await;
    let event = event(&desk, 10, 10).await;
    crowd(&desk, 5).await;
    let ticket_type = event.offer.types[0].id;
    let brief = HoldRules { span: Span(1), ..rules(0) };
    let all = |user, rules| HoldSeats {
        items: vec![(ticket_type, 10)],
        rules: HoldRules { most: 100, ..rules },
        ..hold(&event, UserId(user), (0..10).collect())
    };
    let first = desk.run(all(1, brief)).await.expect("all is free").remove(0);
    let second = desk.run(all(2, rules(600))).await.expect("all has lapsed").remove(0);
    assert_eq!(desk.lapsed(10).await.expect("a list"), vec![first.id]);
    assert!(desk.run(ExpireReservation { reservation: first.id }).await.expect("it runs"));
    let kept = desk.reservation(second.id).await.expect("a read").expect("it is there");
    assert_eq!(kept, second, "tidying the first up takes nothing from the second");
    assert_eq!(desk.stocks(&[event.id]).await.expect("stocks")[0].left(), 0);
    assert!(matches!(desk.run(all(3, rules(600))).await, Err(Stopped::Refused(Refusal::SeatTaken { .. }))));
    assert_sound(&desk).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_pays_what_it_has_and_no_more() {
    let store = Store::fresh().await;
    let desk = store.desk(256).await;
    let event = event(&desk, 100, 0).await;
    let buyer = user(&desk, "buyer@example.com").await;
    let price = event.offer.layout.seat(99).expect("a seat").price;
    let tops = storm(&desk, (0..10).map(|_| TopUp { user: buyer, amount: price })).await;
    assert_eq!(succeeded(&tops), 10);
    let holds = storm(&desk, (50..100).map(|seat| hold(&event, buyer, vec![seat]))).await;
    let held: Vec<Reservation> = holds.into_iter().flat_map(|made| made.expect("free")).collect();
    let pays = held.iter().flat_map(|own| {
        let pay = PayFromWallet { user: buyer, reservations: vec![own.id], stated_total: None };
        std::iter::repeat_n(pay, 4)
    });
    let paid = storm(&desk, pays).await;
    assert_eq!(succeeded(&paid), 10);
    let last = paid.iter().flatten().map(|paid| paid.wallet.balance).min();
    assert_eq!(last, Some(Won::ZERO));
    assert_sound(&desk).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn confirm_cancel_and_expiry_meet_and_the_money_adds_up() {
    let store = Store::fresh().await;
    let desk = store.desk(32).await;
    let event = event(&desk, 60, 0).await;
    crowd(&desk, 100).await;
    let mut tasks = Vec::new();
    for seat in 0..60_u32 {
        let (desk, event) = (desk.clone(), event.clone());
        tasks.push(tokio::spawn(async move { meet(&desk, &event, seat).await }));
    }
    join_all(tasks).await.into_iter().for_each(|joined| joined.expect("a task does not panic"));
    assert_sound(&desk).await;
    let map = desk.seat_map(&event).await.expect("a map");
    let sold = map.statuses.iter().filter(|status| **status == SeatStatus::Sold).count();
    let held: Vec<usize> = (0..60).filter(|seat| map.statuses[*seat] == SeatStatus::Held).collect();
    assert!(held.is_empty(), "nothing is left held: {held:?}");
    assert!(sold <= 60);
}

/// What the rules say: a store that gave no verdict is no refusal.
fn verdict<T>(result: Result<T, Stopped>) -> Result<T, Refusal> {
    result.map_err(|stopped| match stopped {
        Stopped::Refused(refusal) => refusal,
        other => panic!("no verdict: {other}"),
    })
}

/// One reservation, paid, confirmed, cancelled, expired and heard of from the gateway, all at once.
async fn meet(desk: &Desk, event: &Arc<Event>, seat: u32) {
    let buyer = UserId(u128::from(seat) + 1);
    let span = if seat.is_multiple_of(2) { Span::seconds(600) } else { Span(1) };
    let wanted = HoldSeats { rules: HoldRules { span, ..rules(0) }, ..hold(event, buyer, vec![seat]) };
    let own = desk.run(wanted).await.expect("it is free").remove(0);
    let open = OpenPayment {
        user: buyer,
        reservation: own.id,
        amount: own.total,
        gateway: Gateway::Sandbox,
        client_secret: None,
    };
    let Ok(payment) = verdict(desk.run(open).await) else {
        desk.run(ExpireReservation { reservation: own.id }).await.expect("it runs");
        return;
    };
    let charge = ChargeSandbox {
        user: buyer,
        payment: payment.id,
        method: "card_visa_4242".to_owned(),
        outcome: SandboxOutcome::Approve,
    };
    desk.run(charge).await.expect("the card is good");
    let news = |n: u32| ReceiveNews {
        event: format!("evt_{seat}_{}", n % 2),
        payment: payment.id,
        reservation: (n == 1).then_some(own.id),
        news: engine::payments::News::Succeeded { method: "card_visa_4242".to_owned() },
    };
    let confirm = ConfirmReservation { user: buyer, reservation: own.id, payment: payment.id };
    let (confirmed, cancelled, expired, first, second) = tokio::join!(
        desk.run(confirm),
        desk.run(CancelReservation { reservation: own.id, by: Canceller::Buyer(buyer) }),
        desk.run(ExpireReservation { reservation: own.id }),
        desk.run(news(0)),
        desk.run(news(1)),
    );
    let (confirmed, cancelled) = (verdict(confirmed), verdict(cancelled));
    expired.expect("a lapse is noticed or not");
    for heard in [first, second] {
        heard.expect("news of a payment is heard");
    }
    let end = desk.reservation(own.id).await.expect("a read").expect("it is there");
    match end.standing {
        Standing::Confirmed { .. } => assert!(cancelled.is_err()),
        Standing::Cancelled { .. } => assert!(cancelled.is_ok()),
        Standing::Expired { .. } | Standing::Pending { .. } => {
            assert!(!matches!(confirmed, Ok(Settlement::Confirmed(_))), "a confirmed one came to {end:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_happens_once_however_often_it_is_sent() {
    let store = Store::fresh().await;
    let desk = store.desk(16).await;
    let event = event(&desk, 100, 0).await;
    crowd(&desk, 2).await;
    let send = |n: usize, request: [u8; 32]| {
        let (desk, wanted) = (desk.clone(), hold(&event, UserId(1), vec![n as u32 % 100]));
        let once = Once { key: "one key".to_owned(), request };
        let render = |result: Result<&Vec<Reservation>, &Refusal>| match result {
            Ok(made) => Answer { status: 200, body: made[0].id.0.to_be_bytes().to_vec(), replayed: false },
            Err(_) => Answer { status: 400, body: Vec::new(), replayed: false },
        };
        tokio::spawn(async move { desk.run_once(wanted, Some(once), Box::new(render)).await })
    };
    let answers = join_all((0..MANY).map(|n| send(n, [1; 32]))).await;
    let answers: Vec<Answer> =
        answers.into_iter().map(|joined| joined.expect("no panic").expect("an answer")).collect();
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.body == answers[0].body));
    let other = send(0, [2; 32]).await.expect("no panic");
    assert_eq!(other, Err(Stopped::Refused(Refusal::KeyReused)));
    assert_eq!(desk.available(std::slice::from_ref(&event)).await.expect("a count"), vec![99]);
    assert_sound(&desk).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_says_so_and_what_was_taken_is_done() {
    let store = Store::fresh().await;
    let desk = store.desk_with(1, 8).await;
    let event = event(&desk, 1_000, 0).await;
    let holds = (0..1_000).map(|n| hold(&event, UserId(n as u128), vec![n as u32]));
    let results = join_all(holds.map(|wanted| desk.run(wanted))).await;
    let busy = results.iter().filter(|result| matches!(result, Err(Stopped::Busy))).count();
    let done = succeeded(&results);
    assert!(busy > 0 && done > 0 && busy + done == 1_000, "{busy} busy, {done} done");
    let free = desk.available(std::slice::from_ref(&event)).await.expect("a count")[0];
    assert_eq!(free as usize, 1_000 - done);
}
