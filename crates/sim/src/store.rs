//! A store in memory that does what a durable one does: it loads the rows a command asks for, commits a
//! batch in one piece, and may crash around the commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::catalogue::Event;
use engine::command::{Command, Context, Fact, Stop};
use engine::holds::{Holdings, Reservation, Unpaid};
use engine::id::{
    DeliveryId, EventId, JobId, LaneId, MessageId, Mint, MovieTicketId, PaymentId, ReservationId, TicketTypeId,
    TransferId, UserId, WebhookId,
};
use engine::jobs::Job;
use engine::lanes::{Lane, Place, Waiter};
use engine::messages::Message;
use engine::movie::MovieTicket;
use engine::payments::Payment;
use engine::people::User;
use engine::refusal::Refusal;
use engine::seats::{Claim, Portion, Stock};
use engine::stream::Cursor;
use engine::time::Time;
use engine::wallet::{Transfer, Wallet};
use engine::webhooks::{Delivery, Sequence, Webhook};
use engine::world::{Key, Row, World};

/// What is wrong with a store, to prove that the audit notices. Nothing, as a rule.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// Rows that are there, but loaded as if they were not.
    pub blind: fn(&Key) -> bool,
    /// Rows whose changes are forgotten on commit.
    pub forgets: fn(&Key) -> bool,
    /// Whether a crash leaves a part of the batch behind.
    pub tears: bool,
}

impl Fault {
    /// A store that works.
    pub const NONE: Fault = Fault { blind: |_| false, forgets: |_| false, tears: false };
}

/// The rows, as they are on disk.
#[derive(Debug)]
pub struct Store {
    rows: BTreeMap<Key, Row>,
    reservations_of: BTreeMap<(UserId, EventId), BTreeSet<ReservationId>>,
    portions_of: BTreeMap<TicketTypeId, BTreeSet<ReservationId>>,
    stream: Vec<Fact>,
    fault: Fault,
}

/// What a batch changed: the rows as they are to be (`None`: gone), and the facts.
#[derive(Debug, Default)]
pub struct Changes {
    /// By key.
    pub rows: Vec<(Key, Option<Row>)>,
    /// In order.
    pub facts: Vec<Fact>,
}

/// Commands that are decided at one moment, each seeing what the ones before it changed.
pub struct Batch<'a> {
    store: &'a Store,
    world: World,
    cx: Context,
    facts: Vec<Fact>,
}

macro_rules! kinds {
    ($($slots:ident: $kind:ident,)+) => {
        fn load(world: &mut World, key: Key, row: Option<Row>) {
            match (key, row) {
                $(
                    (Key::$kind(key), Some(Row::$kind(row))) => world.$slots.load(key, Some(row)),
                    (Key::$kind(key), _) => world.$slots.load(key, None),
                )+
            }
        }

        fn changed(world: &World) -> Vec<(Key, Option<Row>)> {
            let mut changed = Vec::new();
            $(changed.extend(
                world.$slots.dirty().map(|(key, slot)| (Key::$kind(key.clone()), slot.row.clone().map(Row::$kind))),
            );)+
            changed
        }
    };
}

kinds! {
    emails: Email,
    users: User,
    revoked_tokens: RevokedToken,
    events: Event,
    holdings: Holdings,
    unpaid: Unpaid,
    gateway_events: GatewayEvent,
    reservations: Reservation,
    payments: Payment,
    wallets: Wallet,
    stocks: Stock,
    portions: Portion,
    claims: Claim,
    transfers: Transfer,
    movie_tickets: MovieTicket,
    jobs: Job,
    messages: Message,
    reminders: Reminder,
    webhooks: Webhook,
    sequences: Sequence,
    deliveries: Delivery,
    cursors: Cursor,
    lanes: Lane,
    waiters: Waiter,
    places: Place,
}

macro_rules! readers {
    ($($one:ident, $all:ident: $kind:ident($row:ty) by $key:ty;)+) => {
        impl Store {$(
            #[doc = concat!("The stored ", stringify!($kind), " under a key.")]
            #[must_use]
            pub fn $one(&self, key: $key) -> Option<&$row> {
                match self.rows.get(&Key::$kind(key))? {
                    Row::$kind(row) => Some(row),
                    _ => None,
                }
            }

            #[doc = concat!("Every stored ", stringify!($kind), ", in order of keys.")]
            pub fn $all(&self) -> impl Iterator<Item = &$row> {
                self.rows.values().filter_map(|row| match row {
                    Row::$kind(row) => Some(row),
                    _ => None,
                })
            }
        )+}
    };
}

readers! {
    user, users: User(User) by UserId;
    event, events: Event(Arc<Event>) by EventId;
    reservation, reservations: Reservation(Reservation) by ReservationId;
    payment, payments: Payment(Payment) by PaymentId;
    wallet, wallets: Wallet(Wallet) by UserId;
    stock, stocks: Stock(Stock) by TicketTypeId;
    portion, portions: Portion(Portion) by (ReservationId, TicketTypeId);
    claim, claims: Claim(Claim) by (EventId, u32);
    transfer, transfers: Transfer(Transfer) by TransferId;
    movie_ticket, movie_tickets: MovieTicket(MovieTicket) by MovieTicketId;
    job, jobs: Job(Job) by JobId;
    lane, lanes: Lane(Lane) by LaneId;
    waiter, waiters: Waiter(Waiter) by (LaneId, UserId);
    place, places: Place(Place) by (LaneId, i64);
    message, messages: Message(Message) by MessageId;
    webhook, webhooks: Webhook(Webhook) by WebhookId;
    sequence, sequences: Sequence(Sequence) by (WebhookId, EventId);
    delivery, deliveries: Delivery(Delivery) by DeliveryId;
    cursor, cursors: Cursor(Cursor) by String;
}

impl Store {
    /// An empty store.
    #[must_use]
    pub fn new(fault: Fault) -> Self {
        let (rows, reservations_of, portions_of) = Default::default();
        Self { rows, reservations_of, portions_of, stream: Vec::new(), fault }
    }

    /// Every fact ever committed, in order.
    #[must_use]
    pub fn stream(&self) -> &[Fact] {
        &self.stream
    }

    /// The places of a lane, by number.
    pub fn places_of(&self, lane: LaneId) -> impl Iterator<Item = &Place> {
        let all = Key::Place((lane, i64::MIN))..=Key::Place((lane, i64::MAX));
        self.rows.range(all).filter_map(|(_, row)| match row {
            Row::Place(place) => Some(place),
            _ => None,
        })
    }

    /// Starts a batch at a moment, its ids made from 64 bits of entropy.
    #[must_use]
    pub fn batch(&self, now: Time, entropy: u64) -> Batch<'_> {
        let cx = Context { now, mint: Mint::new(now, entropy) };
        Batch { store: self, world: World::default(), cx, facts: Vec::new() }
    }

    /// Makes the changes of a batch durable: all of them at once.
    pub fn commit(&mut self, changes: Changes) {
        let forgets = self.fault.forgets;
        changes.rows.into_iter().filter(|(key, _)| !forgets(key)).for_each(|(key, row)| self.write(key, row));
        self.stream.extend(changes.facts);
    }

    /// Dies before the commit: the batch is lost (by a faulty store, only half of it).
    pub fn crash(&mut self, mut changes: Changes) {
        if self.fault.tears {
            changes.rows.truncate(changes.rows.len() / 2);
            changes.facts.clear();
            self.commit(changes);
        }
    }

    fn write(&mut self, key: Key, row: Option<Row>) {
        match &row {
            Some(Row::Reservation(own)) => {
                self.reservations_of.entry((own.user, own.event)).or_default().insert(own.id);
            }
            Some(Row::Portion(own)) => {
                self.portions_of.entry(own.key.1).or_default().insert(own.key.0);
            }
            _ => {}
        }
        match row {
            Some(row) => self.rows.insert(key, row),
            None => self.rows.remove(&key),
        };
    }

    fn read(&self, key: &Key, now: Time) -> Option<Row> {
        if (self.fault.blind)(key) {
            return None;
        }
        match key {
            Key::Holdings(of) => Some(Row::Holdings(self.holdings(*of))),
            Key::Unpaid(user) => Some(Row::Unpaid(self.unpaid(*user))),
            Key::Stock(id) => {
                let lapsed = self.lapsed(*id, now);
                self.stock(*id).map(|stock| Row::Stock(Stock { lapsed, ..stock.clone() }))
            }
            key => self.rows.get(key).cloned(),
        }
    }

    fn holdings(&self, of: (UserId, EventId)) -> Holdings {
        let mut holdings = Holdings { of, held: BTreeMap::new() };
        let own = self.reservations_of.get(&of).into_iter().flatten();
        own.filter_map(|id| self.reservation(*id)).for_each(|own| holdings.count(own));
        holdings
    }

    fn unpaid(&self, user: UserId) -> Unpaid {
        let mut unpaid = Unpaid { user, held: BTreeMap::new() };
        let own = self.reservations_of.range((user, EventId(0))..=(user, EventId(u128::MAX)));
        let own = own.flat_map(|(_, ids)| ids).filter_map(|id| self.reservation(*id));
        own.for_each(|own| unpaid.count(own));
        unpaid
    }

    /// How many tickets of a type are in portions whose time has passed.
    #[must_use]
    pub fn lapsed(&self, ticket_type: TicketTypeId, now: Time) -> u32 {
        let holders = self.portions_of.get(&ticket_type).into_iter().flatten();
        let portions = holders.filter_map(|holder| self.portion((*holder, ticket_type)));
        let lapsed = portions.filter(|own| own.until != Time::NEVER && own.until <= now);
        lapsed.map(|own| own.quantity).sum()
    }
}

impl Batch<'_> {
    /// Decides one command, loading what it asks for until it is content. A refusal leaves no trace.
    ///
    /// # Errors
    /// The refusal.
    pub fn run<C: Command>(&mut self, command: &C) -> Result<C::Reply, Refusal> {
        loop {
            let mut cx = self.cx.clone();
            match command.decide(&self.world, &mut cx) {
                Ok(decision) => {
                    self.cx = cx;
                    self.world.apply(decision.changes);
                    self.facts.extend(decision.facts);
                    return Ok(decision.reply);
                }
                Err(Stop::Refused(refusal)) => return Err(refusal),
                Err(Stop::Missing(keys)) => keys.into_iter().for_each(|key| self.load(key)),
            }
        }
    }

    /// Ends the batch: what it changed, still to be committed.
    #[must_use]
    pub fn close(self) -> Changes {
        Changes { rows: changed(&self.world), facts: self.facts }
    }

    fn load(&mut self, key: Key) {
        let row = self.store.read(&key, self.cx.now);
        load(&mut self.world, key, row);
    }
}
