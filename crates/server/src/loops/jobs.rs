//! Jobs: performed as they are made, or found in the store when nobody has; each until it is done.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::AppState;
use api::errands::ErrandFailed;
use desk::{Desk, Stopped};
use engine::id::JobId;
use engine::jobs::{Duty, FinishJobs, Job, PutOffJobs, TakeJobs};
use engine::time::Span;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::{Next, text};

/// Jobs of a duty under way at once.
const AT_ONCE: usize = 64;
/// New jobs that wait for their turn here; more are left for whoever finds them.
const WAITING: usize = 256;
/// How often the store is asked for jobs that nobody has, which were made elsewhere or are tried again: those of the till,
/// and others. Where much is sold a look is dear, since it passes by what others are at work on.
const POLL_TILL: Duration = Duration::from_millis(50);
const POLL_OTHERS: Duration = Duration::from_millis(250);
/// The longest wait for new ones.
const LONGEST_WAIT: Duration = Duration::from_millis(50);
/// What jobs under way get when the server stops.
const GRACE: Duration = Duration::from_secs(10);
/// Whoever took a job has this long before somebody else may, unless it says that it is still at it. Short, so that
/// what a process left behind that was killed is soon done by another.
const LEASE: Span = Span::seconds(5);
const LEASES_RENEWED: Duration = Duration::from_millis(1_500);
/// What has to be left of a lease when a job is begun, so that it is renewed before it ends.
const MARGIN: Span = Span::seconds(3);
/// How long a job waits for which there was no room.
const A_WHILE: Span = Span::seconds(1);
/// The longest wait between two attempts at a job, in seconds.
const LONGEST_RETRY: i64 = 3_600;

/// The jobs that this process is at work on.
type UnderWay = Arc<Mutex<BTreeSet<JobId>>>;

/// A job that is done, and the room it takes until that is noted.
type Done = (JobId, OwnedSemaphorePermit);

/// Takes over what a process left behind that was killed on this store.
///
/// # Errors
/// When the store cannot be written.
pub async fn take_over(desk: &Desk) -> Result<(), Stopped> {
    match desk.take_over_jobs(LEASE).await? {
        0 => {}
        jobs => tracing::info!(jobs, "jobs of the last run are taken over"),
    }
    Ok(())
}

/// What performs the jobs of a duty. Cheap to clone.
#[derive(Clone)]
pub(super) struct Jobs {
    state: AppState,
    duty: Duty,
    room: Arc<Semaphore>,
    under_way: UnderWay,
    done: mpsc::Sender<Done>,
    new: Arc<tokio::sync::Mutex<mpsc::Receiver<Job>>>,
}

impl Jobs {
    pub(super) fn start(state: &AppState, duty: Duty) -> Self {
        let (done, noting) = mpsc::channel(AT_ONCE);
        // Ends by itself, behind the last job.
        tokio::spawn(note_done(state.desk.clone(), noting));
        Self {
            state: state.clone(),
            duty,
            room: Arc::new(Semaphore::new(AT_ONCE)),
            under_way: UnderWay::default(),
            done,
            new: Arc::new(tokio::sync::Mutex::new(state.desk.new_jobs(duty, WAITING, LEASE))),
        }
    }

    /// Lets new jobs run as they come, for a while; waits for none of them.
    pub(super) async fn perform_new(self) -> Result<Next, String> {
        // No more than there is room for: they wait where they can be left.
        let most = self.room.available_permits().max(1);
        let mut some = Vec::with_capacity(most);
        // Without a desk that makes any more there is nothing to hurry for.
        let come =
            tokio::time::timeout(LONGEST_WAIT, async { self.new.lock().await.recv_many(&mut some, most).await }).await;
        // What waited here for nearly as long as it was taken for is left for somebody else to find.
        let fresh = self.state.desk.now() + MARGIN;
        some.retain(|job| job.run_at > fresh);
        self.begin(some).await?;
        Ok(if come == Ok(0) { Next::After(LONGEST_WAIT) } else { Next::AtOnce })
    }

    /// Takes up as many due jobs as there is room for and lets them run; waits for none of them.
    pub(super) async fn take_due(self) -> Result<Next, String> {
        let desk = &self.state.desk;
        drop(self.room().await?);
        let free = i64::try_from(self.room.available_permits()).unwrap_or(0).max(1);
        let due = desk.due_jobs(self.duty, free).await.map_err(text)?;
        if due.is_empty() {
            return Ok(Next::After(if self.duty == Duty::Till { POLL_TILL } else { POLL_OTHERS }));
        }
        let taken = desk.run(TakeJobs { jobs: due, lease: LEASE }).await.map_err(text)?;
        self.begin(taken).await?;
        Ok(Next::AtOnce)
    }

    async fn room(&self) -> Result<OwnedSemaphorePermit, String> {
        self.room.clone().acquire_owned().await.map_err(text)
    }

    /// Lets jobs run that were taken up, as soon as there is room. They are leased from now on, so that nobody takes those
    /// that wait; what this process is at work on already is passed over.
    async fn begin(&self, jobs: Vec<Job>) -> Result<(), String> {
        let leased = jobs.into_iter().filter_map(|job| Some((Lease::new(job.id, &self.under_way)?, job)));
        for (lease, job) in leased.collect::<Vec<_>>() {
            let room = self.room().await?;
            let (state, done) = (self.state.clone(), self.done.clone());
            tokio::spawn(async move {
                if let Some(job) = perform(&state, job, lease).await {
                    // Were nobody there to note it, it would be done again.
                    let _ = done.send((job, room)).await;
                }
            });
        }
        Ok(())
    }

    pub(super) async fn renew_leases(self) -> Result<Next, String> {
        let jobs: Vec<JobId> = lock(&self.under_way).iter().copied().collect();
        if !jobs.is_empty() {
            self.state.desk.run(PutOffJobs { jobs, by: LEASE, untried: false }).await.map_err(text)?;
        }
        Ok(Next::After(LEASES_RENEWED))
    }

    /// Waits until the jobs under way are done, or their time is up: then they are tried again at the next start.
    pub(super) async fn finish(self) {
        let all = u32::try_from(AT_ONCE).unwrap_or(u32::MAX);
        let _ = tokio::time::timeout(GRACE, self.room.acquire_many(all)).await;
    }
}

/// Says of a job that somebody is at it, for as long as it is there: a panic ends it too.
struct Lease {
    job: JobId,
    under_way: UnderWay,
}

impl Lease {
    /// None of a job that somebody here is at already.
    fn new(job: JobId, under_way: &UnderWay) -> Option<Self> {
        lock(under_way).insert(job).then(|| Self { job, under_way: under_way.clone() })
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
    let untried = matches!(error, ErrandFailed::Crowded);
    let by = if untried {
        tracing::debug!(job = %format_args!("{:032x}", id.0), %error, "a job will be tried later");
        A_WHILE
    } else {
        tracing::warn!(job = %format_args!("{:032x}", id.0), attempts, %error, "a job failed and will be tried again");
        pause_after(attempts)
    };
    if let Err(error) = state.desk.run(PutOffJobs { jobs: vec![id], by, untried }).await {
        tracing::warn!(job = %format_args!("{:032x}", id.0), %error, "what became of a job was not noted");
    }
    None
}

/// Notes what is done: with each command all that was done while the last one was under way.
async fn note_done(desk: Desk, mut done: mpsc::Receiver<Done>) {
    let mut some = Vec::with_capacity(AT_ONCE);
    while done.recv_many(&mut some, AT_ONCE).await > 0 {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_put_off_longer_and_longer_up_to_an_hour() {
        let wait = |attempts| pause_after(attempts).0 / 1_000_000;
        assert_eq!([wait(0), wait(1), wait(2), wait(6), wait(13), wait(u32::MAX)], [1, 1, 2, 32, 3_600, 3_600]);
    }
}
