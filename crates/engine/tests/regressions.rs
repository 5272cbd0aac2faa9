//! What must not happen and once could.

mod stage;

use engine::catalogue::{Billing, Layout, RoomPolicy};
use engine::money::Won;
use engine::payments::{CompleteRefund, PaymentState, Refund};
use engine::refusal::Refusal;
use engine::time::{Span, Time};
use engine::wallet::{Account, PayFromWallet};
use stage::{HOLD, Stage, WALLET, billing};

#[test]
fn a_reservation_named_twice_is_not_paid_twice() {
    let mut stage = Stage::new();
    stage.hold();
    let twice = vec![stage.reservation; 2];
    let pay = PayFromWallet { user: stage.buyer, reservations: twice, stated_total: None };
    assert_eq!(stage.run(&pay), Err(Refusal::SeatRepeated));
    assert!(!stage.store.transfers().any(|own| matches!(own.credit, Account::Sales(_))));
    assert_eq!(stage.store.wallet(stage.buyer).map(|own| own.balance), Some(WALLET));
}

#[test]
fn a_refund_that_nobody_asked_for_is_not_noted() {
    let mut stage = Stage::new();
    stage.hold();
    stage.open();
    stage.take();
    let before = stage.store.transfers().count();
    stage.done(&CompleteRefund { payment: stage.payment });
    assert_eq!(stage.store.transfers().count(), before, "nothing was in the refunds");
}

/// Made row by row before it is counted, this would need gigabytes.
#[test]
fn a_layout_of_four_billion_seats_is_refused_before_it_is_made() {
    let huge = Layout::standard(u32::MAX, Won(1), Won(2));
    assert!(matches!(huge, Err(Refusal::EventInvalid { field: "seating", .. })));
}

#[test]
fn a_late_payment_does_not_lead_past_the_limit_for_one_person() {
    let mut stage = Stage::with(true, Billing { max_per_user: Some(3), ..billing() });
    stage.hold();
    stage.open();
    stage.wait(HOLD);
    let since = engine::holds::HoldSeats {
        seats: vec![1],
        items: Vec::new(),
        stated_total: None,
        ..stage.hold_by(stage.buyer)
    };
    stage.done(&since);
    stage.done(&stage.news(Stage::success()));
    let payment = stage.store.payment(stage.payment).expect("it stays");
    assert!(matches!(payment.state, PaymentState::Succeeded { refund: Refund::Requested, .. }));
}

/// Whatever door it comes through: each of these was imported from a file, where only `POST /api/events` looked.
#[test]
fn what_an_event_says_has_its_limits_at_every_door() {
    let text = |length: usize| "가".repeat(length);
    let room = |capacity, seconds| Some(RoomPolicy { capacity, pass: Span::seconds(seconds) });
    for (field, wrong) in [
        ("title", Billing { title: " ".into(), ..billing() }),
        ("title", Billing { title: text(201), ..billing() }),
        ("category", Billing { category: text(51), ..billing() }),
        ("venue", Billing { venue: "a\0b".into(), ..billing() }),
        ("location", Billing { location: String::new(), ..billing() }),
        ("address", Billing { address: Some(text(301)), ..billing() }),
        ("artist_name", Billing { artist: Some(text(201)), ..billing() }),
        ("image_url", Billing { image_url: Some(text(2_001)), ..billing() }),
        ("organizer", Billing { organizer_contact: Some(text(201)), ..billing() }),
        ("tags", Billing { tags: vec![text(101)], ..billing() }),
        ("start_date", Billing { starts_at: Time(-1), ..billing() }),
        ("waiting_room", Billing { waiting_room: room(0, 60), ..billing() }),
        ("waiting_room", Billing { waiting_room: room(1, 0), ..billing() }),
    ] {
        let refused = wrong.check().expect_err(field);
        assert!(
            matches!(refused, Refusal::EventInvalid { field: named, .. } if named == field),
            "{field}: {refused:?}"
        );
    }
    let most = Billing { title: text(200), category: text(50), address: Some(text(300)), ..billing() };
    most.check().expect("these are the most");
    // From before there was a limit: the event can still be put off, but not be made worse.
    let old = Billing { organizer_name: Some(text(201)), location: String::new(), ..billing() };
    let later = Billing { ends_at: old.ends_at + Span::seconds(60), ..old.clone() };
    later.check_change(&old).expect("what it said before is not in question");
    let worse = Billing { organizer_name: Some(text(202)), ..old.clone() };
    assert!(matches!(worse.check_change(&old), Err(Refusal::EventInvalid { field: "organizer", .. })));
}
