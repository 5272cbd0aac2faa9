//! Every state of a reservation, a payment and an event under every command: what comes of it stands in
//! `tables/*.txt`, a line a transition. `MAEPYO_UPDATE_TABLES=1` writes the files anew, to be read before they count.

mod stage;

use engine::catalogue::{CancelEvent, DeleteEvent, Editor, PublishEvent, UpdateEvent};
use engine::command::{Command, Fact};
use engine::holds::{CancelReservation, Canceller, ExpireReservation, Standing, Tender};
use engine::id::UserId;
use engine::payments::{
    AttachIntent, CancelPayment, CompleteRefund, ConfirmReservation, News, PaymentState, Refund, RetryRefund,
    SandboxOutcome,
};
use engine::people::Role;
use engine::seats::SeatStatus;
use engine::tickets::Admit;
use engine::time::Span;
use engine::wallet::Account;
use stage::{HOLD, Stage, billing, offer};

type Given = (&'static str, fn() -> Stage);
type When = (&'static str, fn(&mut Stage) -> String);

/// Compares a table with its file.
fn check(name: &str, given: &[Given], when: &[When]) {
    let path = format!("{}/tests/tables/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    let table: String = given.iter().flat_map(|state| when.iter().map(move |command| line(state, command))).collect();
    if std::env::var_os("MAEPYO_UPDATE_TABLES").is_some() {
        std::fs::write(&path, &table).expect("the folder of the tables can be written");
    }
    let expected = std::fs::read_to_string(&path).expect("the table is there");
    for (is, due) in table.lines().zip(expected.lines()) {
        assert_eq!(is, due, "in {name}");
    }
    assert_eq!(table.lines().count(), expected.lines().count());
}

fn line((state, arrange): &Given, (command, act): &When) -> String {
    let mut stage = arrange();
    let before = View::of(&stage);
    let answer = act(&mut stage);
    let what = before.changes_to(&View::of(&stage));
    assert!(answer.starts_with("done") || what.is_empty(), "a refusal changed {what:?}");
    format!("{state:<24}| {command:<22}| {}\n", [vec![answer], what].concat().join("; "))
}

/// Runs a command and names the answer: done, or the refusal.
fn act<C: Command>(stage: &mut Stage, command: &C) -> String {
    match stage.run(command) {
        Ok(_) => "done".to_owned(),
        Err(refusal) => format!("refused: {refusal}"),
    }
}

/// What a test looks at, in words.
struct View {
    states: [(&'static str, String); 6],
    jobs: Vec<String>,
    transfers: Vec<String>,
    facts: Vec<String>,
}

impl View {
    fn of(stage: &Stage) -> Self {
        let states = [
            ("event", event(stage)),
            ("reservation", reservation(stage)),
            ("seat", seat(stage)),
            ("stock", stock(stage)),
            ("payment", payment(stage)),
            ("wallet", stage.store.wallet(stage.buyer).map_or(0, |own| own.balance.0).to_string()),
        ];
        let jobs = stage.store.jobs().map(|job| {
            let text = format!("{:?}", job.errand);
            text.split('(').next().unwrap_or_default().to_owned()
        });
        let account = |account| match account {
            Account::Sales(_) => "Sales".to_owned(),
            Account::Wallet(_) => "Wallet".to_owned(),
            other => format!("{other:?}"),
        };
        let transfers = stage
            .store
            .transfers()
            .map(|own| format!("{} from {} to {}", own.amount.0, account(own.debit), account(own.credit)));
        Self {
            states,
            jobs: jobs.collect(),
            transfers: transfers.collect(),
            facts: stage.store.stream().iter().map(fact).collect(),
        }
    }

    fn changes_to(&self, after: &Self) -> Vec<String> {
        let changed = self.states.iter().zip(&after.states).filter(|(old, new)| old != new);
        let mut all: Vec<String> = changed.map(|(old, new)| format!("{}: {} → {}", old.0, old.1, new.1)).collect();
        all.extend(added(&self.transfers, &after.transfers));
        all.extend(added(&self.jobs, &after.jobs).into_iter().map(|job| format!("job {job}")));
        all.extend(after.facts[self.facts.len()..].iter().map(|fact| format!("fact {fact}")));
        all
    }
}

/// What is there now and was not before, sorted: ids within one batch are in no order.
fn added(before: &[String], after: &[String]) -> Vec<String> {
    let mut added = after.to_vec();
    for old in before {
        if let Some(place) = added.iter().position(|new| new == old) {
            added.remove(place);
        }
    }
    added.sort();
    added
}

fn event(stage: &Stage) -> String {
    let event = stage.store.event(stage.event);
    event.map_or("gone".to_owned(), |own| format!("{} v{}", own.status.word(), own.version))
}

fn reservation(stage: &Stage) -> String {
    let Some(own) = stage.store.reservation(stage.reservation) else { return "none".to_owned() };
    match own.standing {
        Standing::Pending { until } if until > stage.now => "pending".to_owned(),
        Standing::Pending { .. } => "lapsed".to_owned(),
        Standing::Confirmed { admitted_at: Some(_), .. } => "admitted".to_owned(),
        Standing::Confirmed { tender: Tender::Card(_), .. } => "confirmed by card".to_owned(),
        Standing::Confirmed { tender: Tender::Wallet(_), .. } => "confirmed by wallet".to_owned(),
        Standing::Cancelled { refund, .. } => format!("cancelled, {} back", refund.0),
        Standing::Expired { .. } => "expired".to_owned(),
    }
}

fn seat(stage: &Stage) -> String {
    let Some(claim) = stage.store.claim((stage.event, 0)) else { return "untouched".to_owned() };
    let whose = if claim.reservation == stage.reservation { "ours" } else { "another's" };
    match SeatStatus::at(claim.until, stage.now) {
        SeatStatus::Free => "free".to_owned(),
        SeatStatus::Held => format!("held, {whose}"),
        SeatStatus::Sold => format!("sold, {whose}"),
    }
}

fn stock(stage: &Stage) -> String {
    let Some(own) = stage.store.stock(stage.ticket_type) else { return "gone".to_owned() };
    let lapsed = stage.store.lapsed(stage.ticket_type, stage.now);
    format!("{} sold {} held {lapsed} lapsed", own.sold, own.held)
}

fn payment(stage: &Stage) -> String {
    let Some(own) = stage.store.payment(stage.payment) else { return "none".to_owned() };
    match &own.state {
        PaymentState::Open(step) => format!("open {step:?}"),
        PaymentState::Succeeded { refund: Refund::None, .. } => "taken".to_owned(),
        PaymentState::Succeeded { refund: Refund::Requested, .. } => "refund requested".to_owned(),
        PaymentState::Succeeded { refund: Refund::Done { .. }, .. } => "refunded".to_owned(),
        PaymentState::Succeeded { refund: Refund::Failed { .. }, .. } => "refund failed".to_owned(),
        PaymentState::Canceled { .. } => "canceled".to_owned(),
    }
}

fn fact(fact: &Fact) -> String {
    match fact {
        Fact::Cancelled { freed, .. } => format!("Cancelled, freed {freed:?}"),
        Fact::Expired { freed, .. } => format!("Expired, freed {freed:?}"),
        other => format!("{other:?}").split('(').next().unwrap_or_default().to_owned(),
    }
}

// ---- reservations -------------------------------------------------------------------------------------------

fn held() -> Stage {
    let mut stage = Stage::new();
    stage.hold();
    stage
}

fn open() -> Stage {
    let mut stage = held();
    stage.open();
    stage
}

fn taken() -> Stage {
    let mut stage = open();
    stage.take();
    stage
}

/// The time of the hold passes: to the microsecond.
fn lapsed(mut stage: Stage) -> Stage {
    stage.wait(HOLD);
    stage
}

fn expired(stage: Stage) -> Stage {
    let mut stage = lapsed(stage);
    stage.done(&ExpireReservation { reservation: stage.reservation });
    stage
}

/// Somebody else holds the same seat.
fn lost(mut stage: Stage) -> Stage {
    stage.done(&stage.hold_by(stage.other));
    stage
}

fn by_card() -> Stage {
    let mut stage = taken();
    stage.done(&stage.news(Stage::success()));
    stage
}

fn by_wallet(mut stage: Stage) -> Stage {
    stage.done(&stage.pay_by_wallet(stage.buyer));
    stage
}

fn admitted() -> Stage {
    let mut stage = by_card();
    stage.done(&Admit { reservation: stage.reservation });
    stage
}

fn cancelled(mut stage: Stage) -> Stage {
    stage.done(&CancelReservation { reservation: stage.reservation, by: Canceller::House });
    stage
}

fn called_off(mut stage: Stage) -> Stage {
    stage.done(&CancelEvent { editor: stage.organizer, event: stage.event });
    stage
}

const RESERVATIONS: &[Given] = &[
    ("live", held),
    ("live, open", open),
    ("live, taken", taken),
    ("lapsed", || lapsed(held())),
    ("lapsed, open", || lapsed(open())),
    ("lapsed, taken", || lapsed(taken())),
    ("lapsed, open, lost", || lost(lapsed(open()))),
    ("lapsed, taken, lost", || lost(lapsed(taken()))),
    ("confirmed by card", by_card),
    ("admitted", admitted),
    ("confirmed by wallet", || by_wallet(held())),
    ("by wallet, taken too", || by_wallet(taken())),
    ("cancelled", || cancelled(held())),
    ("cancelled, open", || cancelled(open())),
    ("cancelled, taken", || cancelled(taken())),
    ("cancelled, paid by card", || cancelled(by_card())),
    ("cancelled, by wallet", || cancelled(by_wallet(held()))),
    ("expired", || expired(held())),
    ("expired, open", || expired(open())),
    ("expired, taken", || expired(taken())),
    ("expired, open, lost", || lost(expired(open()))),
    ("called off, open", || called_off(open())),
    ("called off, taken", || called_off(taken())),
    ("called off, by card", || called_off(by_card())),
];

fn confirm(stage: &Stage, user: UserId) -> ConfirmReservation {
    ConfirmReservation { user, reservation: stage.reservation, payment: stage.payment }
}

/// Confirms with a payment that was made for another reservation.
fn confirm_with_foreign(stage: &mut Stage) -> String {
    let (reservation, payment) = (stage.reservation, stage.payment);
    let mut hold = stage.hold_by(stage.buyer);
    (hold.seats, hold.items, hold.stated_total) = (vec![2], Vec::new(), None);
    let Ok(made) = stage.run(&hold) else { return "no other can be held".to_owned() };
    let open =
        engine::payments::OpenPayment { reservation: made[0].id, amount: made[0].total, ..stage.open_by(stage.buyer) };
    stage.payment = stage.done(&open).id;
    stage.take();
    let command = confirm(stage, stage.buyer);
    (stage.reservation, stage.payment) = (reservation, payment);
    let before = View::of(stage);
    let answer = act(stage, &ConfirmReservation { reservation, ..command });
    assert!(before.changes_to(&View::of(stage)).is_empty(), "a foreign payment changed something");
    format!("done so far, then {answer}")
}

fn cancel(stage: &mut Stage, by: Canceller) -> String {
    act(stage, &CancelReservation { reservation: stage.reservation, by })
}

fn news(stage: &mut Stage, news: News) -> String {
    act(stage, &stage.news(news))
}

const ON_RESERVATIONS: &[When] = &[
    ("hold by another", |s| act(s, &s.hold_by(s.other))),
    ("open payment", |s| act(s, &s.open_by(s.buyer))),
    ("open by another", |s| act(s, &s.open_by(s.other))),
    ("confirm", |s| act(s, &confirm(s, s.buyer))),
    ("confirm by another", |s| act(s, &confirm(s, s.other))),
    ("confirm, foreign", confirm_with_foreign),
    ("wallet", |s| act(s, &s.pay_by_wallet(s.buyer))),
    ("wallet of another", |s| act(s, &s.pay_by_wallet(s.other))),
    ("cancel", |s| cancel(s, Canceller::Buyer(s.buyer))),
    ("cancel by another", |s| cancel(s, Canceller::Buyer(s.other))),
    ("cancel by the house", |s| cancel(s, Canceller::House)),
    ("expire", |s| act(s, &ExpireReservation { reservation: s.reservation })),
    ("admit", |s| act(s, &Admit { reservation: s.reservation })),
    ("news succeeded", |s| news(s, Stage::success())),
    ("news failed", |s| news(s, News::Failed)),
    ("news action required", |s| news(s, News::ActionRequired)),
    ("news processing", |s| news(s, News::Processing)),
    ("news canceled", |s| news(s, News::Canceled)),
    ("news refunded", |s| news(s, News::Refunded)),
];

#[test]
fn every_command_on_every_standing_of_a_reservation() {
    check("reservation", RESERVATIONS, ON_RESERVATIONS);
}

// ---- payments -----------------------------------------------------------------------------------------------

fn after_news(news: News) -> Stage {
    let mut stage = open();
    stage.done(&stage.news(news));
    stage.wait(Span::seconds(1));
    stage
}

fn refunded() -> Stage {
    let mut stage = cancelled(by_card());
    stage.done(&CompleteRefund { payment: stage.payment });
    stage
}

fn failed(mut stage: Stage) -> Stage {
    stage.done(&stage.news(News::RefundFailed));
    stage
}

fn canceled() -> Stage {
    let mut stage = open();
    stage.done(&CancelPayment { user: None, payment: stage.payment });
    stage
}

const PAYMENTS: &[Given] = &[
    ("open, method", open),
    ("open, action", || after_news(News::ActionRequired)),
    ("open, processing", || after_news(News::Processing)),
    ("taken, unsettled", taken),
    ("taken, settled", by_card),
    ("refund requested", || cancelled(by_card())),
    ("refunded", refunded),
    ("refund failed", || failed(cancelled(by_card()))),
    ("refunded, came back", || failed(refunded())),
    ("canceled", canceled),
];

fn charge(stage: &mut Stage, outcome: SandboxOutcome) -> String {
    act(stage, &stage.charge(stage.buyer, outcome))
}

fn cancel_payment(stage: &mut Stage, user: Option<UserId>) -> String {
    act(stage, &CancelPayment { user, payment: stage.payment })
}

fn attach(stage: &mut Stage) -> String {
    let (reference, client_secret) = ("pi_1".to_owned(), "secret".to_owned());
    act(stage, &AttachIntent { payment: stage.payment, reference, client_secret })
}

const ON_PAYMENTS: &[When] = &[
    ("charge, approved", |s| charge(s, SandboxOutcome::Approve)),
    ("charge, declined", |s| charge(s, SandboxOutcome::Decline)),
    ("charge, challenged", |s| charge(s, SandboxOutcome::Challenge)),
    ("charge by another", |s| act(s, &s.charge(s.other, SandboxOutcome::Approve))),
    ("cancel", |s| cancel_payment(s, Some(s.buyer))),
    ("cancel by another", |s| cancel_payment(s, Some(s.other))),
    ("cancel by the house", |s| cancel_payment(s, None)),
    ("attach intent", attach),
    ("open payment", |s| act(s, &s.open_by(s.buyer))),
    ("news succeeded", |s| news(s, Stage::success())),
    ("news failed", |s| news(s, News::Failed)),
    ("news action required", |s| news(s, News::ActionRequired)),
    ("news processing", |s| news(s, News::Processing)),
    ("news canceled", |s| news(s, News::Canceled)),
    ("news refunded", |s| news(s, News::Refunded)),
    ("news refund failed", |s| news(s, News::RefundFailed)),
    ("complete refund", |s| act(s, &CompleteRefund { payment: s.payment })),
    ("retry refund", |s| act(s, &RetryRefund { payment: s.payment })),
];

#[test]
fn every_command_on_every_state_of_a_payment() {
    check("payment", PAYMENTS, ON_PAYMENTS);
}

// ---- events -------------------------------------------------------------------------------------------------

fn draft() -> Stage {
    Stage::with(false, billing())
}

fn opening_later() -> Stage {
    let now = Stage::new().now;
    Stage::with(true, engine::catalogue::Billing { sale_opens: Some(now + Span(1)), ..billing() })
}

fn opening_now() -> Stage {
    let now = Stage::new().now;
    Stage::with(true, engine::catalogue::Billing { sale_opens: Some(now), ..billing() })
}

fn closing_now() -> Stage {
    let now = Stage::new().now;
    Stage::with(true, engine::catalogue::Billing { sale_closes: Some(now), ..billing() })
}

const EVENTS: &[Given] = &[
    ("draft", draft),
    ("published", Stage::new),
    ("opens in a moment", opening_later),
    ("opens at this moment", opening_now),
    ("closes at this moment", closing_now),
    ("published, held", held),
    ("cancelled", || called_off(Stage::new())),
];

fn publish(stage: &mut Stage, editor: Editor) -> String {
    act(stage, &PublishEvent { editor, event: stage.event })
}

fn update(stage: &mut Stage, behind: i64, offered: bool) -> String {
    let version = stage.store.event(stage.event).map_or(0, |event| event.version) - behind;
    let (editor, event) = (stage.organizer, stage.event);
    let offer = offered.then(offer);
    act(stage, &UpdateEvent { editor, event, version, billing: billing(), offer })
}

fn stranger(stage: &Stage) -> Editor {
    Editor { user: stage.other, role: Role::Organizer }
}

fn admin(stage: &Stage) -> Editor {
    Editor { user: stage.other, role: Role::Admin }
}

const ON_EVENTS: &[When] = &[
    ("publish", |s| publish(s, s.organizer)),
    ("publish by a stranger", |s| publish(s, stranger(s))),
    ("publish by an admin", |s| publish(s, admin(s))),
    ("publish by a user", |s| publish(s, Editor { role: Role::User, ..s.organizer })),
    ("update", |s| update(s, 0, false)),
    ("update, outdated", |s| update(s, 1, false)),
    ("update with an offer", |s| update(s, 0, true)),
    ("cancel", |s| act(s, &CancelEvent { editor: s.organizer, event: s.event })),
    ("cancel by a stranger", |s| act(s, &CancelEvent { editor: stranger(s), event: s.event })),
    ("cancel by an admin", |s| act(s, &CancelEvent { editor: admin(s), event: s.event })),
    ("delete", |s| act(s, &DeleteEvent { editor: s.organizer, event: s.event })),
    ("delete by a stranger", |s| act(s, &DeleteEvent { editor: stranger(s), event: s.event })),
    ("hold", |s| act(s, &s.hold_by(s.other))),
];

#[test]
fn every_command_on_every_status_of_an_event() {
    check("event", EVENTS, ON_EVENTS);
}
