//! One client: whose it is, how fast it may talk, and that what it says is done in order.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};

use desk::Time;
use engine::id::UserId;
use futures_util::FutureExt as _;
use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit};

use crate::shares::Share;

/// How fast a client may talk.
const TALK: Pace = Pace { burst: 30, every: 100_000 };
/// How fast a client is given snapshots: each is long, and waits in memory until it is read.
const LOOKS: Pace = Pace { burst: 8, every: 4_000_000 };
/// The most messages of a client that wait for their turn.
const MOST_WAITING: u32 = 30;

/// A place among all sockets, and one among those of its person. Given back when it is dropped.
pub type Place = (OwnedSemaphorePermit, Share<UserId>);

/// One client.
pub struct Visitor {
    /// Whose socket it is.
    pub user: UserId,
    /// When the token it came in by runs out.
    until: Time,
    gone: AtomicBool,
    turns: Arc<Mutex<()>>,
    waiting: AtomicU32,
    talked: Paid,
    left: Paid,
    looked: Paid,
    /// Kept for as long as the socket is there.
    _place: Place,
}

/// So many at once, and after that one every so many microseconds (GCRA).
#[derive(Clone, Copy)]
struct Pace {
    burst: i64,
    every: i64,
}

impl Pace {
    /// What is paid until when, once more.
    fn after(self, paid: i64, now: Time) -> Option<i64> {
        let after = paid.max(now.0) + self.every;
        (after - now.0 <= self.burst * self.every).then_some(after)
    }
}

/// When everything that was done is made up for.
#[derive(Default)]
struct Paid(AtomicI64);

impl Paid {
    /// Whether once more keeps to the pace; then it counts.
    fn in_time(&self, pace: Pace, now: Time) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |paid| pace.after(paid, now)).is_ok()
    }

    /// Whether once more would keep to the pace.
    fn is_in_time(&self, pace: Pace, now: Time) -> bool {
        pace.after(self.0.load(Ordering::Relaxed), now).is_some()
    }
}

/// A message's turn: it is done when those before it are.
pub struct Turn {
    slot: Slot,
    waits: Waits,
}

/// Counts a message as one that waits, whatever becomes of it.
struct Waits(Arc<Visitor>);

enum Slot {
    Now(OwnedMutexGuard<()>),
    Later(Pin<Box<dyn Future<Output = OwnedMutexGuard<()>> + Send>>),
}

impl Visitor {
    /// A person's socket, until its token runs out.
    pub fn new(user: UserId, until: Time, place: Place) -> Self {
        let (talked, left, looked) = (Paid::default(), Paid::default(), Paid::default());
        let (gone, turns) = (false.into(), Arc::default());
        Self { user, until, gone, turns, waiting: 0.into(), talked, left, looked, _place: place }
    }

    /// Notes that the socket is gone.
    pub fn go(&self) {
        self.gone.store(true, Ordering::SeqCst);
    }

    /// Whether the socket is gone, or on its way out of its rooms.
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::SeqCst)
    }

    /// Whether its token has run out. One without an end never does.
    pub fn is_over(&self, now: Time) -> bool {
        self.until <= now
    }

    /// Takes a turn for a message that has just arrived; `None` where the client talks too fast. Goodbyes are counted apart:
    /// who has said too much of other things is still let out of a room.
    pub fn turn(self: &Arc<Self>, now: Time, goodbye: bool) -> Option<Turn> {
        let said = if goodbye { &self.left } else { &self.talked };
        if !said.in_time(TALK, now) || self.waiting.load(Ordering::Relaxed) >= MOST_WAITING {
            return None;
        }
        let waits = Waits::new(self);
        let mut later = self.turns.clone().lock_owned().boxed();
        // Asked for here, where messages come one after the other: the lock is fair, so turns come in that order.
        let slot = match (&mut later).now_or_never() {
            Some(guard) => Slot::Now(guard),
            None => Slot::Later(later),
        };
        Some(Turn { slot, waits })
    }

    /// Gives it a snapshot by `send`, which says whether there was room for it. Who asks for more than can have been
    /// read waits for the next. Gives whether it has one.
    pub fn look(&self, now: Time, send: impl FnOnce() -> bool) -> bool {
        self.looked.is_in_time(LOOKS, now) && send() && self.looked.in_time(LOOKS, now)
    }
}

impl Turn {
    /// Does something when it is its turn.
    pub async fn then<T>(self, work: impl Future<Output = T>) -> T {
        let Self { slot, waits: _counted } = self;
        let _its_turn = match slot {
            Slot::Now(guard) => guard,
            Slot::Later(later) => later.await,
        };
        work.await
    }
}

impl Waits {
    fn new(visitor: &Arc<Visitor>) -> Self {
        visitor.waiting.fetch_add(1, Ordering::Relaxed);
        Self(visitor.clone())
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;

    use super::*;
    use crate::shares::Shares;

    fn visitor() -> Arc<Visitor> {
        visitor_until(Time::FOREVER)
    }

    fn visitor_until(until: Time) -> Arc<Visitor> {
        let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().expect("one is free");
        let share = Shares::new(1).take(UserId(1)).expect("none is taken");
        Arc::new(Visitor::new(UserId(1), until, (permit, share)))
    }

    #[tokio::test]
    async fn who_has_said_too_much_can_still_leave() {
        let visitor = visitor();
        let heard = |goodbye| (0..100).filter(|_| visitor.turn(Time(1_000_000), goodbye).is_some()).count();
        assert_eq!((heard(false), heard(true)), (30, 30));
    }

    #[tokio::test]
    async fn messages_are_done_in_the_order_they_came_whoever_runs_first() {
        let (visitor, done) = (visitor(), Arc::new(parking_lot::Mutex::new(Vec::new())));
        let turns: Vec<Turn> = (0..5).map(|_| visitor.turn(Time(1), false).expect("in time")).collect();
        let tasks = turns.into_iter().enumerate().rev().map(|(number, turn)| {
            let done = done.clone();
            turn.then(async move { done.lock().push(number) })
        });
        futures_util::future::join_all(tasks).await;
        assert_eq!(*done.lock(), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_visit_is_over_with_its_token() {
        let visitor = visitor_until(Time(1_000_000));
        assert!(!visitor.is_over(Time(999_999)));
        assert!(visitor.is_over(Time(1_000_000)));
        assert!(!visitor_until(Time::FOREVER).is_over(Time::from_millis(4_000_000_000_000)));
    }

    #[test]
    fn a_client_that_talks_too_fast_is_not_heard_until_it_has_waited() {
        let talked = Paid::default();
        let heard = (0..100).filter(|_| talked.in_time(TALK, Time(1_000_000))).count();
        assert_eq!(heard, 30);
        assert!(talked.in_time(TALK, Time(1_000_000 + TALK.every)));
        assert!(!talked.in_time(TALK, Time(1_000_000 + TALK.every)));
    }

    #[tokio::test]
    async fn a_message_that_is_not_done_to_its_end_waits_no_longer() {
        let visitor = visitor();
        for turn in 0..2 {
            let turn = visitor.turn(Time(turn), false).expect("in time");
            assert_eq!(visitor.waiting.load(Ordering::Relaxed), 1);
            let work = tokio::spawn(turn.then(async {
                panic!("on the way");
            }));
            assert!(work.await.is_err());
        }
        drop(visitor.turn(Time(2), false));
        assert_eq!(visitor.waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_snapshot_for_which_there_was_no_room_does_not_count() {
        let visitor = visitor();
        let looks = |room: bool| (0..100).filter(|_| visitor.look(Time(1_000_000), || room)).count();
        assert_eq!((looks(false), looks(true), looks(true)), (0, 8, 0));
    }
}
