//! Who may be who, and what an event may be: every rule once kept and once broken.

mod stage;

use engine::catalogue::layout::{Numbers, SeatRow};
use engine::catalogue::{Billing, CreateEvent, DeleteEvent, NewOffer, NewTicketType, UpdateEvent};
use engine::id::UserId;
use engine::money::Won;
use engine::people::{AdoptUser, RegisterUser, RevokeToken, Role, SetRole};
use engine::refusal::Refusal;
use engine::time::Time;
use engine::wallet::TopUp;
use engine::world::Key;
use stage::{Stage, billing, offer};

fn register(email: &str) -> RegisterUser {
    let (email, name) = (email.to_owned(), "이름".to_owned());
    RegisterUser { email, password_hash: Some("$argon2id$".to_owned()), name, phone: None, role: Role::User }
}

#[test]
fn an_address_belongs_to_one_person_whatever_its_case() {
    let mut stage = Stage::new();
    let user = stage.done(&register(" Kim@Example.com "));
    assert_eq!(user.email, "Kim@Example.com");
    for same in ["kim@example.com", "KIM@EXAMPLE.COM", "Kim@Example.com\n"] {
        assert_eq!(stage.run(&register(same)), Err(Refusal::EmailTaken), "{same:?}");
    }
    assert!(stage.run(&register("kim2@example.com")).is_ok());
}

#[test]
fn a_person_of_another_service_is_made_once_and_takes_nobodys_address() {
    let mut stage = Stage::new();
    let own = stage.done(&register("kim@example.com"));
    let adopt = AdoptUser { id: UserId(7), email: "kim@example.com".to_owned(), role: Role::User };
    let first = stage.done(&adopt);
    assert_eq!((first.id, first.name.as_str()), (UserId(7), "kim"));
    let again = stage.done(&AdoptUser { role: Role::Admin, email: "lee@example.com".to_owned(), ..adopt });
    assert_eq!(again, first, "the first sight counts");
    assert_eq!(stage.store.user(own.id).map(|user| &user.email), Some(&own.email));
    assert_eq!(stage.run(&register("kim@example.com")), Err(Refusal::EmailTaken));
    assert!(stage.run(&register("lee@example.com")).is_ok());
}

#[test]
fn a_role_changes_and_the_password_only_when_given() {
    let mut stage = Stage::new();
    let user = stage.done(&register("kim@example.com"));
    let change = SetRole { user: user.id, role: Role::Admin, password_hash: None };
    let changed = stage.done(&change);
    assert_eq!((changed.role, &changed.password_hash), (Role::Admin, &user.password_hash));
    let changed = stage.done(&SetRole { password_hash: Some("new".to_owned()), ..change.clone() });
    assert_eq!(changed.password_hash.as_deref(), Some("new"));
    assert_eq!(stage.run(&SetRole { user: UserId(1), ..change }), Err(Refusal::UserUnknown));
}

#[test]
fn a_token_is_revoked_once() {
    let mut stage = Stage::new();
    let revoke = RevokeToken { token: 5, expires_at: Time(10) };
    for due in [1, 0] {
        let mut batch = stage.store.batch(stage.now, 1);
        batch.run(&revoke).expect("it may always be revoked");
        let changes = batch.close();
        let written = changes.rows.iter().filter(|(key, _)| *key == Key::RevokedToken(5)).count();
        assert_eq!(written, due);
        stage.store.commit(changes);
    }
}

#[test]
fn a_top_up_is_a_sensible_amount_for_a_known_person() {
    let mut stage = Stage::new();
    let user = stage.buyer;
    for amount in [0, -1, i64::MIN, Won::MOST.0 + 1, i64::MAX] {
        assert_eq!(stage.run(&TopUp { user, amount: Won(amount) }), Err(Refusal::AmountInvalid), "{amount}");
    }
    assert!(stage.run(&TopUp { user, amount: Won::MOST }).is_ok());
    assert_eq!(stage.run(&TopUp { user: UserId(1), amount: Won(1) }), Err(Refusal::UserUnknown));
}

fn create(stage: &Stage) -> CreateEvent {
    CreateEvent { editor: stage.organizer, billing: billing(), offer: offer(), publish: true }
}

#[test]
fn only_organizers_and_admins_make_events() {
    for (role, may) in [(Role::User, false), (Role::Organizer, true), (Role::Admin, true)] {
        let mut stage = Stage::new();
        let mut create = create(&stage);
        create.editor.role = role;
        assert_eq!(stage.run(&create).is_ok(), may, "{role:?}");
    }
}

/// The field that is named, and what spoils it.
type Fault<T> = (&'static str, fn(&mut T));

#[test]
fn an_event_with_a_fault_is_refused_by_the_name_of_the_field() {
    let faults: [Fault<Billing>; 8] = [
        ("title", |b| b.title = " ".to_owned()),
        ("title", |b| b.title = "가".repeat(201)),
        ("description", |b| b.description = "가".repeat(20_001)),
        ("end_date", |b| b.ends_at = b.starts_at),
        ("sale_end", |b| (b.sale_opens, b.sale_closes) = (Some(Time(5)), Some(Time(5)))),
        ("max_per_user", |b| b.max_per_user = Some(0)),
        ("tags", |b| b.tags = vec![String::new(); 51]),
        ("tags", |b| b.tags = vec!["가".repeat(101)]),
    ];
    for (field, spoil) in faults {
        let mut stage = Stage::new();
        let mut create = create(&stage);
        spoil(&mut create.billing);
        assert_eq!(stage.run(&create).map(|_| ()).map_err(field_of), Err(field));
    }
}

fn field_of(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::EventInvalid { field, .. } => field,
        _ => "another refusal",
    }
}

#[test]
fn an_offer_with_a_fault_is_refused_by_the_name_of_the_field() {
    let faults: [Fault<NewOffer>; 14] = [
        ("total_seats", |o| *o = bare(None, Some((1, 2)))),
        ("min_price", |o| *o = bare(Some(10), None)),
        ("max_price", |o| *o = bare(Some(10), Some((2, 1)))),
        ("total_seats", |o| *o = bare(Some(0), Some((1, 2)))),
        ("seating", |o| *o = bare(Some(200_001), Some((1, 2)))),
        ("seating", |o| *o = bare(Some(10), Some((-2, -1)))),
        ("total_seats", |o| o.total = Some(9)),
        ("max_price", |o| o.prices = Some((Won(2), Won(1)))),
        ("min_price", |o| o.prices = Some((Won(-1), Won(1)))),
        ("seating", |o| o.rows.push(row("1", 1))),
        ("seating", |o| o.rows = vec![row("1", 150_000), row("2", 50_001)]),
        ("ticket_types", |o| o.types[0].name = " ".to_owned()),
        ("ticket_types", |o| o.types[0].quantity = 0),
        ("ticket_types", |o| o.types = vec![standing(Won(1)); 51]),
    ];
    for (number, (field, spoil)) in faults.into_iter().enumerate() {
        let mut stage = Stage::new();
        let mut create = create(&stage);
        spoil(&mut create.offer);
        assert_eq!(stage.run(&create).map(|_| ()).map_err(field_of), Err(field), "fault {number}");
    }
}

fn bare(total: Option<u32>, prices: Option<(i64, i64)>) -> NewOffer {
    let prices = prices.map(|(lowest, highest)| (Won(lowest), Won(highest)));
    NewOffer { rows: Vec::new(), types: Vec::new(), total, prices }
}

fn row(label: &str, seats: u32) -> SeatRow {
    SeatRow { section: "A".to_owned(), label: label.to_owned(), price: Won(1), numbers: Numbers::UpTo(seats) }
}

fn standing(price: Won) -> NewTicketType {
    NewTicketType { name: "스탠딩".to_owned(), price, quantity: 1, description: None }
}

#[test]
fn the_prices_of_an_offer_are_those_of_its_places_unless_stated() {
    let mut stage = Stage::new();
    for (stated, due) in [(None, (5_000, 10_000)), (Some((Won(1), Won(2))), (1, 2))] {
        let mut create = create(&stage);
        create.offer.prices = stated;
        let offer = stage.done(&create).offer.clone();
        assert_eq!((offer.min_price.0, offer.max_price.0, offer.total()), (due.0, due.1, 8));
    }
}

#[test]
fn a_draft_takes_its_stock_with_it_and_a_new_offer_replaces_it() {
    let mut stage = Stage::with(false, billing());
    let (editor, event, old) = (stage.organizer, stage.event, stage.ticket_type);
    let update = UpdateEvent { editor, event, version: 1, billing: billing(), offer: Some(offer()) };
    let new = stage.done(&update).offer.types[0].id;
    assert!(stage.store.stock(old).is_none());
    assert_eq!(stage.store.stock(new).map(|own| own.quantity), Some(5));
    stage.done(&DeleteEvent { editor, event });
    assert!(stage.store.stock(new).is_none() && stage.store.event(event).is_none());
}
