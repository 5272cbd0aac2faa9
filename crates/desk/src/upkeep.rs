//! Upkeep: forgetting what is past keeping, and counting what waits.

use engine::command::{Context, Stop};
use engine::time::{Span, Time};
use engine::world::World;
use tokio::sync::oneshot;

use crate::batch::Effects;
use crate::desk::Desk;
use crate::gather::Attempt;
use crate::reads::Reads;
use crate::tables::StoredAnswer;
use crate::value::{IntoValue as _, Value};
use crate::{Gauges, Once, Stopped, Unavailable};

/// How long an answer is given again.
const ANSWERS: Span = Span::seconds(24 * 3_600);
/// How long a gateway's event is recognised.
const NEWS: Span = Span::seconds(30 * 24 * 3_600);
/// How long the event stream can be read back.
const STREAM: Span = Span::seconds(3 * 24 * 3_600);
/// How long it waits for whoever works it off and does not come.
const UNREAD_STREAM: Span = Span::seconds(30 * 24 * 3_600);
/// How long it is known who was told of what. Longer than the stream waits for whoever makes messages of it.
const TOLD: Span = Span::seconds(31 * 24 * 3_600);
/// How long nodes have to hear of changed places in the waiting room.
const ROOM_NEWS: Span = Span::seconds(3_600);
/// How long nodes have to hear of those who are connected to others.
const NODE_NEWS: Span = Span::seconds(60);
/// The most rows that go at a time, so that no batch waits long.
const PAGE: i64 = 5_000;

/// What removes old rows, and how old they get.
pub(crate) const TIDY: [(&str, Span); 10] = [
    ("DELETE FROM answers WHERE key IN (SELECT key FROM answers WHERE given_at < ?1 LIMIT ?2)", ANSWERS),
    ("DELETE FROM gateway_events WHERE id IN (SELECT id FROM gateway_events WHERE received_at < ?1 LIMIT ?2)", NEWS),
    (
        "DELETE FROM revoked_tokens WHERE id IN (SELECT id FROM revoked_tokens WHERE expires_at < ?1 LIMIT ?2)",
        Span::seconds(0),
    ),
    // The last row stays: SQLite gives the next one the position after it.
    (
        "DELETE FROM outbox WHERE position IN (SELECT position FROM outbox WHERE made_at < ?1 \
         AND position < (SELECT MAX(position) FROM outbox) \
         AND position <= (SELECT COALESCE(MIN(position), 9223372036854775807) FROM cursors) \
         ORDER BY position LIMIT ?2)",
        STREAM,
    ),
    (
        "DELETE FROM outbox WHERE position IN (SELECT position FROM outbox WHERE made_at < ?1 \
         AND position < (SELECT MAX(position) FROM outbox) ORDER BY position LIMIT ?2)",
        UNREAD_STREAM,
    ),
    (
        "DELETE FROM messages WHERE id IN \
         (SELECT id FROM messages WHERE created_at < ?1 AND status <> 'queued' LIMIT ?2)",
        TOLD,
    ),
    (
        "DELETE FROM deliveries WHERE id IN \
         (SELECT id FROM deliveries WHERE made_at < ?1 AND status <> 'waiting' LIMIT ?2)",
        TOLD,
    ),
    (
        "DELETE FROM reminders WHERE event_id IN (SELECT event_id FROM reminders WHERE starts_at < ?1 LIMIT ?2) \
         AND starts_at < ?1",
        TOLD,
    ),
    (
        "DELETE FROM room_news WHERE position IN \
         (SELECT position FROM room_news WHERE made_at < ?1 ORDER BY position LIMIT ?2)",
        ROOM_NEWS,
    ),
    (
        "DELETE FROM node_news WHERE position IN \
         (SELECT position FROM node_news WHERE made_at < ?1 ORDER BY position LIMIT ?2)",
        NODE_NEWS,
    ),
];

impl Desk {
    /// Forgets what is past keeping: answers after a day, gateway events after thirty, the event stream after three where
    /// everybody has worked it off, revoked tokens when they would have run out. Gives how many rows went.
    ///
    /// # Errors
    /// Why it could not be done.
    pub async fn tidy(&self) -> Result<u64, Stopped> {
        let mut total = 0;
        for (sql, age) in TIDY {
            loop {
                let before = Time(self.now().0 - age.0);
                let gone = self.chore(sql, vec![before.0.value(), PAGE.value()]).await?;
                total += gone;
                if gone < PAGE.cast_unsigned() {
                    break;
                }
            }
        }
        Ok(total)
    }

    /// What is waiting.
    ///
    /// # Errors
    /// Where the store cannot be reached.
    pub async fn gauges(&self) -> Result<Gauges, Unavailable> {
        let reads = &self.0.reads;
        let jobs = reads.number("SELECT COUNT(*) FROM jobs", Vec::new()).await?;
        let oldest = reads.number(OLDEST_DUE, vec![self.now().0.value()]).await?;
        let lag = if oldest == 0 { 0 } else { (self.now().0 - oldest).max(0) };
        let stuck = reads.number(STUCK_REFUNDS, Vec::new()).await?;
        Ok(Gauges { queued: self.queued(), jobs, lag: Span(lag), stuck_refunds: stuck })
    }

    /// Takes over the jobs of a process that is gone: at its start, where this process is the only one on its store,
    /// nobody can be at work on a job, so what was taken for `lease` is due at once. Does nothing where others may be
    /// at work. Gives how many it took.
    ///
    /// # Errors
    /// Why it could not be done.
    pub async fn take_over_jobs(&self, lease: Span) -> Result<u64, Stopped> {
        if matches!(self.0.reads, Reads::Postgres(_)) {
            return Ok(0);
        }
        let now = self.now();
        self.chore(TAKE_OVER, vec![now.0.value(), (now + lease).0.value()]).await
    }

    pub(crate) async fn chore(&self, sql: &'static str, params: Vec<Value>) -> Result<u64, Stopped> {
        let (caller, done) = oneshot::channel();
        self.enqueue(Box::new(Chore { sql, params, gone: 0, caller }))?;
        done.await.map_err(|_| Stopped::Unavailable("the server is shutting down".to_owned()))?
    }
}

/// Makes what would be due within a while due now: a lease, or a pause that is nearly over.
pub(crate) const TAKE_OVER: &str = "UPDATE jobs SET run_at = ?1 WHERE run_at > ?1 AND run_at <= ?2";

/// Refunds that the gateway could not make.
pub(crate) const STUCK_REFUNDS: &str = "SELECT COUNT(*) FROM payments WHERE refund = 'failed'";

/// When the job that is due longest was due; 0 where none is.
pub(crate) const OLDEST_DUE: &str = "SELECT COALESCE(MIN(run_at), 0) FROM jobs WHERE run_at <= ?1";

/// A statement that takes its turn among the commands: all writing goes one way.
pub(crate) struct Chore {
    sql: &'static str,
    params: Vec<Value>,
    gone: u64,
    caller: oneshot::Sender<Result<u64, Stopped>>,
}

impl Attempt for Chore {
    fn once(&self) -> Option<&Once> {
        None
    }

    fn chore(&self) -> Option<(&'static str, &[Value])> {
        Some((self.sql, &self.params))
    }

    fn chore_done(&mut self, gone: u64) {
        self.gone = gone;
    }

    fn decide(&mut self, _: &World, _: &mut Context) -> Result<Effects, Stop> {
        Ok(Effects { changes: Vec::new(), facts: Vec::new() })
    }

    fn replay(&mut self, _: &StoredAnswer) {}

    fn broke(&mut self) {}

    fn answer(&mut self, _: Time) -> Option<StoredAnswer> {
        None
    }

    fn finish(self: Box<Self>) {
        let _ = self.caller.send(Ok(self.gone));
    }

    fn fail(self: Box<Self>, why: Stopped) {
        let _ = self.caller.send(Err(why));
    }
}
