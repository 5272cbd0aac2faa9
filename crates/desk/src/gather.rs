//! Gathering: what has arrived while the last batch was committing becomes the next one.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::Duration;

use engine::command::{Command, Context, Decision, Stop};
use engine::id::{EventId, UserId};
use engine::refusal::Refusal;
use engine::time::Time;
use engine::world::World;
use parking_lot::MutexGuard;
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc, oneshot};

use crate::batch::{Changed, Effects, Surroundings, work};
use crate::catalogue::Catalogue;
use crate::clock::Clock;
use crate::entry::Entry;
use crate::lanes::{FollowerSlot, News};
use crate::nodes::NodeWords;
use crate::performer::{Performers, Taken};
use crate::postgres::{Address, Session};
use crate::programme::Programme;
use crate::sqlite::{Flusher, Turn, Writer, at_once};
use crate::store::StoreError;
use crate::stream::Stream;
use crate::tables::StoredAnswer;
use crate::value::Value;
use crate::views::Views;
use crate::{Answer, Once, Stopped};

/// A command that waits for its verdict, whatever it is.
pub(crate) trait Attempt: Send {
    /// The key under which it happens once.
    fn once(&self) -> Option<&Once>;
    /// A statement to run instead of deciding anything.
    fn chore(&self) -> Option<(&'static str, &[Value])> {
        None
    }
    /// Takes how many rows the statement changed.
    fn chore_done(&mut self, _: u64) {}
    /// Decides it, remembering the verdict; a later call overrides an earlier one.
    fn decide(&mut self, world: &World, cx: &mut Context) -> Result<Effects, Stop>;
    /// Takes the answer that was given before.
    fn replay(&mut self, stored: &StoredAnswer);
    /// Notes that deciding it failed.
    fn broke(&mut self);
    /// The answer to keep, made now.
    fn answer(&mut self, now: Time) -> Option<StoredAnswer>;
    /// Tells the caller, now that it is durable.
    fn finish(self: Box<Self>);
    /// Tells the caller that nothing happened.
    fn fail(self: Box<Self>, why: Stopped);
}

/// What a caller is told.
pub(crate) enum Told<R> {
    /// The verdict, and the answer that was kept of it.
    Verdict(Result<R, Refusal>, Option<Answer>),
    /// The answer that was given before.
    Replayed(Answer),
}

/// Makes the answer to keep of a reply or a refusal. In a box, so that a command is compiled once and not for every
/// place that renders it.
pub type Render<R> = Box<dyn Fn(Result<&R, &Refusal>) -> Answer + Send>;

/// A command and who waits for it.
pub(crate) struct Pending<C: Command> {
    pub command: C,
    pub once: Option<(Once, Render<C::Reply>)>,
    pub told: Option<Result<Told<C::Reply>, Stopped>>,
    pub caller: oneshot::Sender<Result<Told<C::Reply>, Stopped>>,
}

impl<C: Command> Attempt for Pending<C> {
    fn once(&self) -> Option<&Once> {
        self.once.as_ref().map(|(once, _)| once)
    }

    fn decide(&mut self, world: &World, cx: &mut Context) -> Result<Effects, Stop> {
        let verdict = self.command.decide(world, cx);
        let (result, effects) = match verdict {
            Ok(Decision { reply, changes, facts }) => (Ok(reply), Ok(Effects { changes, facts })),
            Err(Stop::Refused(refusal)) => (Err(refusal.clone()), Err(Stop::Refused(refusal))),
            Err(missing) => return Err(missing),
        };
        self.told = Some(Ok(Told::Verdict(result, None)));
        effects
    }

    fn replay(&mut self, stored: &StoredAnswer) {
        let same = self.once.as_ref().is_some_and(|(once, _)| once.request[..] == stored.request[..]);
        let told = if same {
            let body = stored.body.clone();
            Told::Replayed(Answer { status: stored.status, body, replayed: true })
        } else {
            Told::Verdict(Err(Refusal::KeyReused), None)
        };
        self.told = Some(Ok(told));
    }

    fn broke(&mut self) {
        self.told = Some(Err(Stopped::Unavailable("the command failed inside the server".to_owned())));
    }

    fn answer(&mut self, now: Time) -> Option<StoredAnswer> {
        let (once, render) = self.once.as_ref()?;
        let Some(Ok(Told::Verdict(result, kept))) = &mut self.told else { return None };
        if result.as_ref().is_err_and(|refusal| !C::is_final(refusal)) {
            return None;
        }
        let answer = render(result.as_ref());
        let Answer { status, body, .. } = answer.clone();
        *kept = Some(answer);
        Some(StoredAnswer { key: once.key.clone(), request: once.request.to_vec(), status, body, given_at: now })
    }

    fn finish(self: Box<Self>) {
        let lost = Err(Stopped::Unavailable("the command was not decided".to_owned()));
        // Who no longer waits does not hear: what was done stays done.
        let _ = self.caller.send(self.told.unwrap_or(lost));
    }

    fn fail(self: Box<Self>, why: Stopped) {
        let _ = self.caller.send(Err(why));
    }
}

/// The commands waiting, shared by the gatherers of a desk.
pub(crate) type Queue = Arc<Mutex<mpsc::Receiver<Box<dyn Attempt>>>>;

/// The queue in the hands of one of them.
pub(crate) type QueueGuard = OwnedMutexGuard<mpsc::Receiver<Box<dyn Attempt>>>;

/// What gatherers share.
pub(crate) struct Shared {
    pub clock: Clock,
    pub catalogue: Catalogue,
    pub views: Views,
    pub programme: Programme,
    pub node: i64,
    pub batch: usize,
    pub seeds: AtomicU64,
    /// Keyed by the machine's entropy.
    pub hasher: RandomState,
    /// Set while the store does not take batches.
    pub unwell: AtomicBool,
    /// Set for good when the disk failed a flush: what was written before may be lost though a later flush succeeds,
    /// so nothing may follow it until the log was read again by a new process.
    pub torn: AtomicBool,
    pub stream: Stream,
    pub follower: FollowerSlot,
    pub node_words: NodeWords,
    pub performers: Performers,
}

impl Shared {
    /// A seed that has nothing to do with any other: ids of two batches must not follow from each other. A counter
    /// that steps as the ids' generator does would have them meet.
    pub(crate) fn seed(&self) -> u64 {
        let counter = self.seeds.fetch_add(1, Ordering::Relaxed);
        self.hasher.hash_one(counter)
    }

    fn surroundings(&self) -> Surroundings<'_> {
        let seed = self.seed();
        let (catalogue, performers) = (&self.catalogue, &self.performers);
        Surroundings { now: self.clock.now(), seed, node: self.node, catalogue, performers }
    }

    /// Empties the memory, which fills again from the store.
    pub(crate) fn forget(&self) {
        self.views.forget_all();
        self.catalogue.forget_all();
        self.programme.forget_all();
        self.follower.tell(|follower| follower.forget());
    }

    /// Tells everyone of a batch that is durable; memory first, so that the next read shows it.
    fn committed(&self, batch: Vec<Box<dyn Attempt>>, changed: Changed) {
        self.unwell.store(false, Ordering::Relaxed);
        let events: Vec<EventId> = changed.events.iter().map(|event| event.id).collect();
        for event in changed.events {
            self.programme.put(&event, self.clock.now());
            self.catalogue.put(event);
        }
        for id in changed.gone {
            self.programme.remove(id);
            self.catalogue.forget(id);
        }
        self.views.apply(&changed.claims);
        let bought: Vec<(UserId, EventId)> = changed.entries.iter().filter_map(Entry::bought).collect();
        let news = News { places: &changed.places, touched: &changed.touched, bought: &bought, changed: &events };
        if !news.is_empty() {
            self.follower.tell(|follower| follower.follow(&news));
        }
        self.programme.touch(changed.touched);
        for entry in &changed.entries {
            metrics::counter!("maepyo_facts_total", "fact" => entry.happened.name()).increment(1);
        }
        metrics::histogram!("maepyo_batch_commands").record(batch.len() as f64);
        if let Some(end) = changed.end {
            self.stream.written(changed.entries, end);
        }
        batch.into_iter().for_each(Attempt::finish);
        changed.jobs.into_iter().for_each(Taken::hand_over);
    }

    /// Nothing may follow what the disk lost.
    pub(crate) fn tear(&self) {
        self.torn.store(true, Ordering::Release);
        self.unwell.store(true, Ordering::Release);
    }

    pub(crate) fn is_torn(&self) -> bool {
        self.torn.load(Ordering::Acquire)
    }

    /// Nothing is known to have happened, and nothing to have not: what is in memory is read anew.
    fn failed(&self, batch: Vec<Box<dyn Attempt>>, error: &StoreError) {
        self.unwell.store(true, Ordering::Relaxed);
        if let StoreError::Torn(_) = error {
            self.tear();
        }
        self.forget();
        tracing::error!(%error, commands = batch.len(), "a batch was not stored");
        let why = Stopped::Unavailable(error.to_string());
        batch.into_iter().for_each(|attempt| attempt.fail(why.clone()));
    }
}

/// A batch that is committed but not on the disk yet.
pub(crate) type Unflushed = (Vec<Box<dyn Attempt>>, Changed);

/// How many batches may wait for the disk before the writer waits too.
pub(crate) const MOST_UNFLUSHED: usize = 16;

/// The most commands of a batch of SQLite: while some are flushed and answered the next are worked. A crowd in one batch
/// has one thread at work, and then none but the disk.
const PIECE: usize = 32;

/// Gathers for SQLite, on a thread of its own, until the queue closes. Each batch is a turn, and who waits for one gets the
/// next.
pub(crate) fn gather_sqlite(
    writer: &Writer,
    turn: &Turn,
    queue: &Queue,
    shared: &Shared,
    flusher: &SyncSender<Unflushed>,
) {
    let mut queue = queue.blocking_lock();
    let most = shared.batch.min(PIECE);
    let mut batch = Vec::with_capacity(most);
    while queue.blocking_recv_many(&mut batch, most) > 0 {
        let full = std::mem::replace(&mut batch, Vec::with_capacity(most));
        let own = turn.lock();
        work_sqlite(writer, full, shared, flusher);
        MutexGuard::unlock_fair(own);
    }
    if shared.is_torn() {
        writer.keep_log();
    }
}

/// Flushes what was committed, as much at a time as has come, and then answers; until the gatherer is gone.
pub(crate) fn flush_sqlite(flusher: &Flusher, committed: &Receiver<Unflushed>, shared: &Shared) {
    while let Ok(first) = committed.recv() {
        let waiting: Vec<Unflushed> = std::iter::once(first).chain(committed.try_iter()).collect();
        let timer = crate::clock::Stopwatch::start();
        let flushed = flusher.flush();
        timer.record("maepyo_flush_seconds");
        if flushed.is_err() {
            shared.tear();
        }
        let flushed = if shared.is_torn() { Err(torn()) } else { flushed };
        for (batch, changed) in waiting {
            match &flushed {
                Ok(()) => shared.committed(batch, changed),
                Err(error) => shared.failed(batch, error),
            }
        }
    }
}

/// What is said of everything that comes after a flush failed.
pub(crate) fn torn() -> StoreError {
    StoreError::Torn("the disk failed to keep what was written: see to it, then restart maepyo".to_owned())
}

fn work_sqlite(writer: &Writer, mut batch: Vec<Box<dyn Attempt>>, shared: &Shared, flusher: &SyncSender<Unflushed>) {
    if shared.is_torn() {
        return shared.failed(batch, &torn());
    }
    let around = shared.surroundings();
    let timer = crate::clock::Stopwatch::start();
    let done = writer.run("BEGIN IMMEDIATE").and_then(|()| at_once(work(writer, &mut batch, &around)));
    timer.record("maepyo_commit_seconds");
    match done {
        Ok(changed) => {
            // The flusher outlives the gatherer; were it gone, dropping the batch tells its callers.
            let _ = flusher.send((batch, changed));
        }
        Err(error) => {
            // Fails where the transaction has ended already, which is what it is for.
            let _ = writer.execute("ROLLBACK");
            shared.failed(batch, &error);
        }
    }
}

/// How often a batch that met another transaction is tried again.
const MOST_TRIES: u32 = 50;

/// Gathers for PostgreSQL until the queue closes; several of these share the queue. Who has it keeps it until the writes and
/// the commit of the batch are sent: while the database executes these the next batch is loaded, and it is the larger for
/// having waited so long, which makes each command of it cheaper. A batch that is tried again does not have the queue any more.
pub(crate) async fn gather_postgres(address: Address, queue: Queue, shared: Arc<Shared>) {
    let mut session = None;
    loop {
        let mut batch = Vec::with_capacity(shared.batch);
        let mut own = Arc::clone(&queue).lock_owned().await;
        if own.recv_many(&mut batch, shared.batch).await == 0 {
            return;
        }
        let timer = crate::clock::Stopwatch::start();
        let done = work_postgres(&address, &mut session, &mut batch, &shared, own).await;
        timer.record("maepyo_commit_seconds");
        match done {
            Ok(changed) => shared.committed(batch, changed),
            Err(error) => shared.failed(batch, &error),
        }
    }
}

async fn work_postgres(
    address: &Address,
    session: &mut Option<Session>,
    batch: &mut [Box<dyn Attempt>],
    shared: &Shared,
    queue: QueueGuard,
) -> Result<Changed, StoreError> {
    let (mut tries, mut queue) = (0, Some(queue));
    loop {
        let open = match session.take().filter(Session::is_open) {
            Some(open) => open,
            None => {
                // Others may have a connection.
                queue = None;
                Session::open(address).await?
            }
        };
        if let Some(queue) = queue.take() {
            open.keep(queue);
        }
        let done = transact_in_turn(&open, batch, shared).await;
        if open.is_open() {
            *session = Some(open);
        }
        match done {
            Err(StoreError::Conflict(why)) if tries < MOST_TRIES => {
                tries += 1;
                metrics::counter!("maepyo_batch_retries_total").increment(1);
                tracing::debug!(why, tries, "a batch met another transaction");
            }
            done => return done,
        }
    }
}

/// A batch that takes longer, for a lock that another server has or a database that does not answer, keeps the others back no
/// longer than this.
const LONGEST_TURN: Duration = Duration::from_millis(100);

async fn transact_in_turn(
    session: &Session,
    batch: &mut [Box<dyn Attempt>],
    shared: &Shared,
) -> Result<Changed, StoreError> {
    let mut transacting = pin!(transact(session, batch, shared));
    let in_time = tokio::time::timeout(LONGEST_TURN, &mut transacting).await;
    session.release();
    match in_time {
        Ok(done) => done,
        Err(_) => transacting.await,
    }
}

async fn transact(session: &Session, batch: &mut [Box<dyn Attempt>], shared: &Shared) -> Result<Changed, StoreError> {
    let around = shared.surroundings();
    let done = futures_util::try_join!(session.begin(), work(session, batch, &around)).map(|(_, changed)| changed);
    if done.is_err() && session.is_open() {
        session.execute("ROLLBACK").await?;
    }
    done
}
