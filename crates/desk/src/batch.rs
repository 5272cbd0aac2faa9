//! One batch: load what its commands look at, decide them in order, write what they changed.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use engine::catalogue::Event;
use engine::command::{Context, Fact, Stop};
use engine::holds::{Holdings, Unpaid};
use engine::id::{EventId, LaneId, Mint, UserId};
use engine::lanes::Place;
use engine::seats::{Claim, Stock};
use engine::time::Time;
use engine::world::{Change, Key, Slots, World};
use futures_util::future::try_join_all;
use futures_util::try_join;

use crate::catalogue::{Catalogue, EventVersion};
use crate::entry::Entry;
use crate::gather::Attempt;
use crate::performer::{Performers, Taken};
use crate::store::{Lock, StoreError, Tx};
use crate::tables::{LaneNews, OutboxRow, StoredAnswer, Table};
use crate::value::{IntoValue as _, Kind, Value};

/// What a command changes, whatever it answers.
#[derive(Default)]
pub(crate) struct Effects {
    pub changes: Vec<Change>,
    pub facts: Vec<Fact>,
}

/// What a batch needs besides the store.
pub(crate) struct Surroundings<'a> {
    pub now: Time,
    pub seed: u64,
    pub node: i64,
    pub catalogue: &'a Catalogue,
    pub performers: &'a Performers,
}

/// What others are told once the batch is durable.
pub(crate) struct Changed {
    pub claims: Vec<Claim>,
    pub events: Vec<Arc<Event>>,
    pub gone: Vec<EventId>,
    /// Of which something was taken or given back.
    pub touched: BTreeSet<EventId>,
    /// Places of lanes, as they are now.
    pub places: Vec<Place>,
    /// What the event stream tells of it.
    pub entries: Vec<Entry>,
    /// The last position of these, where it is known with the commit; then all of them have theirs.
    pub end: Option<u64>,
    /// Jobs that were made, and taken up to be performed here.
    pub jobs: Vec<Taken>,
}

/// Works a batch off inside a transaction, and commits it.
pub(crate) async fn work<T: Tx>(
    tx: &T,
    batch: &mut [Box<dyn Attempt>],
    around: &Surroundings<'_>,
) -> Result<Changed, StoreError> {
    let mut cx = Context { now: around.now, mint: Mint::new(around.now, around.seed) };
    let keys = batch.iter().filter_map(|attempt| attempt.once()).map(|once| once.key.clone()).collect();
    let mut answers = load_answers(tx, keys).await?;
    let mut given = BTreeSet::new();
    let mut world = World::default();
    let mut facts = Vec::new();
    let mut next = 0;
    while let Some(attempt) = batch.get_mut(next) {
        if let Some((sql, params)) = attempt.chore() {
            let gone = tx.change(sql, params).await?;
            attempt.chore_done(gone);
        } else if let Some(once) = attempt.once()
            && let Some(Some(stored)) = answers.get(&once.key)
        {
            attempt.replay(&stored.clone());
        } else {
            match tried(attempt.as_mut(), &world, &mut cx) {
                Err(Stop::Missing(_)) => {
                    let keys = missing(&mut batch[next..], &world, &cx);
                    load(tx, &mut world, keys, around).await?;
                    continue;
                }
                Err(Stop::Refused(_)) => {}
                Ok(effects) => {
                    world.apply(effects.changes);
                    facts.extend(effects.facts);
                }
            }
            if let Some(answer) = attempt.answer(around.now) {
                given.insert(answer.key.clone());
                answers.insert(answer.key.clone(), Some(answer));
            }
        }
        next += 1;
    }
    let given: Vec<&StoredAnswer> = given.iter().filter_map(|key| answers.get(key)?.as_ref()).collect();
    let entries: Vec<Entry> = facts.iter().map(|fact| Entry::of(fact, &world, around.now)).collect();
    let jobs = around.performers.take(&mut world, &mut cx);
    let end = save(tx, &world, &given, &entries, around).await?;
    tx.commit().await?;
    Ok(changed(&world, entries, jobs, end))
}

async fn load_answers<T: Tx>(
    tx: &T,
    keys: BTreeSet<String>,
) -> Result<BTreeMap<String, Option<StoredAnswer>>, StoreError> {
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let keys: Vec<String> = keys.into_iter().collect();
    let found = tx.find::<StoredAnswer>(&keys, Lock::None).await?;
    let mut answers: BTreeMap<String, Option<StoredAnswer>> = keys.into_iter().map(|key| (key, None)).collect();
    for answer in found {
        answers.insert(answer.key.clone(), Some(answer));
    }
    Ok(answers)
}

/// The rows that commands look at and that are not there: loaded together, since each load is a journey to a database. What a
/// command looks at next may depend on what it sees then.
fn missing(batch: &mut [Box<dyn Attempt>], world: &World, cx: &Context) -> BTreeSet<Key> {
    let of = |attempt: &mut Box<dyn Attempt>| match tried(attempt.as_mut(), world, &mut cx.clone()) {
        Err(Stop::Missing(keys)) => keys,
        Ok(_) | Err(Stop::Refused(_)) => Vec::new(),
    };
    batch.iter_mut().flat_map(of).collect()
}

/// A fault in a rule stops its own command only: deciding changes nothing by itself.
fn tried(attempt: &mut dyn Attempt, world: &World, cx: &mut Context) -> Result<Effects, Stop> {
    catch_unwind(AssertUnwindSafe(|| attempt.decide(world, cx))).unwrap_or_else(|_| {
        attempt.broke();
        Ok(Effects::default())
    })
}

/// Fills the slots of these names with what was wanted and found under the same name.
macro_rules! fill_each {
    ($world:ident, $wanted:ident: $($slots:ident),+ $(,)?) => {
        $(fill(&mut $world.$slots, $wanted.$slots, $slots);)+
    };
}

/// Loads rows, in the order of their keys, which is the order of locks everywhere.
async fn load<T: Tx>(
    tx: &T,
    world: &mut World,
    keys: BTreeSet<Key>,
    around: &Surroundings<'_>,
) -> Result<(), StoreError> {
    let mut wanted = Wanted::default();
    keys.into_iter().for_each(|key| wanted.sort(key));
    let holders = wanted.holders();
    // Polled in this order, so sent in this order: the locks of all batches go the same way.
    let (
        emails,
        users,
        revoked_tokens,
        events,
        _,
        gateway_events,
        reservations,
        payments,
        wallets,
        stocks,
        portions,
        claims,
        transfers,
        movie_tickets,
        jobs,
    ) = try_join!(
        tx.find(&wanted.emails, Lock::None),
        tx.find(&wanted.users, Lock::None),
        tx.find(&wanted.revoked_tokens, Lock::None),
        tx.find::<EventVersion>(&wanted.events, Lock::Share),
        tx.find::<engine::people::User>(&holders, Lock::Update),
        tx.find(&wanted.gateway_events, Lock::None),
        tx.find(&wanted.reservations, Lock::Update),
        tx.find(&wanted.payments, Lock::Update),
        tx.find(&wanted.wallets, Lock::Update),
        tx.find(&wanted.stocks, Lock::Update),
        tx.find(&wanted.portions, Lock::None),
        tx.find(&wanted.claims, Lock::Update),
        tx.find(&wanted.transfers, Lock::None),
        tx.find(&wanted.movie_tickets, Lock::Update),
        tx.find(&wanted.jobs, Lock::Update),
    )?;
    fill_each!(
        world, wanted: emails, users, revoked_tokens, gateway_events, reservations, payments, wallets, portions, claims,
        transfers, movie_tickets, jobs,
    );
    let events = around.catalogue.resolve(tx, events).await?;
    fill(&mut world.events, wanted.events, events);
    let derived = Derived { stocks, holdings: wanted.holdings, unpaid: wanted.unpaid };
    let stocks = derived.load(tx, world, around.now).await?;
    fill(&mut world.stocks, wanted.stocks, stocks);
    load_beside(tx, world, wanted.beside).await
}

/// What is derived from many rows of what is locked by now, each by a query of its own.
struct Derived {
    stocks: Vec<Stock>,
    holdings: Vec<(UserId, EventId)>,
    unpaid: Vec<UserId>,
}

impl Derived {
    /// Loads all of it, asked for together. Gives the stocks, with what has lapsed of each.
    async fn load<T: Tx>(self, tx: &T, world: &mut World, now: Time) -> Result<Vec<Stock>, StoreError> {
        let Self { mut stocks, holdings: held, unpaid: owed } = self;
        let (gone, held, owed) = try_join!(
            try_join_all(stocks.iter().map(|stock| lapsed(tx, stock, now))),
            try_join_all(held.into_iter().map(|of| holdings(tx, of))),
            try_join_all(owed.into_iter().map(|user| unpaid(tx, user, now))),
        )?;
        stocks.iter_mut().zip(gone).for_each(|(stock, gone)| stock.lapsed = gone);
        held.into_iter().for_each(|holdings| world.load_holdings(holdings));
        owed.into_iter().for_each(|unpaid| world.load_unpaid(unpaid));
        Ok(stocks)
    }
}

/// Loads the rows that stand beside a sale, which are locked last: those of the waiting room, and of telling others.
async fn load_beside<T: Tx>(tx: &T, world: &mut World, wanted: Beside) -> Result<(), StoreError> {
    let (cursors, lanes, waiters, places, messages, reminders, webhooks, sequences, deliveries) = try_join!(
        tx.find(&wanted.cursors, Lock::Update),
        // Whoever has the lane has all that is in it; these are read once that lock is ours.
        tx.find(&wanted.lanes, Lock::Update),
        tx.find(&wanted.waiters, Lock::None),
        tx.find(&wanted.places, Lock::None),
        tx.find(&wanted.messages, Lock::Update),
        tx.find(&wanted.reminders, Lock::Update),
        tx.find(&wanted.webhooks, Lock::None),
        tx.find(&wanted.sequences, Lock::Update),
        tx.find(&wanted.deliveries, Lock::Update),
    )?;
    fill_each!(
        world, wanted: cursors, lanes, waiters, places, messages, reminders, webhooks, sequences, deliveries,
    );
    Ok(())
}

#[derive(Default)]
struct Wanted {
    emails: Vec<String>,
    users: Vec<UserId>,
    revoked_tokens: Vec<u128>,
    events: Vec<EventId>,
    holdings: Vec<(UserId, EventId)>,
    unpaid: Vec<UserId>,
    gateway_events: Vec<String>,
    reservations: Vec<engine::id::ReservationId>,
    payments: Vec<engine::id::PaymentId>,
    wallets: Vec<UserId>,
    stocks: Vec<engine::id::TicketTypeId>,
    portions: Vec<(engine::id::ReservationId, engine::id::TicketTypeId)>,
    claims: Vec<(EventId, u32)>,
    transfers: Vec<engine::id::TransferId>,
    movie_tickets: Vec<engine::id::MovieTicketId>,
    jobs: Vec<engine::id::JobId>,
    beside: Beside,
}

#[derive(Default)]
struct Beside {
    cursors: Vec<String>,
    lanes: Vec<LaneId>,
    waiters: Vec<(LaneId, UserId)>,
    places: Vec<(LaneId, i64)>,
    messages: Vec<engine::id::MessageId>,
    reminders: Vec<(EventId, engine::messages::Lead)>,
    webhooks: Vec<engine::id::WebhookId>,
    sequences: Vec<(engine::id::WebhookId, EventId)>,
    deliveries: Vec<engine::id::DeliveryId>,
}

impl Wanted {
    /// What is derived from many rows has none to lock: who it is about is locked instead.
    fn holders(&self) -> Vec<UserId> {
        let holders = self.holdings.iter().map(|(user, _)| *user).chain(self.unpaid.iter().copied());
        holders.collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn sort(&mut self, key: Key) {
        match key {
            Key::Email(key) => self.emails.push(key),
            Key::User(key) => self.users.push(key),
            Key::RevokedToken(key) => self.revoked_tokens.push(key),
            Key::Event(key) => self.events.push(key),
            Key::Holdings(key) => self.holdings.push(key),
            Key::Unpaid(key) => self.unpaid.push(key),
            Key::GatewayEvent(key) => self.gateway_events.push(key),
            Key::Reservation(key) => self.reservations.push(key),
            Key::Payment(key) => self.payments.push(key),
            Key::Wallet(key) => self.wallets.push(key),
            Key::Stock(key) => self.stocks.push(key),
            Key::Portion(key) => self.portions.push(key),
            Key::Claim(key) => self.claims.push(key),
            Key::Transfer(key) => self.transfers.push(key),
            Key::MovieTicket(key) => self.movie_tickets.push(key),
            Key::Job(key) => self.jobs.push(key),
            Key::Cursor(key) => self.beside.cursors.push(key),
            Key::Lane(key) => self.beside.lanes.push(key),
            Key::Waiter(key) => self.beside.waiters.push(key),
            Key::Place(key) => self.beside.places.push(key),
            Key::Message(key) => self.beside.messages.push(key),
            Key::Reminder(key) => self.beside.reminders.push(key),
            Key::Webhook(key) => self.beside.webhooks.push(key),
            Key::Sequence(key) => self.beside.sequences.push(key),
            Key::Delivery(key) => self.beside.deliveries.push(key),
        }
    }
}

fn fill<T: Table>(slots: &mut Slots<T::Key, T>, keys: Vec<T::Key>, rows: Vec<T>) {
    for row in rows {
        slots.load(row.key(), Some(row));
    }
    for key in keys {
        slots.load(key, None);
    }
}

/// How many of a stock's held tickets have lapsed. Its row is locked, so the number stays until we commit.
async fn lapsed<T: Tx>(tx: &T, stock: &Stock, now: Time) -> Result<u32, StoreError> {
    let sql = LAPSED;
    let params = [stock.ticket_type.0.value(), now.0.value()];
    let rows = tx.query(sql, &params, &[Kind::Int]).await?;
    match rows.first().and_then(|row| row.first()) {
        Some(Value::Int(count)) => Ok(u32::try_from(*count).unwrap_or(u32::MAX)),
        _ => Ok(0),
    }
}

/// The tickets of a type whose hold has lapsed and was not tidied up.
pub(crate) const LAPSED: &str = "SELECT CAST(COALESCE(SUM(quantity), 0) AS BIGINT) FROM portions \
     WHERE ticket_type_id = ?1 AND claimed_until > 0 AND claimed_until <= ?2";

/// What a person has of an event.
pub(crate) const HOLDINGS: &str =
    "SELECT id, count, claimed_until FROM reservations WHERE user_id = ?1 AND event_id = ?2 AND claimed_until > 0";

async fn holdings<T: Tx>(tx: &T, of: (UserId, EventId)) -> Result<Holdings, StoreError> {
    let params = [of.0.0.value(), of.1.0.value()];
    let rows = tx.query(HOLDINGS, &params, &[Kind::Bytes, Kind::Int, Kind::Int]).await?;
    let mut held = BTreeMap::new();
    for row in rows {
        let mut columns = crate::value::Columns::new(row);
        let id = columns.id()?;
        held.insert(id, (columns.count()?, Time(columns.int()?)));
    }
    Ok(Holdings { of, held })
}

/// What a person holds and has not paid.
pub(crate) const UNPAID: &str =
    "SELECT id, claimed_until FROM reservations WHERE user_id = ?1 AND status = 'pending' AND claimed_until > ?2";

async fn unpaid<T: Tx>(tx: &T, user: UserId, now: Time) -> Result<Unpaid, StoreError> {
    let rows = tx.query(UNPAID, &[user.0.value(), now.0.value()], &[Kind::Bytes, Kind::Int]).await?;
    let mut held = BTreeMap::new();
    for row in rows {
        let mut columns = crate::value::Columns::new(row);
        held.insert(columns.id()?, Time(columns.int()?));
    }
    Ok(Unpaid { user, held })
}

/// What is told of a batch: to whoever follows the event stream, and to other nodes only, of the waiting room.
fn told<'a, T: Tx>(
    world: &World,
    entries: &'a [Entry],
    around: &Surroundings<'_>,
) -> (Vec<OutboxRow<'a>>, Vec<LaneNews>) {
    let (now, node) = (around.now, around.node);
    let stream = entries.iter().map(|entry| OutboxRow { entry, node }).collect();
    (stream, if T::REMOTE { LaneNews::of(world, now, node) } else { Vec::new() })
}

/// Writes what changed. Gives what [`Tx::append`] does.
async fn save<T: Tx>(
    tx: &T,
    world: &World,
    answers: &[&StoredAnswer],
    entries: &[Entry],
    around: &Surroundings<'_>,
) -> Result<Option<u64>, StoreError> {
    // Taken apart by name, so that a new kind of row cannot be left out. Derived ones are never stored.
    let World {
        emails,
        users,
        revoked_tokens,
        events,
        holdings: _,
        unpaid: _,
        gateway_events,
        reservations,
        payments,
        wallets,
        stocks,
        portions,
        claims,
        transfers,
        movie_tickets,
        jobs,
        messages,
        reminders,
        webhooks,
        sequences,
        deliveries,
        cursors,
        lanes,
        waiters,
        places,
    } = world;
    let (stream, news) = told::<T>(world, entries, around);
    let news: Vec<&LaneNews> = news.iter().collect();
    tx.insert(answers).await?;
    save_slots(tx, emails).await?;
    save_slots(tx, users).await?;
    save_slots(tx, revoked_tokens).await?;
    save_slots(tx, events).await?;
    save_slots(tx, gateway_events).await?;
    save_slots(tx, reservations).await?;
    save_slots(tx, payments).await?;
    save_slots(tx, wallets).await?;
    save_slots(tx, stocks).await?;
    save_slots(tx, portions).await?;
    save_slots(tx, claims).await?;
    save_slots(tx, transfers).await?;
    save_slots(tx, movie_tickets).await?;
    save_slots(tx, jobs).await?;
    save_slots(tx, messages).await?;
    save_slots(tx, reminders).await?;
    save_slots(tx, webhooks).await?;
    save_slots(tx, sequences).await?;
    save_slots(tx, deliveries).await?;
    save_slots(tx, cursors).await?;
    save_slots(tx, lanes).await?;
    save_slots(tx, waiters).await?;
    save_slots(tx, places).await?;
    tx.insert(&news).await?;
    tx.append(&stream).await
}

async fn save_slots<T: Tx, R: Table>(tx: &T, slots: &Slots<R::Key, R>) -> Result<(), StoreError> {
    let (mut new, mut changed, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for (key, slot) in slots.dirty() {
        match &slot.row {
            Some(row) if slot.stored => changed.push(row),
            Some(row) => new.push(row),
            None => gone.push(key.clone()),
        }
    }
    if new.is_empty() && changed.is_empty() && gone.is_empty() {
        return Ok(());
    }
    tx.insert(&new).await?;
    tx.update(&changed).await?;
    tx.delete::<R>(&gone).await
}

fn changed(world: &World, mut entries: Vec<Entry>, jobs: Vec<Taken>, end: Option<u64>) -> Changed {
    if let Some(end) = end {
        for (position, entry) in (0..=end).rev().zip(entries.iter_mut().rev()) {
            entry.position = position;
        }
    }
    let gone = |(id, slot): (&EventId, &engine::world::Slot<Arc<Event>>)| slot.row.is_none().then_some(*id);
    let seated = world.claims.dirty().map(|((event, _), _)| *event);
    let counted = world.stocks.dirty().filter_map(|(_, slot)| Some(slot.row.as_ref()?.event));
    Changed {
        places: world.places.dirty().filter_map(|(_, slot)| slot.row.clone()).collect(),
        claims: world.claims.dirty().filter_map(|(_, slot)| slot.row.clone()).collect(),
        events: world.events.dirty().filter_map(|(_, slot)| slot.row.clone()).collect(),
        gone: world.events.dirty().filter_map(gone).collect(),
        touched: seated.chain(counted).collect(),
        entries,
        end,
        jobs,
    }
}
