//! A small world for the tests: an event with three seats and five counted tickets, two people, and a store.

#![allow(dead_code, reason = "each test uses the part it needs")]

use engine::catalogue::layout::section;
use engine::catalogue::{Billing, CreateEvent, Editor, NewOffer, NewTicketType};
use engine::command::{Command, Context, Decision, Verdict};
use engine::holds::{HoldRules, HoldSeats, Reservation};
use engine::id::{EventId, PaymentId, ReservationId, TicketTypeId, UserId};
use engine::money::Won;
use engine::payments::{
    ChargeSandbox, Gateway, News, OpenPayment, Payment, PaymentState, ReceiveNews, Refund, SandboxOutcome,
};
use engine::people::{RegisterUser, Role};
use engine::refusal::Refusal;
use engine::time::{Span, Time};
use engine::wallet::{Account, PayFromWallet, TopUp, Transfer};
use engine::world::{Key, Row, World};
use sim::store::{Fault, Store};

/// How long a hold lasts.
pub const HOLD: Span = Span::seconds(600);
/// What [`Stage::hold`] holds: a seat at 10,000 and two tickets at 5,000.
pub const TOTAL: Won = Won(20_000);
/// What is in the buyer's wallet.
pub const WALLET: Won = Won(100_000);

/// The world.
pub struct Stage {
    pub store: Store,
    pub now: Time,
    batches: u64,
    pub organizer: Editor,
    pub buyer: UserId,
    pub other: UserId,
    pub event: EventId,
    pub ticket_type: TicketTypeId,
    /// The reservation a test is about.
    pub reservation: ReservationId,
    /// The payment a test is about.
    pub payment: PaymentId,
}

impl Stage {
    /// The event is on sale, and nobody has anything of it.
    pub fn new() -> Self {
        Self::with(true, billing())
    }

    /// As [`Stage::new`], the event published or not.
    pub fn with(publish: bool, billing: Billing) -> Self {
        let organizer = Editor { user: UserId(0), role: Role::Organizer };
        let mut stage = Self {
            store: Store::new(Fault::NONE),
            now: Time::from_millis(1_700_000_000_000),
            batches: 0,
            organizer,
            buyer: UserId(0),
            other: UserId(0),
            event: EventId(0),
            ticket_type: TicketTypeId(0),
            reservation: ReservationId(0),
            payment: PaymentId(0),
        };
        stage.organizer.user = stage.register("organizer@example.com");
        stage.buyer = stage.register("buyer@example.com");
        stage.other = stage.register("other@example.com");
        stage.top_up(stage.buyer);
        stage.top_up(stage.other);
        let create = CreateEvent { editor: stage.organizer, billing, offer: offer(), publish };
        let event = stage.done(&create);
        (stage.event, stage.ticket_type) = (event.id, event.offer.types[0].id);
        stage
    }

    /// Decides a command in a batch of its own, and commits it.
    pub fn run<C: Command>(&mut self, command: &C) -> Result<C::Reply, Refusal> {
        self.batches += 1;
        let mut batch = self.store.batch(self.now, self.batches);
        let reply = batch.run(command);
        let changes = batch.close();
        self.store.commit(changes);
        reply
    }

    /// As [`Stage::run`], of a command that is not refused.
    pub fn done<C: Command>(&mut self, command: &C) -> C::Reply {
        self.run(command).unwrap_or_else(|refusal| panic!("{} was refused: {refusal}", C::NAME))
    }

    fn register(&mut self, email: &str) -> UserId {
        let (email, name) = (email.to_owned(), "이름".to_owned());
        self.done(&RegisterUser { email, password_hash: None, name, phone: None, role: Role::User }).id
    }

    fn top_up(&mut self, user: UserId) {
        self.done(&TopUp { user, amount: WALLET });
    }

    pub fn wait(&mut self, span: Span) {
        self.now = self.now + span;
    }

    /// The hold the tests are about: the first seat and two tickets.
    pub fn hold_by(&self, user: UserId) -> HoldSeats {
        let rules = HoldRules { span: HOLD, most: 4, one_each: false, alone: false };
        let items = vec![(self.ticket_type, 2)];
        HoldSeats { user, event: self.event, seats: vec![0], items, stated_total: Some(TOTAL), rules }
    }

    /// The buyer holds.
    pub fn hold(&mut self) -> Reservation {
        let made = self.done(&self.hold_by(self.buyer)).remove(0);
        self.reservation = made.id;
        made
    }

    pub fn open_by(&self, user: UserId) -> OpenPayment {
        let (reservation, gateway) = (self.reservation, Gateway::Sandbox);
        OpenPayment { user, reservation, amount: TOTAL, gateway, client_secret: None }
    }

    /// The buyer opens a payment.
    pub fn open(&mut self) -> Payment {
        let payment = self.done(&self.open_by(self.buyer));
        self.payment = payment.id;
        payment
    }

    pub fn charge(&self, user: UserId, outcome: SandboxOutcome) -> ChargeSandbox {
        ChargeSandbox { user, payment: self.payment, method: "card".to_owned(), outcome }
    }

    /// The gateway has the money, and nobody has settled it: how programs before this one may have left a store.
    pub fn take(&mut self) {
        self.done(&TakeUnsettled { payment: self.payment });
    }

    pub fn news(&self, news: News) -> ReceiveNews {
        ReceiveNews {
            event: format!("evt {news:?} of {:?} at {:?}", self.payment, self.now),
            payment: self.payment,
            reservation: Some(self.reservation),
            news,
        }
    }

    pub fn success() -> News {
        News::Succeeded { method: "card".to_owned() }
    }

    pub fn pay_by_wallet(&self, user: UserId) -> PayFromWallet {
        PayFromWallet { user, reservations: vec![self.reservation], stated_total: Some(TOTAL) }
    }
}

/// See [`Stage::take`].
struct TakeUnsettled {
    payment: PaymentId,
}

impl Command for TakeUnsettled {
    type Reply = ();
    const NAME: &'static str = "TakeUnsettled";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<()> {
        world.need([Key::Payment(self.payment)])?;
        let open = world.payments.get(&self.payment).expect("it was opened").clone();
        let taken = Transfer {
            id: cx.mint.id(),
            at: cx.now,
            debit: Account::Gateway,
            credit: Account::Unsettled,
            amount: open.amount,
            reservation: Some(open.reservation),
            payment: Some(open.id),
        };
        let state = PaymentState::Succeeded { at: cx.now, method: "card".to_owned(), refund: Refund::None };
        Ok(Decision::new(()).put(Row::Payment(Payment { state, ..open })).put(Row::Transfer(taken)))
    }
}

pub fn billing() -> Billing {
    Billing {
        title: "공연".to_owned(),
        category: "concert".to_owned(),
        venue: "회관".to_owned(),
        location: "서울".to_owned(),
        starts_at: Time::from_millis(1_800_000_000_000),
        ends_at: Time::from_millis(1_800_010_000_000),
        ..Billing::default()
    }
}

pub fn offer() -> NewOffer {
    let name = "스탠딩".to_owned();
    let standing = NewTicketType { name, price: Won(5_000), quantity: 5, description: None };
    NewOffer { rows: section("A", 3, 10, Won(10_000)).collect(), types: vec![standing], total: None, prices: None }
}
