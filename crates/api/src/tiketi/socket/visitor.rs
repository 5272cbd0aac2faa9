//! One client: whose it is, how fast it may talk, and that what it says is done in order.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use desk::Time;
use engine::id::UserId;
use futures_util::FutureExt as _;
use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit};

/// How many messages a client may send at once, and after that one every so often.
const BURST: i64 = 30;
/// In microseconds.
const PACE: i64 = 100_000;
/// The most messages of a client that wait for their turn.
const MOST_WAITING: u32 = 30;

/// One client.
pub struct Visitor {
    /// Whose socket it is.
    pub user: UserId,
    turns: Arc<Mutex<()>>,
    waiting: AtomicU32,
    /// When it has made up for all it has sent.
    paid_until: AtomicI64,
    /// Given back when the socket is gone.
    _permit: OwnedSemaphorePermit,
}

/// A message's turn: it is done when those before it are.
pub struct Turn {
    visitor: Arc<Visitor>,
    turn: Place,
}

enum Place {
    Now(OwnedMutexGuard<()>),
    Later(Pin<Box<dyn Future<Output = OwnedMutexGuard<()>> + Send>>),
}

impl Visitor {
    /// A person's socket, with a place among all sockets.
    pub fn new(user: UserId, permit: OwnedSemaphorePermit) -> Self {
        Self { user, turns: Arc::default(), waiting: 0.into(), paid_until: 0.into(), _permit: permit }
    }

    /// Takes a turn for a message that has just arrived; `None` where the client talks too fast.
    pub fn turn(self: &Arc<Self>, now: Time) -> Option<Turn> {
        if !self.in_time(now) || self.waiting.load(Ordering::Relaxed) >= MOST_WAITING {
            return None;
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let mut later = self.turns.clone().lock_owned().boxed();
        // Asked for here, where messages come one after the other: the lock is fair, so turns come in that order.
        let turn = match (&mut later).now_or_never() {
            Some(guard) => Place::Now(guard),
            None => Place::Later(later),
        };
        Some(Turn { visitor: self.clone(), turn })
    }

    /// Whether it keeps to the pace (GCRA).
    fn in_time(&self, now: Time) -> bool {
        let next = |paid: i64| {
            let after = paid.max(now.0) + PACE;
            (after - now.0 <= BURST * PACE).then_some(after)
        };
        self.paid_until.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}

impl Turn {
    /// Does something when it is its turn.
    pub async fn then<T>(self, work: impl Future<Output = T>) -> T {
        let _turn = match self.turn {
            Place::Now(guard) => guard,
            Place::Later(later) => later.await,
        };
        let done = work.await;
        self.visitor.waiting.fetch_sub(1, Ordering::Relaxed);
        done
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;

    use super::*;

    fn visitor() -> Arc<Visitor> {
        let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().expect("one is free");
        Arc::new(Visitor::new(UserId(1), permit))
    }

    #[tokio::test]
    async fn messages_are_done_in_the_order_they_came_whoever_runs_first() {
        let (visitor, done) = (visitor(), Arc::new(parking_lot::Mutex::new(Vec::new())));
        let turns: Vec<Turn> = (0..5).map(|_| visitor.turn(Time(1)).expect("in time")).collect();
        let tasks = turns.into_iter().enumerate().rev().map(|(number, turn)| {
            let done = done.clone();
            turn.then(async move { done.lock().push(number) })
        });
        futures_util::future::join_all(tasks).await;
        assert_eq!(*done.lock(), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_client_that_talks_too_fast_is_not_heard_until_it_has_waited() {
        let visitor = visitor();
        let heard = (0..100).filter(|_| visitor.in_time(Time(1_000_000))).count();
        assert_eq!(heard, 30);
        assert!(visitor.in_time(Time(1_000_000 + PACE)));
        assert!(!visitor.in_time(Time(1_000_000 + PACE)));
    }
}
