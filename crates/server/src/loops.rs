//! Background loops: expiry, jobs, tidying. Nothing depends on their being on time.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::AppState;
use api::indexing::Indexer;
use desk::{Desk, Stopped};
use engine::holds::ExpireReservation;
use engine::id::JobId;
use engine::jobs::{FinishJobs, Job, PutOffJobs, TakeJobs};
use engine::lanes::ForgetPlaces;
use engine::messages::{CallReminder, Lead};
use engine::time::{Span, Time};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

/// Lapsed holds tidied up in one go.
const EXPIRY_PAGE: usize = 1_000;
const EXPIRY_PULSE: Duration = Duration::from_millis(500);
/// Jobs under way at once.
const JOBS_AT_ONCE: usize = 64;
const JOBS_POLL: Duration = Duration::from_millis(50);
/// What jobs under way get when the server stops.
const JOBS_GRACE: Duration = Duration::from_secs(10);
/// How often the search index looks for what changed.
const INDEX_EVERY: Duration = Duration::from_millis(200);
/// How often the event stream is looked at by those who tell others.
const FOLLOW_PULSE: Duration = Duration::from_millis(100);
const REMIND_EVERY: Duration = Duration::from_secs(5);
/// Events of which people are reminded in one go.
const REMIND_PAGE: i64 = 100;
const METRICS_EVERY: Duration = Duration::from_secs(5);
const TIDY_EVERY: Duration = Duration::from_secs(600);
/// How long people can see what became of their place in the waiting room.
const PLACES_KEPT: Span = Span::seconds(3 * 24 * 3_600);
/// Places forgotten in one go.
const PLACES_PAGE: i64 = 1_000;
/// The longest wait after an error.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(5);
/// Whoever took a job has this long before somebody else may, unless it says that it is still at it. Short, so that
/// what a process left behind that was killed is soon done by another.
const JOB_LEASE: Span = Span::seconds(5);
const LEASES_RENEWED: Duration = Duration::from_millis(1_500);
/// The longest wait between two attempts at a job, in seconds.
const LONGEST_RETRY: i64 = 3_600;

/// When the next step is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    AtOnce,
    After(Duration),
}

/// The loops, running.
pub struct Loops {
    running: Vec<JoinHandle<()>>,
    room: Arc<Semaphore>,
}

/// The jobs that this process is at work on.
type UnderWay = Arc<Mutex<BTreeSet<JobId>>>;

/// A job that is done, and the room it takes until that is noted.
type Done = (JobId, OwnedSemaphorePermit);

/// Takes over what a process left behind that was killed on this store.
///
/// # Errors
/// When the store cannot be written.
pub async fn take_over(desk: &Desk) -> Result<(), Stopped> {
    match desk.take_over_jobs(JOB_LEASE).await? {
        0 => {}
        jobs => tracing::info!(jobs, "jobs of the last run are taken over"),
    }
    Ok(())
}

/// Starts all loops. Each ends its step and returns when `stop` turns true.
pub fn start(state: &AppState, stop: &watch::Receiver<bool>) -> Loops {
    let room = Arc::new(Semaphore::new(JOBS_AT_ONCE));
    let under_way = UnderWay::default();
    let (expiry, tidying) = (state.desk.clone(), state.desk.clone());
    let indexer = Arc::new(Indexer::new(state));
    let (people, webhooks, reminders) = (state.clone(), state.clone(), state.desk.clone());
    let (jobs, own, metrics) = (state.clone(), room.clone(), state.clone());
    let (leases, held) = (state.desk.clone(), under_way.clone());
    let (done, noting) = mpsc::channel(JOBS_AT_ONCE);
    // Ends by itself, behind the last job.
    tokio::spawn(note_done(state.desk.clone(), noting));
    let running = vec![
        start_loop("expiry", stop, move || expire(expiry.clone())),
        start_loop("jobs", stop, move || take_jobs(jobs.clone(), own.clone(), under_way.clone(), done.clone())),
        start_loop("leases", stop, move || renew_leases(leases.clone(), held.clone())),
        start_loop("messages", stop, move || tell_people(people.clone())),
        start_loop("webhooks", stop, move || tell_webhooks(webhooks.clone())),
        start_loop("reminders", stop, move || call_reminders(reminders.clone())),
        start_loop("tidy", stop, move || tidy(tidying.clone())),
        start_loop("search", stop, move || index(indexer.clone())),
        tokio::spawn(api::tiketi::socket::attend(state.clone(), stop.clone())),
        start_loop("metrics", stop, move || drain_metrics(metrics.clone())),
    ];
    Loops { running, room }
}

impl Loops {
    /// Waits until all have ended and the jobs under way are done, or their time is up: then they are
    /// tried again at the next start.
    pub async fn finish(self) {
        for running in self.running {
            // A loop survives its steps; if it did not, there is nothing to wait for.
            let _ = running.await;
        }
        let all = u32::try_from(JOBS_AT_ONCE).unwrap_or(u32::MAX);
        let _ = tokio::time::timeout(JOBS_GRACE, self.room.acquire_many(all)).await;
    }
}

/// One step of a loop. In a box, so that what takes steps is compiled once for all.
type Step = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<Next, String>> + Send>> + Send + Sync>;

fn start_loop<S>(
    name: &'static str,
    stop: &watch::Receiver<bool>,
    step: impl Fn() -> S + Send + Sync + 'static,
) -> JoinHandle<()>
where
    S: Future<Output = Result<Next, String>> + Send + 'static,
{
    let step: Step = Box::new(move || Box::pin(step()));
    tokio::spawn(repeat(name, stop.clone(), step))
}

/// Takes steps until `stop`; after an error or a panic it waits longer and longer.
async fn repeat(name: &'static str, mut stop: watch::Receiver<bool>, step: Step) {
    let mut failures: u32 = 0;
    while !*stop.borrow() {
        // A task of its own, so that a panic ends the step and not the loop.
        let stepped = tokio::spawn(step()).await.unwrap_or_else(|panic| Err(panic.to_string()));
        failures = if stepped.is_ok() { 0 } else { failures.saturating_add(1) };
        let pause = stepped.unwrap_or_else(|error| {
            tracing::warn!(name, error, failures, "a background loop failed and goes on");
            Next::After(back_off(failures))
        });
        if let Next::After(pause) = pause {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
        }
    }
}

fn back_off(failures: u32) -> Duration {
    Duration::from_millis(100).saturating_mul(1 << failures.min(10)).min(LONGEST_BACK_OFF)
}

fn text(error: impl Display) -> String {
    error.to_string()
}

async fn expire(desk: Desk) -> Result<Next, String> {
    let page = i64::try_from(EXPIRY_PAGE).unwrap_or(i64::MAX);
    let lapsed = desk.lapsed(page).await.map_err(text)?;
    let full = lapsed.len() == EXPIRY_PAGE;
    let mut running = JoinSet::new();
    for reservation in lapsed {
        let desk = desk.clone();
        running.spawn(async move { desk.run(ExpireReservation { reservation }).await });
    }
    let mut tidied = false;
    while let Some(expired) = running.join_next().await {
        match expired.map_err(text)? {
            Ok(expired) => tidied |= expired,
            // It is gone, so there is nothing left to tidy up.
            Err(Stopped::Refused(_)) => {}
            Err(stopped) => return Err(text(stopped)),
        }
    }
    Ok(if full && tidied { Next::AtOnce } else { Next::After(EXPIRY_PULSE) })
}

/// Takes up as many due jobs as there is room for and lets them run; waits for none of them.
async fn take_jobs(
    state: AppState,
    room: Arc<Semaphore>,
    under_way: UnderWay,
    done: mpsc::Sender<Done>,
) -> Result<Next, String> {
    let desk = &state.desk;
    let first = room.clone().acquire_owned().await.map_err(text)?;
    let free = i64::try_from(room.available_permits()).unwrap_or(0) + 1;
    drop(first);
    let due = desk.due_jobs(free).await.map_err(text)?;
    if due.is_empty() {
        return Ok(Next::After(JOBS_POLL));
    }
    let retry_at = |now: Time, _| now + JOB_LEASE;
    for job in desk.run(TakeJobs { jobs: due, retry_at }).await.map_err(text)? {
        let lease = Lease::new(job.id, &under_way);
        let permit = room.clone().acquire_owned().await.map_err(text)?;
        let (state, done) = (state.clone(), done.clone());
        tokio::spawn(async move {
            if let Some(job) = perform(&state, job, lease).await {
                // Were nobody there to note it, it would be done again.
                let _ = done.send((job, permit)).await;
            }
        });
    }
    Ok(Next::AtOnce)
}

/// Says of a job that somebody is at it, for as long as it is there: a panic ends it too.
struct Lease {
    job: JobId,
    under_way: UnderWay,
}

impl Lease {
    fn new(job: JobId, under_way: &UnderWay) -> Self {
        lock(under_way).insert(job);
        Self { job, under_way: under_way.clone() }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        lock(&self.under_way).remove(&self.job);
    }
}

/// Whoever panicked with it left it whole: it is a set, changed in one go.
fn lock(under_way: &UnderWay) -> MutexGuard<'_, BTreeSet<JobId>> {
    under_way.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn renew_leases(desk: Desk, under_way: UnderWay) -> Result<Next, String> {
    let jobs: Vec<JobId> = lock(&under_way).iter().copied().collect();
    if !jobs.is_empty() {
        desk.run(PutOffJobs { jobs, by: JOB_LEASE }).await.map_err(text)?;
    }
    Ok(Next::After(LEASES_RENEWED))
}

/// Does a job; gives it back when it is done, else puts it off.
async fn perform(state: &AppState, job: Job, lease: Lease) -> Option<JobId> {
    let (id, attempts) = (job.id, job.attempts);
    let done = api::errands::perform(state, job).await;
    // Before what is said last of it: a renewal after that would call it back.
    drop(lease);
    let error = match done {
        Ok(()) => return Some(id),
        Err(error) => error,
    };
    tracing::warn!(job = %format_args!("{:032x}", id.0), attempts, %error, "a job failed and will be tried again");
    if let Err(error) = state.desk.run(PutOffJobs { jobs: vec![id], by: pause_after(attempts) }).await {
        tracing::warn!(job = %format_args!("{:032x}", id.0), %error, "what became of a job was not noted");
    }
    None
}

/// Notes what is done: with each command all that was done while the last one was under way.
async fn note_done(desk: Desk, mut done: mpsc::Receiver<Done>) {
    let mut some = Vec::with_capacity(JOBS_AT_ONCE);
    while done.recv_many(&mut some, JOBS_AT_ONCE).await > 0 {
        let jobs = some.iter().map(|(job, _)| *job).collect();
        if let Err(error) = desk.run(FinishJobs { jobs }).await {
            tracing::warn!(jobs = some.len(), %error, "jobs that are done were not noted, and will be done again");
        }
        some.clear();
    }
}

/// How long a job waits that failed so many times: 1, 2, 4 … seconds, at most an hour.
fn pause_after(attempts: u32) -> Span {
    let doubled = 1_i64.checked_shl(attempts.saturating_sub(1).min(20)).unwrap_or(LONGEST_RETRY);
    Span::seconds(doubled.min(LONGEST_RETRY))
}

/// Queues the messages that bookings call for.
async fn tell_people(state: AppState) -> Result<Next, String> {
    let pause = api::messages::follow(&state).await.map_err(text)?;
    Ok(Next::After(pause.max(FOLLOW_PULSE)))
}

/// Queues what webhooks are to be told.
async fn tell_webhooks(state: AppState) -> Result<Next, String> {
    let more = api::webhooks::follow(&state).await.map_err(text)?;
    Ok(if more { Next::AtOnce } else { Next::After(FOLLOW_PULSE) })
}

/// Has people reminded of what begins soon.
async fn call_reminders(desk: Desk) -> Result<Next, String> {
    for lead in Lead::ALL {
        for event in desk.events_to_remind(lead, REMIND_PAGE).await.map_err(text)? {
            desk.run(CallReminder { event, lead }).await.map_err(text)?;
        }
    }
    Ok(Next::After(REMIND_EVERY))
}

async fn tidy(desk: Desk) -> Result<Next, String> {
    let rows = desk.tidy().await.map_err(text)? + forget_places(&desk).await?;
    if rows > 0 {
        tracing::info!(rows, "tidied up");
    }
    Ok(Next::After(TIDY_EVERY))
}

/// Takes into the search index what happened.
async fn index(indexer: Arc<Indexer>) -> Result<Next, String> {
    indexer.catch_up().await.map_err(text)?;
    Ok(Next::After(INDEX_EVERY))
}

/// Forgets places in the waiting room that are long over.
async fn forget_places(desk: &Desk) -> Result<u64, String> {
    let mut total = 0;
    loop {
        let before = Time(desk.now().0 - PLACES_KEPT.0);
        let places = desk.places_over(before, PLACES_PAGE).await.map_err(text)?;
        let gone = desk.run(ForgetPlaces { places, before }).await.map_err(text)?;
        if gone == 0 {
            return Ok(total);
        }
        total += gone as u64;
    }
}

/// What was measured is kept in full until it is drained.
async fn drain_metrics(state: AppState) -> Result<Next, String> {
    state.metrics.run_upkeep();
    Ok(Next::After(METRICS_EVERY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn attempts_are_put_off_longer_and_longer_up_to_an_hour() {
        let wait = |attempts| pause_after(attempts).0 / 1_000_000;
        assert_eq!([wait(0), wait(1), wait(2), wait(6), wait(13), wait(u32::MAX)], [1, 1, 2, 32, 3_600, 3_600]);
        assert_eq!(back_off(u32::MAX), LONGEST_BACK_OFF);
    }

    #[tokio::test]
    async fn a_loop_goes_on_after_an_error_and_a_panic_and_ends_when_told() {
        let (tell, stop) = watch::channel(false);
        let tell = Arc::new(tell);
        let steps = Arc::new(AtomicU32::new(0));
        let counted = steps.clone();
        let step = move || {
            let (tell, step) = (tell.clone(), counted.fetch_add(1, Ordering::SeqCst));
            async move {
                match step {
                    0 => Err("an error".to_owned()),
                    1 => panic!("a panic"),
                    2 => Ok(Next::AtOnce),
                    _ => {
                        tell.send_replace(true);
                        Ok(Next::After(TIDY_EVERY))
                    }
                }
            }
        };
        start_loop("test", &stop, step).await.expect("the loop outlives its steps");
        assert_eq!(steps.load(Ordering::SeqCst), 4);
    }
}
