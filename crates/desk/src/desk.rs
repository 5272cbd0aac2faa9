//! The desk itself: opening a store, running commands on it, closing it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use engine::command::Command;
use engine::refusal::Refusal;
use engine::time::Time;
use futures_util::future::BoxFuture;
use parking_lot::RwLock;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::gather::{
    Attempt, MOST_UNFLUSHED, Pending, Queue, Render, Shared, Told, flush_sqlite, gather_postgres, gather_sqlite,
};
use crate::migrations::{self, SCHEMA, Spelling, VERSION, pending};
use crate::reads::Reads;
use crate::store::StoreError;
use crate::stream::{LAST, Stream};
use crate::tables::StoredAnswer;
use crate::{Answer, DeskConfig, Once, Stopped, StoreConfig, Unavailable, postgres, sqlite, tail};

/// The desk: the one place through which the store is changed and read. Cheap to clone.
#[derive(Clone)]
pub struct Desk(pub(crate) Arc<Inside>);

pub(crate) struct Inside {
    sender: RwLock<Option<mpsc::Sender<Box<dyn Attempt>>>>,
    /// Closed when the last gatherer is done.
    done: Mutex<mpsc::Receiver<()>>,
    pub(crate) reads: Reads,
    pub(crate) shared: Arc<Shared>,
}

/// 64 bits nobody can guess.
fn entropy() -> Result<u64, Unavailable> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| Unavailable(error.to_string()))?;
    Ok(u64::from_le_bytes(bytes))
}

fn shared(batch: usize) -> Result<Shared, Unavailable> {
    Ok(Shared {
        clock: crate::clock::Clock::default(),
        catalogue: crate::catalogue::Catalogue::default(),
        views: crate::views::Views::default(),
        programme: crate::programme::Programme::default(),
        node: (entropy()? >> 1).cast_signed(),
        batch: batch.max(1),
        seeds: AtomicU64::new(entropy()?),
        hasher: std::collections::hash_map::RandomState::new(),
        unwell: AtomicBool::new(false),
        torn: AtomicBool::new(false),
        stream: Stream::default(),
        follower: crate::lanes::FollowerSlot::default(),
        node_words: crate::nodes::NodeWords::default(),
        performers: crate::performer::Performers::default(),
    })
}

impl Desk {
    /// Opens the store, bringing its tables up to date, and starts gathering.
    ///
    /// In a box: else both drivers would be compiled again in whoever opens a desk.
    ///
    /// # Errors
    /// Where the store cannot be reached, or is newer than this program.
    pub fn open(config: DeskConfig) -> BoxFuture<'static, Result<Desk, Unavailable>> {
        Box::pin(Desk::start(config))
    }

    async fn start(config: DeskConfig) -> Result<Desk, Unavailable> {
        let shared = Arc::new(shared(config.batch)?);
        let (sender, receiver) = mpsc::channel(config.queue.max(1));
        let (running, done) = mpsc::channel(1);
        let queue: Queue = Arc::new(Mutex::new(receiver));
        let (reads, is_postgres) = match &config.store {
            StoreConfig::Sqlite(folder) => {
                let reads = Reads::Sqlite(start_sqlite(folder, &config, queue, shared.clone(), running)?);
                shared.stream.moved(reads.number(LAST, Vec::new()).await?.cast_unsigned());
                (reads, false)
            }
            StoreConfig::Postgres(url) => {
                let reads = start_postgres(url, &config, &queue, &shared, &running).await?;
                (Reads::Postgres(reads), true)
            }
        };
        let sender = RwLock::new(Some(sender));
        let desk = Desk(Arc::new(Inside { sender, done: Mutex::new(done), reads, shared }));
        if is_postgres {
            tokio::spawn(tail::follow(Arc::downgrade(&desk.0)));
        }
        Ok(desk)
    }

    /// Opens the store to read only, beside whoever writes. Commands find it shut.
    ///
    /// # Errors
    /// Where the store cannot be reached, or has another schema than this program.
    pub fn open_to_read(config: DeskConfig) -> BoxFuture<'static, Result<Desk, Unavailable>> {
        Box::pin(Desk::start_to_read(config))
    }

    async fn start_to_read(config: DeskConfig) -> Result<Desk, Unavailable> {
        let shared = Arc::new(shared(config.batch)?);
        let reads = match &config.store {
            StoreConfig::Sqlite(folder) => Reads::Sqlite(sqlite::Readers::open(folder, config.readers)?),
            StoreConfig::Postgres(url) => {
                Reads::Postgres(postgres::Readers::open(&postgres::Address::parse(url)?, config.readers)?)
            }
        };
        let (_, done) = mpsc::channel(1);
        let version = reads.number(VERSION, Vec::new()).await?;
        if version != migrations::KNOWN {
            let known = migrations::KNOWN;
            return Err(Unavailable(format!("the store has schema {version}, this program reads {known}")));
        }
        shared.stream.moved(reads.number(LAST, Vec::new()).await?.cast_unsigned());
        Ok(Desk(Arc::new(Inside { sender: RwLock::new(None), done: Mutex::new(done), reads, shared })))
    }

    /// Runs a command: waits for its batch to be durable.
    ///
    /// # Errors
    /// The refusal, or why there was no verdict.
    pub async fn run<C: Command>(&self, command: C) -> Result<C::Reply, Stopped> {
        match self.submit(command, None).await? {
            Told::Verdict(result, _) => Ok(result?),
            Told::Replayed(_) => Err(Stopped::Unavailable("a command without a key was replayed".to_owned())),
        }
    }

    /// Runs a command whose answer is kept under an idempotency key, in the same transaction. `render` makes the
    /// answer of the reply or the refusal; without a key the command is simply run and rendered.
    ///
    /// # Errors
    /// Why there was no verdict; [`Refusal::KeyReused`] where the key stands for another request, and refusals that are
    /// not the last word ([`Command::is_final`]).
    pub async fn run_once<C: Command>(
        &self,
        command: C,
        once: Option<Once>,
        render: Render<C::Reply>,
    ) -> Result<Answer, Stopped> {
        let Some(once) = once else {
            return match self.submit(command, None).await? {
                Told::Verdict(Err(refusal), _) if !C::is_final(&refusal) => Err(refusal.into()),
                Told::Verdict(result, _) => Ok(render(result.as_ref())),
                Told::Replayed(answer) => Ok(answer),
            };
        };
        match self.submit(command, Some((once, render))).await? {
            Told::Verdict(_, Some(answer)) | Told::Replayed(answer) => Ok(answer),
            Told::Verdict(Err(refusal), None) => Err(refusal.into()),
            Told::Verdict(Ok(_), None) => Err(Stopped::Unavailable("an answer was not kept".to_owned())),
        }
    }

    /// The answer kept under a key, for requests of more than one step.
    ///
    /// # Errors
    /// [`Refusal::KeyReused`] where the key stands for another request; else where the store cannot be reached.
    pub async fn replay(&self, once: &Once) -> Result<Option<Answer>, Stopped> {
        let found = self.0.reads.get::<StoredAnswer>(&once.key).await;
        let found = found.map_err(|Unavailable(why)| Stopped::Unavailable(why))?;
        if found.is_some() && !self.is_shared() {
            // SQLite shows a commit before it is on the disk, and whoever asks again must not be told sooner than that: what
            // is written now is flushed after it.
            self.chore(PROBE, Vec::new()).await?;
        }
        match found {
            None => Ok(None),
            Some(kept) if kept.request[..] == once.request[..] => {
                Ok(Some(Answer { status: kept.status, body: kept.body, replayed: true }))
            }
            Some(_) => Err(Refusal::KeyReused.into()),
        }
    }

    /// The moment, as the desk's clock has it.
    #[must_use]
    pub fn now(&self) -> Time {
        self.0.shared.clock.now()
    }

    /// Stops taking commands and finishes those waiting.
    pub async fn close(&self) {
        self.0.sender.write().take();
        // Nothing is ever sent: it ends when the last gatherer drops its end.
        self.0.done.lock().await.recv().await;
    }

    /// Whether the store answers reads and takes batches.
    ///
    /// # Errors
    /// Why not.
    pub async fn ready(&self) -> Result<(), Unavailable> {
        self.0.reads.number("SELECT COUNT(*) FROM schema_version", Vec::new()).await?;
        if self.0.shared.unwell.load(Ordering::Relaxed) {
            self.chore(PROBE, Vec::new()).await.map_err(|stopped| Unavailable(stopped.to_string()))?;
        }
        Ok(())
    }

    pub(crate) fn queued(&self) -> usize {
        self.0.sender.read().as_ref().map_or(0, |sender| sender.max_capacity() - sender.capacity())
    }

    async fn submit<C: Command>(
        &self,
        command: C,
        once: Option<(Once, Render<C::Reply>)>,
    ) -> Result<Told<C::Reply>, Stopped> {
        let (caller, verdict) = oneshot::channel();
        let pending: Box<dyn Attempt> = Box::new(Pending { command, once, told: None, caller });
        self.enqueue(pending)?;
        verdict.await.map_err(|_| closing())?
    }

    pub(crate) fn enqueue(&self, attempt: Box<dyn Attempt>) -> Result<(), Stopped> {
        let sender = self.0.sender.read();
        let sent = sender.as_ref().ok_or_else(closing)?.try_send(attempt);
        sent.map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Stopped::Busy,
            mpsc::error::TrySendError::Closed(_) => closing(),
        })
    }
}

fn closing() -> Stopped {
    Stopped::Unavailable("the server is shutting down".to_owned())
}

/// Writes what is there already, to see whether writing works again.
pub(crate) const PROBE: &str = "UPDATE schema_version SET version = version";

fn start_sqlite(
    folder: &Path,
    config: &DeskConfig,
    queue: Queue,
    shared: Arc<Shared>,
    running: mpsc::Sender<()>,
) -> Result<sqlite::Readers, Unavailable> {
    let writer = sqlite::Writer::open(folder)?;
    writer.execute(SCHEMA)?;
    for text in sqlite::at_once(pending(&writer, Spelling::Sqlite))? {
        writer.execute(&format!("BEGIN IMMEDIATE;\n{text}\nCOMMIT"))?;
    }
    // A first write makes the log, so that it is there to be flushed.
    writer.execute("CREATE TABLE IF NOT EXISTS opened (at BIGINT); DROP TABLE opened")?;
    let flusher = sqlite::Flusher::open(folder)?;
    // What a process that was killed left behind is there to be read, but perhaps not on the disk yet.
    flusher.flush()?;
    let checkpointer = sqlite::Checkpointer::open(folder)?;
    let readers = sqlite::Readers::open(folder, config.readers)?;
    let (committed, to_flush) = std::sync::mpsc::sync_channel(MOST_UNFLUSHED);
    let gathering = shared.clone();
    let flushing = shared.clone();
    let turn = Arc::new(sqlite::Turn::default());
    let writers = turn.clone();
    start("maepyo-writer", move || gather_sqlite(&writer, &writers, &queue, &gathering, &committed))?;
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    start("maepyo-flusher", move || {
        flush_sqlite(&flusher, &to_flush, &flushing);
        drop((stop, running));
    })?;
    start("maepyo-checkpointer", move || {
        while stopped.recv_timeout(CHECKPOINT_EVERY) == Err(RecvTimeoutError::Timeout) {
            match checkpointer.copy(&turn, &shared) {
                Ok(()) => {}
                Err(StoreError::Torn(error)) => {
                    tracing::error!(error, "the log is no longer copied back");
                    shared.tear();
                    break;
                }
                Err(error) => tracing::warn!(%error, "the log could not be copied back"),
            }
        }
        if shared.is_torn() {
            checkpointer.keep_log();
        }
    })?;
    Ok(readers)
}

/// How often the log is copied back into the database.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);

fn start(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Unavailable> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map(drop).map_err(|error| Unavailable(error.to_string()))
}

async fn start_postgres(
    url: &str,
    config: &DeskConfig,
    queue: &Queue,
    shared: &Arc<Shared>,
    running: &mpsc::Sender<()>,
) -> Result<postgres::Readers, Unavailable> {
    let address = postgres::Address::parse(url)?;
    let session = postgres::Session::open(&address).await?;
    // One node at a time brings the tables up to date; the others wait and find it done.
    session.execute("SELECT pg_advisory_lock(7310294861)").await?;
    session.execute(SCHEMA).await?;
    for text in pending(&session, Spelling::Postgres).await? {
        session.execute(&format!("BEGIN;\n{text}\nCOMMIT")).await?;
    }
    session.execute("SELECT pg_advisory_unlock(7310294861)").await?;
    for _ in 0..config.gatherers.max(1) {
        let (address, queue, shared, running) = (address.clone(), queue.clone(), shared.clone(), running.clone());
        tokio::spawn(async move {
            gather_postgres(address, queue, shared).await;
            drop(running);
        });
    }
    Ok(postgres::Readers::open(&address, config.readers)?)
}

#[cfg(test)]
mod tests {
    use engine::id::UserId;
    use engine::people::{AdoptUser, Role};

    use super::*;

    async fn open(folder: &Path) -> Desk {
        let store = StoreConfig::Sqlite(folder.to_owned());
        Desk::open(DeskConfig { store, queue: 16, batch: 16, gatherers: 1, readers: 1 }).await.expect("it opens")
    }

    fn somebody(n: u128) -> AdoptUser {
        AdoptUser { id: UserId(n), email: format!("{n}@example.com"), role: Role::User }
    }

    #[tokio::test]
    async fn nothing_follows_what_the_disk_lost_until_it_is_opened_anew() {
        let folder = std::env::temp_dir().join(format!("maepyo_torn_{}", std::process::id()));
        let desk = open(&folder).await;
        desk.run(somebody(1)).await.expect("taken in");
        desk.ready().await.expect("it is well");
        desk.0.shared.tear();
        let refused = desk.run(somebody(2)).await;
        assert!(matches!(refused, Err(Stopped::Unavailable(_))), "{refused:?}");
        assert!(desk.ready().await.is_err());
        desk.close().await;
        drop(desk);
        let again = open(&folder).await;
        for (n, there) in [(1, true), (2, false)] {
            assert_eq!(again.user(UserId(n)).await.expect("a look").is_some(), there);
        }
        again.close().await;
        let _ = std::fs::remove_dir_all(&folder);
    }
}
