//! The rows a batch of commands works on, and what they changed.
//!
//! A world holds what was loaded and no more. A command says with [`World::need`] which rows it
//! looks at; a row that is not there yet stops it with their keys, and it is decided again once they
//! are loaded. So what a command reads is written in one place: where it reads it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalogue::Event;
use crate::command::Stop;
use crate::holds::{Holdings, Reservation, Unpaid};
use crate::id::{
    DeliveryId, EventId, JobId, LaneId, MessageId, MovieTicketId, PaymentId, ReservationId, TicketTypeId, TransferId,
    UserId, WebhookId,
};
use crate::jobs::Job;
use crate::lanes::{Lane, Place, Waiter};
use crate::messages::{Lead, Message, Reminder};
use crate::movie::MovieTicket;
use crate::payments::{GatewayEvent, Payment};
use crate::people::{Email, RevokedToken, User};
use crate::seats::{Claim, Portion, Stock};
use crate::stream::Cursor;
use crate::wallet::{Transfer, Wallet};
use crate::webhooks::{Delivery, Sequence, Webhook};

/// A row that may be loaded, absent, new or changed.
#[derive(Debug, Clone)]
pub struct Slot<R> {
    /// The row as it is now; `None` where there is none.
    pub row: Option<R>,
    /// Whether the store has a row under this key.
    pub stored: bool,
    /// Whether the store has to be told.
    pub dirty: bool,
}

/// The loaded rows of one kind, in order of their keys (which is also the order of locks).
#[derive(Debug, Clone)]
pub struct Slots<K, R>(BTreeMap<K, Slot<R>>);

impl<K, R> Default for Slots<K, R> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord, R> Slots<K, R> {
    /// The row under a key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&R> {
        self.0.get(key)?.row.as_ref()
    }

    /// Whether it is known what is under the key.
    #[must_use]
    pub fn knows(&self, key: &K) -> bool {
        self.0.contains_key(key)
    }

    /// Takes what the store has under a key. What a command changed already stays.
    pub fn load(&mut self, key: K, row: Option<R>) {
        let stored = row.is_some();
        self.0.entry(key).or_insert(Slot { row, stored, dirty: false });
    }

    /// What the store has to be told: each changed slot.
    pub fn dirty(&self) -> impl Iterator<Item = (&K, &Slot<R>)> {
        self.0.iter().filter(|(_, slot)| slot.dirty && (slot.stored || slot.row.is_some()))
    }

    fn set(&mut self, key: K, row: Option<R>) {
        let slot = self.0.entry(key).or_insert(Slot { row: None, stored: false, dirty: true });
        slot.row = row;
        slot.dirty = true;
    }
}

macro_rules! rows {
    ($($(#[$doc:meta])* $slots:ident: $kind:ident($row:ty) by $key:ty = $of:expr;)+) => {
        /// Names a row. The order of the kinds is the order in which a store locks them.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Key {
            $($(#[$doc])* $kind($key),)+
        }

        /// A row of any kind.
        #[derive(Debug, Clone)]
        pub enum Row {
            $($(#[$doc])* $kind($row),)+
        }

        /// The loaded rows.
        #[derive(Debug, Clone, Default)]
        pub struct World {
            $($(#[$doc])* pub $slots: Slots<$key, $row>,)+
        }

        impl World {
            fn knows(&self, key: &Key) -> bool {
                match key {
                    $(Key::$kind(key) => self.$slots.knows(key),)+
                }
            }

            fn set(&mut self, row: Row) {
                match row {
                    $(Row::$kind(row) => {
                        let of: fn(&$row) -> $key = $of;
                        self.$slots.set(of(&row), Some(row));
                    })+
                }
            }

            fn unset(&mut self, key: Key) {
                match key {
                    $(Key::$kind(key) => self.$slots.set(key, None),)+
                }
            }
        }
    };
}

rows! {
    /// Who has an e-mail address.
    emails: Email(Email) by String = |row| row.address.clone();
    /// A person.
    users: User(User) by UserId = |row| row.id;
    /// A refresh token that was revoked.
    revoked_tokens: RevokedToken(RevokedToken) by u128 = |row| row.token;
    /// An event.
    events: Event(Arc<Event>) by EventId = |row| row.id;
    /// What a person has of an event: derived from reservations, never stored.
    holdings: Holdings(Holdings) by (UserId, EventId) = |row| row.of;
    /// What a person holds and has not paid: derived from reservations, never stored.
    unpaid: Unpaid(Unpaid) by UserId = |row| row.user;
    /// A gateway's event that was received.
    gateway_events: GatewayEvent(GatewayEvent) by String = |row| row.id.clone();
    /// A reservation.
    reservations: Reservation(Reservation) by ReservationId = |row| row.id;
    /// A payment.
    payments: Payment(Payment) by PaymentId = |row| row.id;
    /// A wallet.
    wallets: Wallet(Wallet) by UserId = |row| row.user;
    /// The stock of a ticket type.
    stocks: Stock(Stock) by TicketTypeId = |row| row.ticket_type;
    /// A reservation's part of a stock.
    portions: Portion(Portion) by (ReservationId, TicketTypeId) = |row| row.key;
    /// A seat's claim.
    claims: Claim(Claim) by (EventId, u32) = |row| row.seat;
    /// A transfer of the ledger.
    transfers: Transfer(Transfer) by TransferId = |row| row.id;
    /// A movie ticket.
    movie_tickets: MovieTicket(MovieTicket) by MovieTicketId = |row| row.id;
    /// A job.
    jobs: Job(Job) by JobId = |row| row.id;
    /// How far somebody has worked off the event stream.
    cursors: Cursor(Cursor) by String = |row| row.name.clone();
    /// A lane of the waiting room. Its lock is the lock of everything in it.
    lanes: Lane(Lane) by LaneId = |row| row.id;
    /// Which place of a lane is a person's.
    waiters: Waiter(Waiter) by (LaneId, UserId) = |row| row.of;
    /// A place in a lane.
    places: Place(Place) by (LaneId, i64) = |row| row.key;
    /// A message to a person.
    messages: Message(Message) by MessageId = |row| row.id;
    /// A reminder that was called for.
    reminders: Reminder(Reminder) by (EventId, Lead) = |row| row.of;
    /// Who is told of bookings.
    webhooks: Webhook(Webhook) by WebhookId = |row| row.id;
    /// What waits to be told to a webhook of an event.
    sequences: Sequence(Sequence) by (WebhookId, EventId) = |row| row.of;
    /// Something told to a webhook.
    deliveries: Delivery(Delivery) by DeliveryId = |row| row.id;
}

/// One change of one row.
#[derive(Debug, Clone)]
pub enum Change {
    /// The row is to be this.
    Put(Row),
    /// The row is to go.
    Delete(Key),
}

impl World {
    /// Goes on when all these rows are loaded.
    ///
    /// # Errors
    /// [`Stop::Missing`] with the keys of those that are not.
    pub fn need(&self, keys: impl IntoIterator<Item = Key>) -> Result<(), Stop> {
        let missing: Vec<Key> = keys.into_iter().filter(|key| !self.knows(key)).collect();
        if missing.is_empty() { Ok(()) } else { Err(Stop::Missing(missing)) }
    }

    /// Makes the changes of a decision, so that the next command sees them.
    pub fn apply(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Put(row) => {
                    if let Row::Reservation(reservation) = &row {
                        self.count_holding(reservation);
                    }
                    self.set(row);
                }
                Change::Delete(key) => self.unset(key),
            }
        }
    }

    /// Takes what was summed up of the store. Reservations that were changed since count as they are now.
    pub fn load_holdings(&mut self, mut row: Holdings) {
        let own = |own: &&Reservation| (own.user, own.event) == row.of;
        let changed: Vec<&Reservation> = self.changed_reservations().filter(own).collect();
        changed.into_iter().for_each(|own| row.count(own));
        self.holdings.load(row.of, Some(row));
    }

    /// As [`World::load_holdings`], of what is not paid.
    pub fn load_unpaid(&mut self, mut row: Unpaid) {
        let own = |own: &&Reservation| own.user == row.user;
        let changed: Vec<&Reservation> = self.changed_reservations().filter(own).collect();
        changed.into_iter().for_each(|own| row.count(own));
        self.unpaid.load(row.user, Some(row));
    }

    fn changed_reservations(&self) -> impl Iterator<Item = &Reservation> {
        self.reservations.dirty().filter_map(|(_, slot)| slot.row.as_ref())
    }

    /// Keeps what is derived from reservations true to a changed one.
    fn count_holding(&mut self, reservation: &Reservation) {
        let of = (reservation.user, reservation.event);
        if let Some(slot) = self.holdings.0.get_mut(&of)
            && let Some(holdings) = &mut slot.row
        {
            holdings.count(reservation);
        }
        if let Some(slot) = self.unpaid.0.get_mut(&reservation.user)
            && let Some(unpaid) = &mut slot.row
        {
            unpaid.count(reservation);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::holds::Standing;
    use crate::money::Won;
    use crate::time::Time;

    fn reservation(id: u128, user: u128, standing: Standing) -> Reservation {
        Reservation {
            id: ReservationId(id),
            event: EventId(1),
            user: UserId(user),
            seats: Vec::new(),
            items: Vec::new(),
            total: Won::ZERO,
            standing,
            payment: None,
            created_at: Time(1),
            expires_at: Time(9),
        }
    }

    /// The store still has the first as held; since then it was given up, and another person has something.
    #[test]
    fn what_is_summed_up_of_the_store_counts_what_changed_since() {
        let given_up = Standing::Cancelled { at: Time(2), refund: Won::ZERO, tender: None };
        let held = Standing::Pending { until: Time(9) };
        let mut world = World::default();
        let changed = [reservation(1, 5, given_up), reservation(2, 5, held), reservation(3, 6, held)];
        world.apply(changed.into_iter().map(|own| Change::Put(Row::Reservation(own))).collect());
        let (user, of) = (UserId(5), (UserId(5), EventId(1)));
        world.load_unpaid(Unpaid { user, held: BTreeMap::from([(ReservationId(1), Time(9))]) });
        world.load_holdings(Holdings { of, held: BTreeMap::from([(ReservationId(1), (2, Time(9)))]) });
        let unpaid: Vec<_> = world.unpaid.get(&user).expect("loaded").held.clone().into_iter().collect();
        assert_eq!(unpaid, [(ReservationId(1), Time::NEVER), (ReservationId(2), Time(9))]);
        let holdings: Vec<_> = world.holdings.get(&of).expect("loaded").held.clone().into_iter().collect();
        assert_eq!(holdings, [(ReservationId(1), (0, Time::NEVER)), (ReservationId(2), (0, Time(9)))]);
    }
}
