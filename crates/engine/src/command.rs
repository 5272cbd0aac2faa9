//! What a command is, and what deciding one gives.

use crate::holds::Reservation;
use crate::id::{EventId, Mint};
use crate::payments::Payment;
use crate::refusal::Refusal;
use crate::time::Time;
use crate::world::{Change, Key, Row, World};

/// Something that is asked for: decided in one piece, or refused in one piece.
pub trait Command: Send + 'static {
    /// What the caller is told when it is done.
    type Reply: Send + 'static;
    /// What it is called in logs and metrics.
    const NAME: &'static str;

    /// Decides. Changes nothing by itself; the same arguments give the same verdict.
    ///
    /// # Errors
    /// [`Stop::Missing`] when a row that matters was not loaded, [`Stop::Refused`] when a rule forbids it.
    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<Self::Reply>;

    /// Whether a refusal is the last word. One that is not is never kept under an idempotency key: whoever sent the
    /// command sends it again, made anew.
    #[must_use]
    fn is_final(_: &Refusal) -> bool {
        true
    }
}

/// What a command may use besides the rows: the moment, and new ids.
#[derive(Debug, Clone)]
pub struct Context {
    /// The moment at which it is decided.
    pub now: Time,
    /// Makes ids.
    pub mint: Mint,
}

/// What deciding gives.
pub type Verdict<R> = Result<Decision<R>, Stop>;

/// Why there is no decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// These rows have to be loaded first.
    Missing(Vec<Key>),
    /// A rule forbids it.
    Refused(Refusal),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What a command changes, and what it answers.
#[derive(Debug, Clone)]
pub struct Decision<R> {
    /// The answer.
    pub reply: R,
    /// The rows as they are to be.
    pub changes: Vec<Change>,
    /// What happened, for the event stream.
    pub facts: Vec<Fact>,
}

impl<R> Decision<R> {
    /// A decision that changes nothing yet.
    #[must_use]
    pub fn new(reply: R) -> Self {
        Self { reply, changes: Vec::new(), facts: Vec::new() }
    }

    /// Adds a row as it is to be.
    #[must_use]
    pub fn put(mut self, row: Row) -> Self {
        self.changes.push(Change::Put(row));
        self
    }

    /// Adds many rows.
    #[must_use]
    pub fn put_all(mut self, rows: impl IntoIterator<Item = Row>) -> Self {
        self.changes.extend(rows.into_iter().map(Change::Put));
        self
    }

    /// Adds changes made elsewhere.
    #[must_use]
    pub fn change(mut self, changes: Vec<Change>) -> Self {
        self.changes.extend(changes);
        self
    }

    /// The same changes and facts, with another reply.
    #[must_use]
    pub fn replying<T>(self, reply: T) -> Decision<T> {
        Decision { reply, changes: self.changes, facts: self.facts }
    }

    /// Adds a fact.
    #[must_use]
    pub fn fact(mut self, fact: Fact) -> Self {
        self.facts.push(fact);
        self
    }
}

/// Changes nothing: keeps an answer under its idempotency key where nothing is left to decide.
#[derive(Debug, Clone)]
pub struct KeepAnswer;

impl Command for KeepAnswer {
    type Reply = ();
    const NAME: &'static str = "KeepAnswer";

    fn decide(&self, _: &World, _: &mut Context) -> Verdict<()> {
        Ok(Decision::new(()))
    }
}

/// Something that happened, as the event stream tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A reservation was made and holds its seats.
    Held(Reservation),
    /// A reservation was paid.
    Confirmed(Reservation),
    /// A reservation was given up; `freed` are the seats that are free because of it.
    Cancelled {
        /// The reservation.
        reservation: Reservation,
        /// Ordinals of the seats set free.
        freed: Vec<u32>,
    },
    /// A hold ran out; `freed` are the seats that nobody had taken in the meantime.
    Expired {
        /// The reservation.
        reservation: Reservation,
        /// Ordinals of the seats set free.
        freed: Vec<u32>,
    },
    /// A payment came too late for its seats and goes back.
    PaymentReturned(Payment),
    /// An event was made or changed.
    EventChanged(EventId),
    /// What the public never knew of was deleted.
    EventDeleted(EventId),
}
