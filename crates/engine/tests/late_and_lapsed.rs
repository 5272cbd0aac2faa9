//! Time and money out of step: holds that lapse, payments that come late, news that comes twice.

mod stage;

use engine::catalogue::CancelEvent;
use engine::command::{Command as _, Context, Fact, Stop};
use engine::holds::{CancelReservation, Canceller, ExpireReservation, HoldRules, HoldSeats, Standing, Tender};
use engine::id::Mint;
use engine::jobs::{Errand, FinishJobs, PutOffJobs, TakeJobs};
use engine::money::Won;
use engine::payments::{
    AttachIntent, CompleteRefund, ConfirmReservation, Gateway, News, OpenPayment, PaymentState, Refund, SandboxOutcome,
    Settlement,
};
use engine::refusal::Refusal;
use engine::time::Span;
use engine::wallet::{Account, PayFromWallet, WalletPayment};
use engine::world::{Key, World};
use stage::{HOLD, Stage, TOTAL, WALLET, billing};

fn seats_of(stage: &Stage, seats: &[u32]) -> HoldSeats {
    HoldSeats { seats: seats.to_vec(), items: Vec::new(), stated_total: None, ..stage.hold_by(stage.buyer) }
}

#[test]
fn a_hold_is_free_at_the_very_moment_its_time_passes_and_not_before() {
    let mut stage = Stage::new();
    stage.hold();
    stage.wait(Span(HOLD.0 - 1));
    let taken = Refusal::SeatTaken { label: "A-1-1".to_owned() };
    assert_eq!(stage.run(&stage.hold_by(stage.other)), Err(taken));
    stage.wait(Span(1));
    assert!(stage.run(&stage.hold_by(stage.other)).is_ok());
}

#[test]
fn a_hold_can_be_paid_until_the_moment_before_its_time_passes() {
    for (waited, paid) in [(HOLD.0 - 1, true), (HOLD.0, false)] {
        let mut stage = Stage::new();
        stage.hold();
        stage.wait(Span(waited));
        assert_eq!(stage.run(&stage.pay_by_wallet(stage.buyer)).is_ok(), paid);
    }
}

/// A hold of one seat by who may hold one thing at a time.
fn alone(stage: &Stage, seat: u32) -> HoldSeats {
    let wanted = seats_of(stage, &[seat]);
    HoldSeats { rules: HoldRules { alone: true, ..wanted.rules }, ..wanted }
}

#[test]
fn who_holds_one_thing_at_a_time_may_hold_the_next_when_it_is_paid_given_up_or_lapsed() {
    for end in ["paid", "given up", "lapsed", "lapsed and tidied up"] {
        let mut stage = Stage::new();
        stage.reservation = stage.done(&alone(&stage, 0)).remove(0).id;
        assert_eq!(stage.run(&alone(&stage, 1)), Err(Refusal::StillHolding));
        stage.done(&seats_of(&stage, &[2]));
        assert_eq!(stage.run(&alone(&stage, 1)), Err(Refusal::StillHolding), "another's rules count as well");
        let both: Vec<_> = stage.store.reservations().map(|own| own.id).collect();
        match end {
            "paid" => {
                let pay = PayFromWallet { user: stage.buyer, reservations: both, stated_total: None };
                stage.done(&pay);
            }
            "given up" => both.into_iter().for_each(|reservation| {
                stage.done(&CancelReservation { reservation, by: Canceller::Buyer(stage.buyer) });
            }),
            _ => stage.wait(HOLD),
        }
        if end == "lapsed and tidied up" {
            stage.done(&ExpireReservation { reservation: stage.reservation });
        }
        assert_eq!(stage.done(&alone(&stage, 1)).len(), 1, "{end}");
    }
}

#[test]
fn lapsed_stock_is_free_at_once() {
    let mut stage = Stage::new();
    let all = HoldSeats { seats: Vec::new(), items: vec![(stage.ticket_type, 4)], ..stage.hold_by(stage.buyer) };
    let all = HoldSeats { stated_total: None, ..all };
    stage.done(&all);
    assert_eq!(stage.run(&all), Err(Refusal::StockShort { left: 1 }));
    stage.wait(HOLD);
    stage.done(&all);
    assert_eq!(stage.run(&all), Err(Refusal::StockShort { left: 1 }), "the lapsed four are counted once");
}

/// A late success on a hold that others may have taken meanwhile.
fn late(taken_by_another: bool, tidied: bool) -> Stage {
    let mut stage = Stage::new();
    stage.hold();
    stage.open();
    stage.wait(HOLD);
    if tidied {
        stage.done(&ExpireReservation { reservation: stage.reservation });
    }
    if taken_by_another {
        stage.done(&stage.hold_by(stage.other));
    }
    stage.done(&stage.news(Stage::success()));
    stage
}

#[test]
fn a_late_payment_gets_the_same_seats_when_they_are_free() {
    for tidied in [false, true] {
        let stage = late(false, tidied);
        let own = stage.store.reservation(stage.reservation).expect("it stays");
        assert!(matches!(own.standing, Standing::Confirmed { tender: Tender::Card(id), .. } if id == stage.payment));
        let stock = stage.store.stock(stage.ticket_type).expect("it stays");
        assert_eq!((stock.sold, stock.held), (2, 0));
    }
}

#[test]
fn a_late_payment_goes_back_when_the_seats_are_gone() {
    for tidied in [false, true] {
        let stage = late(true, tidied);
        let payment = stage.store.payment(stage.payment).expect("it stays");
        assert!(matches!(payment.state, PaymentState::Succeeded { refund: Refund::Requested, .. }));
        assert!(stage.store.jobs().any(|job| job.errand == Errand::Refund(stage.payment)));
        let told = stage.store.stream().iter().filter(|fact| matches!(fact, Fact::PaymentReturned(_)));
        assert_eq!(told.count(), 1);
        let claim = stage.store.claim((stage.event, 0)).expect("another has it");
        assert_ne!(claim.reservation, stage.reservation);
    }
}

#[test]
fn a_late_payment_gets_seats_that_another_took_and_gave_up() {
    let mut stage = Stage::new();
    stage.hold();
    stage.open();
    stage.wait(HOLD);
    let other = stage.done(&stage.hold_by(stage.other)).remove(0);
    stage.done(&CancelReservation { reservation: other.id, by: Canceller::Buyer(stage.other) });
    stage.done(&stage.news(Stage::success()));
    let claim = stage.store.claim((stage.event, 0)).expect("it is claimed");
    assert_eq!(claim.reservation, stage.reservation);
}

fn call_off(stage: &mut Stage) {
    stage.done(&CancelEvent { editor: stage.organizer, event: stage.event });
}

#[test]
fn nothing_is_taken_for_an_event_that_was_called_off() {
    let mut stage = Stage::new();
    stage.hold();
    call_off(&mut stage);
    assert_eq!(stage.run(&stage.open_by(stage.buyer)), Err(Refusal::EventNotOnSale), "no payment is opened");

    let mut stage = Stage::new();
    stage.hold();
    stage.open();
    let before = stage.store.transfers().count();
    call_off(&mut stage);
    assert_eq!(stage.run(&stage.open_by(stage.buyer)), Err(Refusal::EventNotOnSale), "none is shown again to be paid");
    for outcome in [SandboxOutcome::Approve, SandboxOutcome::Challenge, SandboxOutcome::Decline] {
        assert_eq!(stage.run(&stage.charge(stage.buyer, outcome)), Err(Refusal::EventNotOnSale), "{outcome:?}");
    }
    assert_eq!(stage.store.transfers().count(), before);
}

#[test]
fn what_a_charge_takes_too_late_for_its_seats_goes_back_at_once() {
    let mut stage = Stage::new();
    stage.hold();
    stage.open();
    stage.wait(HOLD);
    stage.done(&stage.hold_by(stage.other));
    let charged = stage.done(&stage.charge(stage.buyer, SandboxOutcome::Approve));
    assert!(matches!(charged.state, PaymentState::Succeeded { refund: Refund::Requested, .. }), "as it is answered");
    assert_eq!(stage.store.payment(stage.payment), Some(&charged), "and as it is");
    let confirm = ConfirmReservation { user: stage.buyer, reservation: stage.reservation, payment: stage.payment };
    assert_eq!(
        stage.done(&confirm),
        Settlement::Returned(Refusal::ReservationLapsed),
        "the buyer is told of the refund"
    );
}

/// Everybody locks a reservation before its payment: who does it the other way round waits for a deadlock to be found.
#[test]
fn a_charge_knows_the_reservation_before_it_has_read_the_payment() {
    let mut stage = Stage::new();
    stage.hold();
    stage.open();
    let mut cx = Context { now: stage.now, mint: Mint::new(stage.now, 1) };
    let charge = stage.charge(stage.buyer, SandboxOutcome::Approve);
    match charge.decide(&World::default(), &mut cx) {
        Err(Stop::Missing(keys)) => {
            assert_eq!(keys, [Key::Reservation(stage.reservation), Key::Payment(stage.payment)]);
        }
        decided => panic!("{decided:?}"),
    }
}

#[test]
fn what_was_taken_before_the_event_was_called_off_goes_back_and_it_is_said_why() {
    let mut stage = Stage::new();
    stage.hold();
    stage.open();
    stage.take();
    call_off(&mut stage);
    let payment = stage.done(&stage.open_by(stage.buyer)).id;
    stage.done(&stage.charge(stage.buyer, SandboxOutcome::Approve));
    let confirm = ConfirmReservation { user: stage.buyer, reservation: stage.reservation, payment };
    assert_eq!(stage.done(&confirm), Settlement::Returned(Refusal::EventNotOnSale));
    let payment = stage.store.payment(payment).expect("it stays");
    assert!(matches!(payment.state, PaymentState::Succeeded { refund: Refund::Requested, .. }));
}

#[test]
fn a_payment_that_comes_too_late_for_its_seats_is_told_so() {
    let mut stage = Stage::new();
    stage.hold();
    stage.open();
    stage.take();
    stage.wait(HOLD);
    stage.done(&stage.hold_by(stage.other));
    let confirm = ConfirmReservation { user: stage.buyer, reservation: stage.reservation, payment: stage.payment };
    let taken = Refusal::SeatTaken { label: "A-1-1".to_owned() };
    assert_eq!(stage.done(&confirm), Settlement::Returned(taken), "named as the buyer knows it");
}

#[test]
fn the_second_of_two_payments_goes_back() {
    let mut stage = Stage::new();
    stage.hold();
    let first = stage.open();
    stage.done(&engine::payments::CancelPayment { user: None, payment: first.id });
    let second = stage.open();
    assert_ne!(first.id, second.id);
    // The bank was faster than the cancellation, and the buyer paid the second one too.
    stage.payment = first.id;
    stage.done(&stage.news(Stage::success()));
    stage.payment = second.id;
    stage.done(&stage.news(Stage::success()));
    let own = stage.store.reservation(stage.reservation).expect("it stays");
    assert!(matches!(own.standing, Standing::Confirmed { tender: Tender::Card(id), .. } if id == first.id));
    let second = stage.store.payment(second.id).expect("it stays");
    assert!(matches!(second.state, PaymentState::Succeeded { refund: Refund::Requested, .. }));
}

#[test]
fn an_event_of_the_gateway_acts_once() {
    let mut stage = Stage::new();
    stage.hold();
    stage.open();
    let declined = stage.news(News::ActionRequired);
    stage.done(&declined);
    stage.done(&stage.news(News::Processing));
    stage.done(&declined);
    let payment = stage.store.payment(stage.payment).expect("it stays");
    assert_eq!(payment.state, PaymentState::Open(engine::payments::Step::Processing));
}

#[test]
fn word_of_the_refund_may_come_before_word_of_the_payment() {
    let mut stage = Stage::new();
    stage.hold();
    stage.open();
    stage.done(&stage.news(News::Refunded));
    stage.done(&stage.news(Stage::success()));
    let payment = stage.store.payment(stage.payment).expect("it stays");
    assert!(matches!(payment.state, PaymentState::Succeeded { refund: Refund::Done { .. }, .. }));
    let own = stage.store.reservation(stage.reservation).expect("it stays");
    assert!(matches!(own.standing, Standing::Cancelled { refund: TOTAL, .. }));
}

#[test]
fn a_refund_is_noted_once() {
    let mut stage = Stage::new();
    stage.hold();
    stage.open();
    stage.take();
    stage.done(&stage.news(Stage::success()));
    stage.done(&CancelReservation { reservation: stage.reservation, by: Canceller::House });
    for _ in 0..2 {
        stage.done(&CompleteRefund { payment: stage.payment });
        stage.done(&stage.news(News::Refunded));
    }
    let back = stage.store.transfers().filter(|own| own.credit == Account::Gateway);
    assert_eq!(back.map(|own| own.amount).collect::<Vec<_>>(), [TOTAL]);
}

#[test]
fn the_first_note_of_the_gateways_id_stays() {
    let mut stage = Stage::new();
    stage.hold();
    stage.open();
    for name in ["pi_1", "pi_2"] {
        let (reference, client_secret) = (name.to_owned(), name.to_owned());
        stage.done(&AttachIntent { payment: stage.payment, reference, client_secret });
    }
    let payment = stage.store.payment(stage.payment).expect("it stays");
    assert_eq!(payment.reference.as_deref(), Some("pi_1"));
}

#[test]
fn what_costs_nothing_is_paid_by_asking_and_moves_no_money() {
    let mut stage = Stage::new();
    let mut create = engine::catalogue::CreateEvent {
        editor: stage.organizer,
        billing: billing(),
        offer: stage::offer(),
        publish: true,
    };
    create.offer.rows[0].price = Won::ZERO;
    stage.event = stage.done(&create).id;
    let transfers = stage.store.transfers().count();
    stage.reservation = stage.done(&seats_of(&stage, &[0])).remove(0).id;
    let open = OpenPayment { amount: Won::ZERO, gateway: Gateway::Stripe, ..stage.open_by(stage.buyer) };
    let (reservation, payment) = (stage.reservation, stage.done(&open).id);
    assert_eq!(stage.done(&open).id, payment, "asked for again it is the same");
    let settled = stage.done(&ConfirmReservation { user: stage.buyer, reservation, payment });
    assert!(matches!(settled, Settlement::Confirmed(_)));
    assert_eq!(stage.store.transfers().count(), transfers);
}

#[test]
fn the_wallet_pays_for_all_or_for_none() {
    let mut stage = Stage::new();
    let first = stage.done(&seats_of(&stage, &[0])).remove(0).id;
    let second = stage.done(&seats_of(&stage, &[1])).remove(0).id;
    let both = PayFromWallet { user: stage.buyer, reservations: vec![first, second], stated_total: None };
    stage.wait(HOLD);
    assert_eq!(stage.run(&both), Err(Refusal::ReservationLapsed));
    let third = stage.done(&seats_of(&stage, &[2])).remove(0).id;
    assert_eq!(
        stage.run(&PayFromWallet { reservations: vec![third, first], ..both.clone() }),
        Err(Refusal::ReservationLapsed)
    );
    assert_eq!(stage.store.wallet(stage.buyer).map(|own| own.balance), Some(WALLET));
    let again = stage.done(&seats_of(&stage, &[0])).remove(0).id;
    let paid = stage.done(&PayFromWallet { reservations: vec![third, again], ..both });
    assert_eq!((paid.total, paid.wallet.balance), (Won(20_000), Won(80_000)));
}

#[test]
fn a_wallet_never_goes_below_zero() {
    let mut stage = Stage::new();
    let create = engine::catalogue::CreateEvent {
        editor: stage.organizer,
        billing: billing(),
        offer: stage::offer(),
        publish: true,
    };
    for left in [70_000, 40_000, 10_000] {
        let paid = buy_out(&mut stage, &create);
        assert_eq!(paid.expect("it is enough").wallet.balance, Won(left));
    }
    assert_eq!(buy_out(&mut stage, &create), Err(Refusal::BalanceShort { balance: Won(10_000) }));
    assert_eq!(stage.store.wallet(stage.buyer).map(|own| own.balance), Some(Won(10_000)));
}

/// Makes an event and pays for its three seats, 30,000 together, from the buyer's wallet.
fn buy_out(stage: &mut Stage, create: &engine::catalogue::CreateEvent) -> Result<WalletPayment, Refusal> {
    let event = stage.done(create).id;
    let held = stage.done(&HoldSeats { event, ..seats_of(stage, &[0, 1, 2]) });
    let reservations = held.into_iter().map(|own| own.id).collect();
    stage.run(&PayFromWallet { user: stage.buyer, reservations, stated_total: None })
}

#[test]
fn commands_of_one_batch_see_each_other_and_a_refusal_leaves_no_trace() {
    let mut stage = Stage::new();
    let (one, other) = (stage.hold_by(stage.buyer), stage.hold_by(stage.other));
    let mut batch = stage.store.batch(stage.now, 99);
    let made = batch.run(&one).expect("the seat is free").remove(0);
    assert!(matches!(batch.run(&other), Err(Refusal::SeatTaken { .. })));
    let free = HoldSeats { seats: vec![1], ..other };
    let second = batch.run(&free).expect("the refusal before it changed nothing").remove(0);
    batch.run(&CancelReservation { reservation: made.id, by: Canceller::House }).expect("it was just made");
    let changes = batch.close();
    stage.store.commit(changes);
    let stock = stage.store.stock(stage.ticket_type).expect("it stays");
    assert_eq!((stock.sold, stock.held), (0, 2));
    let claim = |seat| stage.store.claim((stage.event, seat)).map(|claim| (claim.reservation, claim.version));
    assert_eq!((claim(0), claim(1)), (Some((made.id, 2)), Some((second.id, 1))));
}

#[test]
fn a_person_has_no_more_than_the_event_allows() {
    let billing = engine::catalogue::Billing { max_per_user: Some(3), ..billing() };
    let mut stage = Stage::with(true, billing);
    stage.hold();
    assert_eq!(stage.run(&seats_of(&stage, &[1])).map(|_| ()), Err(Refusal::PersonLimit { limit: 3 }));
    assert!(stage.run(&HoldSeats { user: stage.other, ..seats_of(&stage, &[1]) }).is_ok(), "others are not concerned");
    stage.wait(HOLD);
    assert!(stage.run(&seats_of(&stage, &[1, 2])).is_ok(), "what has lapsed does not count");
}

#[test]
fn the_limit_holds_within_one_batch() {
    let billing = engine::catalogue::Billing { max_per_user: Some(1), ..billing() };
    let stage = Stage::with(true, billing);
    let mut batch = stage.store.batch(stage.now, 99);
    assert!(batch.run(&seats_of(&stage, &[0])).is_ok());
    assert_eq!(batch.run(&seats_of(&stage, &[1])).map(|_| ()), Err(Refusal::PersonLimit { limit: 1 }));
}

#[test]
fn a_hold_of_single_reservations_makes_one_a_seat() {
    let mut stage = Stage::new();
    let mut hold = seats_of(&stage, &[2, 0]);
    hold.rules.one_each = true;
    let made = stage.done(&hold);
    let seats: Vec<_> = made.iter().map(|own| (own.seats.len(), own.seats[0].ordinal, own.total)).collect();
    assert_eq!(seats, [(1, 2, Won(10_000)), (1, 0, Won(10_000))]);
}

#[test]
fn a_hold_that_asks_for_nonsense_is_refused() {
    let mut stage = Stage::new();
    let base = seats_of(&stage, &[0]);
    let items = |items: &[(engine::id::TicketTypeId, u32)]| HoldSeats {
        seats: Vec::new(),
        items: items.to_vec(),
        ..base.clone()
    };
    let unknown = engine::id::TicketTypeId(1);
    let own = stage.ticket_type;
    for (hold, refusal) in [
        (seats_of(&stage, &[]), Refusal::NothingWanted),
        (items(&[(own, 0)]), Refusal::NothingWanted),
        (items(&[(own, 5)]), Refusal::TooMany { limit: 4 }),
        (items(&[(own, u32::MAX), (own, u32::MAX)]), Refusal::TooMany { limit: 4 }),
        (seats_of(&stage, &[0, 1, 2, 3, 4]), Refusal::TooMany { limit: 4 }),
        (seats_of(&stage, &[1, 0, 1]), Refusal::SeatRepeated),
        (seats_of(&stage, &[3]), Refusal::SeatUnknown),
        (seats_of(&stage, &[u32::MAX]), Refusal::SeatUnknown),
        (items(&[(unknown, 1)]), Refusal::TicketTypeUnknown),
        (HoldSeats { stated_total: Some(Won(1)), ..base.clone() }, Refusal::TotalDiffers { expected: 10_000 }),
        (HoldSeats { event: engine::id::EventId(1), ..base.clone() }, Refusal::EventUnknown),
    ] {
        assert_eq!(stage.run(&hold), Err(refusal), "{hold:?}");
    }
    assert_eq!(stage.store.claims().count(), 0);
}

#[test]
fn a_job_is_taken_by_one_and_comes_up_again_until_it_is_done() {
    let mut stage = Stage::new();
    stage.hold();
    stage.open();
    stage.done(&stage.charge(stage.buyer, SandboxOutcome::Approve));
    stage.done(&CancelReservation { reservation: stage.reservation, by: Canceller::House });
    let jobs: Vec<_> = stage.store.jobs().map(|job| job.id).collect();
    let take = TakeJobs { jobs: jobs.clone(), lease: Span(10) };
    assert_eq!(stage.done(&take).len(), 1);
    assert_eq!(stage.done(&take).len(), 0, "it is in somebody's hands");
    stage.wait(Span(10));
    assert_eq!(stage.done(&take)[0].attempts, 2, "who took it died");
    stage.wait(Span(9));
    assert_eq!(stage.done(&take).len(), 0, "and whoever has it now has it as long");
    let put_off = |untried| PutOffJobs { jobs: jobs.clone(), by: Span(5), untried };
    for (untried, attempts) in [(true, 2), (false, 3)] {
        stage.done(&put_off(untried));
        stage.wait(Span(5));
        assert_eq!(stage.done(&take)[0].attempts, attempts, "what was not tried is no attempt");
    }
    for _ in 0..2 {
        stage.done(&FinishJobs { jobs: jobs.clone() });
    }
    stage.wait(Span::seconds(100));
    assert_eq!(stage.done(&take).len(), 0);
}
