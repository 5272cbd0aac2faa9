//! The clock: the one place that asks the machine for the time.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use engine::time::Time;

/// The time of day, never going back: a clock that is set back stands still until it has caught up.
#[derive(Default)]
pub(crate) struct Clock(AtomicI64);

impl Clock {
    /// The moment.
    #[expect(clippy::disallowed_methods, reason = "this is the clock the others are told the time by")]
    pub(crate) fn now(&self) -> Time {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(since.as_micros()).unwrap_or(i64::MAX - 1);
        Time(self.0.fetch_max(now, Ordering::Relaxed).max(now))
    }
}

/// Measures how long something took, for the metrics.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "measures for the metrics; decides nothing")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Records the seconds since the start under a name.
    pub(crate) fn record(self, name: &'static str) {
        metrics::histogram!(name).record(self.0.elapsed().as_secs_f64());
    }
}
