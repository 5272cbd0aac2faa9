//! Background loops: expiry, jobs, tidying. Nothing depends on their being on time.

mod jobs;

use std::fmt::Display;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use api::AppState;
use api::indexing::Indexer;
use desk::{Desk, Stopped};
use engine::holds::ExpireReservation;
use engine::jobs::Duty;
use engine::lanes::ForgetPlaces;
use engine::messages::{CallReminder, Lead};
use engine::time::{Span, Time};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use self::jobs::Jobs;
pub use self::jobs::take_over;

/// Lapsed holds tidied up in one go.
const EXPIRY_PAGE: usize = 1_000;
const EXPIRY_PULSE: Duration = Duration::from_millis(500);
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

/// When the next step is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    AtOnce,
    After(Duration),
}

/// The loops, running.
pub struct Loops {
    running: Vec<JoinHandle<()>>,
    jobs: [Jobs; Duty::ALL.len()],
    /// They go on for as long as jobs do.
    leases: Vec<JoinHandle<()>>,
    end_leases: watch::Sender<bool>,
}

/// Starts all loops. Each ends its step and returns when `stop` turns true.
pub fn start(state: &AppState, stop: &watch::Receiver<bool>) -> Loops {
    let jobs = Duty::ALL.map(|duty| Jobs::start(state, duty));
    let (end_leases, jobs_over) = watch::channel(false);
    let leases = jobs.iter().map(|jobs| {
        let jobs = jobs.clone();
        start_loop("leases", &jobs_over, move || jobs.clone().renew_leases())
    });
    let leases = leases.collect();
    let (expiry, tidying) = (state.desk.clone(), state.desk.clone());
    let indexer = Arc::new(Indexer::new(state));
    let (people, webhooks, reminders) = (state.clone(), state.clone(), state.desk.clone());
    let metrics = state.clone();
    let mut running = vec![
        start_loop("expiry", stop, move || expire(expiry.clone())),
        start_loop("messages", stop, move || tell_people(people.clone())),
        start_loop("webhooks", stop, move || tell_webhooks(webhooks.clone())),
        start_loop("reminders", stop, move || call_reminders(reminders.clone())),
        start_loop("tidy", stop, move || tidy(tidying.clone())),
        start_loop("search", stop, move || index(indexer.clone())),
        tokio::spawn(api::tiketi::socket::attend(state.clone(), stop.clone())),
        start_loop("metrics", stop, move || drain_metrics(metrics.clone())),
    ];
    for own in &jobs {
        let (new, due) = (own.clone(), own.clone());
        running.push(start_loop("new jobs", stop, move || new.clone().perform_new()));
        running.push(start_loop("due jobs", stop, move || due.clone().take_due()));
    }
    Loops { running, jobs, leases, end_leases }
}

impl Loops {
    /// Waits until all have ended and the jobs under way are done, or their time is up: then they are
    /// tried again at the next start.
    pub async fn finish(self) {
        for running in self.running {
            // A loop survives its steps; if it did not, there is nothing to wait for.
            let _ = running.await;
        }
        let [till, mail, webhooks] = self.jobs.map(Jobs::finish);
        tokio::join!(till, mail, webhooks);
        let _ = self.end_leases.send(true);
        for lease in self.leases {
            let _ = lease.await;
        }
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

/// Queues the messages that bookings call for.
async fn tell_people(state: AppState) -> Result<Next, String> {
    let (more, pause) = api::messages::follow(&state).await.map_err(text)?;
    Ok(Next::After(if more { pause } else { pause.max(FOLLOW_PULSE) }))
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
    fn the_wait_after_errors_has_an_end() {
        assert_eq!(
            [back_off(0), back_off(1), back_off(u32::MAX)],
            [Duration::from_millis(100), Duration::from_millis(200), LONGEST_BACK_OFF]
        );
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
