//! One lane in memory: its index, its policy, its rate, and what is known of its event's stock.

use std::sync::atomic::{AtomicBool, Ordering};

use desk::{Desk, Span, Time, Unavailable};
use engine::id::{LaneId, UserId};
use engine::lanes::{Ending, Lane, LaneKind, LanePolicy, Moves, Place, PlaceState};
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::chunks::{Slot, State};
use crate::index::{Index, Step};
use crate::looks::Looks;
use crate::rate::Rate;
use crate::view::{LaneView, PlaceView, Standing};

/// Places that wait are read in pages of this size.
const PAGE: i64 = 10_000;
/// The most places of a kind that one command moves.
const MOST_MOVED: usize = 500;

/// How often a sign of life is written down in the time it is good for.
const NOTES: i64 = 4;
/// Signs of life are gathered for so long before they are.
const NOTE_AFTER: Span = Span(100_000);

/// A lane in memory.
pub(crate) struct Memory {
    pub(crate) id: LaneId,
    pub(crate) kind: LaneKind,
    /// Whether other nodes may have to hear of signs of life given here.
    is_shared: bool,
    filled: OnceCell<()>,
    pub(crate) state: Mutex<Line>,
    pub(crate) looks: Looks,
    /// Whether something of its event was held, sold or given back since the stock was looked at.
    pub(crate) stock_changed: AtomicBool,
    /// Whether nothing is left to buy.
    pub(crate) sold_out: AtomicBool,
}

/// What changes together.
pub(crate) struct Line {
    pub(crate) index: Index,
    pub(crate) policy: LanePolicy,
    pub(crate) rate: Rate,
    /// When it is to be looked at again.
    pub(crate) wake_at: Time,
    /// When the stock is to be looked at again.
    pub(crate) stock_at: Time,
    /// Signs of life that are to be written down, by number.
    to_note: Vec<i64>,
    /// When they are.
    note_at: Time,
    /// The lane as the last move left it.
    pub(crate) last: Option<Lane>,
    /// How often in a row memory said that somebody could be let in, and the store said nobody.
    pub(crate) doubts: u32,
}

impl Line {
    /// Has signs of life written down soon.
    pub(crate) fn note(&mut self, numbers: &[i64], now: Time) {
        self.to_note.extend(numbers);
        self.note_at = self.note_at.min(now + NOTE_AFTER);
    }

    /// Takes the signs of life that are to be written down now.
    fn notes(&mut self, now: Time) -> Vec<i64> {
        if self.note_at > now {
            return Vec::new();
        }
        let rest = self.to_note.len().saturating_sub(MOST_MOVED);
        self.note_at = if rest == 0 { Time::FOREVER } else { now };
        self.to_note.split_off(rest)
    }
}

impl Memory {
    pub(crate) fn new(id: LaneId, kind: LaneKind, policy: LanePolicy, is_shared: bool) -> Self {
        let line = Line {
            index: Index::default(),
            policy,
            rate: Rate::default(),
            wake_at: Time::FOREVER,
            stock_at: Time::FOREVER,
            to_note: Vec::new(),
            note_at: Time::FOREVER,
            last: None,
            doubts: 0,
        };
        Self {
            id,
            kind,
            is_shared,
            filled: OnceCell::new(),
            state: Mutex::new(line),
            looks: Looks::default(),
            stock_changed: AtomicBool::new(true),
            sold_out: AtomicBool::new(false),
        }
    }

    /// Whether it lets nobody in while its event is sold out.
    pub(crate) fn heeds_stock(&self) -> bool {
        matches!(self.kind, LaneKind::Shared | LaneKind::Tiketi | LaneKind::TicketingPro)
    }

    /// Whether nobody who waits is let in now.
    pub(crate) fn is_paused(&self) -> bool {
        self.sold_out.load(Ordering::Acquire)
    }

    /// When signs of life are to be written down.
    pub(crate) fn note_at(&self) -> Time {
        self.state.lock().note_at
    }

    /// Whether it was read from the store.
    pub(crate) fn is_filled(&self) -> bool {
        self.filled.initialized()
    }

    /// Reads the lane from the store, once. A start counts as a sign of life of everybody.
    pub(crate) async fn fill(&self, desk: &Desk) -> Result<(), Unavailable> {
        self.filled.get_or_try_init(|| self.read(desk)).await.copied()
    }

    async fn read(&self, desk: &Desk) -> Result<(), Unavailable> {
        let Some(lane) = desk.lane(self.id).await? else {
            self.state.lock().index.be_read(None);
            return Ok(());
        };
        self.take(desk.places_inside(self.id).await?, desk.now());
        let mut from = lane.head;
        loop {
            let page = desk.places_waiting(self.id, from, PAGE).await?;
            let Some(last) = page.last().map(|place| place.key.1) else { break };
            self.take(page, desk.now());
            from = last + 1;
        }
        self.state.lock().index.be_read(Some(lane.next));
        Ok(())
    }

    /// Reads what other nodes did and this one has not heard of yet, so that nobody is told of a better position than
    /// there is.
    pub(crate) async fn catch_up(&self, desk: &Desk) -> Result<(), Unavailable> {
        let gap = || self.state.lock().index.gap();
        while let Some((from, to)) = gap() {
            let page = desk.places_between(self.id, from, to, PAGE).await?;
            let full = i64::try_from(page.len()).unwrap_or(PAGE) == PAGE;
            let last = page.last().filter(|_| full).map_or(to, |place| place.key.1);
            let now = desk.now();
            for place in &page {
                self.apply(place, now);
            }
            self.state.lock().index.close_gap(last);
        }
        Ok(())
    }

    fn take(&self, places: Vec<Place>, now: Time) {
        let mut line = self.state.lock();
        for place in places {
            let pass = line.policy.sliding.then_some(line.policy.pass);
            line.index.apply(&place);
            line.index.see(place.key.1, now, pass);
        }
    }

    /// Takes a place as a commit left it.
    pub(crate) fn apply(&self, place: &Place, now: Time) -> Step {
        let mut line = self.state.lock();
        let step = line.index.apply(place);
        if step == (Step::LetIn { waited: true }) {
            line.rate.count(now);
        }
        step
    }

    /// Whether the lane could be moved on at once, and when it is to be looked at else.
    pub(crate) fn outlook(&self, now: Time) -> (bool, Time) {
        let line = self.state.lock();
        let has_room = line.index.waiting() > 0 && line.index.inside() < line.policy.inside && !self.is_paused();
        let next = line.index.next(line.policy.absent).min(line.stock_at).min(line.note_at);
        (has_room || next <= now, next)
    }

    /// What is due now; `None` where nothing is.
    pub(crate) fn due(&self, now: Time) -> Option<(LanePolicy, Moves)> {
        let mut line = self.state.lock();
        let policy = line.policy;
        let lapsed = line.index.take_lapsed(now, MOST_MOVED);
        let absent = line.index.absent(now, policy.absent, MOST_MOVED);
        let has_room = line.index.waiting() > 0 && line.index.inside() < policy.inside && !self.is_paused();
        let seen = line.notes(now);
        let moves = Moves { lapsed, absent, seen };
        (has_room || moves != Moves::default()).then_some((policy, moves))
    }

    /// The lane's numbers.
    pub(crate) fn view(&self) -> LaneView {
        self.lane_view(&self.state.lock())
    }

    fn lane_view(&self, line: &Line) -> LaneView {
        let (inside, waiting) = (line.index.inside(), line.index.waiting());
        LaneView { inside, waiting, capacity: line.policy.inside, sold_out: self.is_paused() }
    }

    /// A person's live place. With `alive` the look is a sign of life.
    pub(crate) fn look(&self, user: UserId, now: Time, alive: bool) -> Option<PlaceView> {
        let mut line = self.state.lock();
        let number = line.index.number(user)?;
        if alive {
            self.see(&mut line, number, now);
        }
        let (_, slot) = line.index.find(user)?;
        Some(self.place_view(&line, number, &slot, now))
    }

    fn see(&self, line: &mut Line, number: i64, now: Time) {
        let pass = line.policy.sliding.then_some(line.policy.pass);
        // Who comes too late has no pass any more that could run longer.
        let Some(slot) = line.index.find_number(number).filter(|slot| slot.deadline() > now.0).copied() else { return };
        line.index.see(number, now, pass);
        let span = if slot.state == State::Inside { line.policy.pass } else { line.policy.absent };
        if self.is_shared && now.0 - slot.noted_at > span.0 / NOTES && line.index.be_noting(number) {
            line.note(&[number], now);
        }
    }

    fn place_view(&self, line: &Line, number: i64, slot: &Slot, now: Time) -> PlaceView {
        let (waiting, inside) = line.index.rank(number);
        let lane = self.lane_view(line);
        let to_tail = slot.state == State::Inside && line.policy.requeue && slot.ends_at > now.0;
        let (standing, position, rank) = match slot.state {
            // About to be moved there.
            _ if slot.deadline() <= now.0 && to_tail => {
                (Standing::Waiting, lane.waiting + 1, lane.inside + lane.waiting)
            }
            _ if slot.deadline() <= now.0 => (Standing::Lapsed, 0, 0),
            State::Waiting => (Standing::Waiting, waiting, waiting + inside),
            State::Inside => (Standing::Inside { until: Time(slot.deadline()) }, 0, waiting + inside),
            State::Used => (Standing::Used, 0, 0),
            State::Over => (Standing::Left, 0, 0),
        };
        let estimated_wait = if position == 0 { Some(Span(0)) } else { line.rate.wait(position, now) };
        PlaceView {
            id: slot.id(),
            position,
            rank,
            standing,
            joined_at: Time(slot.joined_at),
            ends_at: Time(slot.ends_at),
            estimated_wait,
            closed_for: self.closed_for(line, now),
            waiting: lane.waiting,
            inside: lane.inside,
            capacity: lane.capacity,
            sold_out: lane.sold_out,
        }
    }

    fn closed_for(&self, line: &Line, now: Time) -> Option<Span> {
        match self.is_paused() {
            false => Some(Span(0)),
            true => (line.stock_at < Time::FOREVER).then(|| Span((line.stock_at.0 - now.0).max(0))),
        }
    }

    /// A place that is over, as the store has it.
    pub(crate) fn over(&self, place: &Place) -> PlaceView {
        let standing = match place.state {
            PlaceState::Waiting => Standing::Waiting,
            PlaceState::Inside { until } => Standing::Inside { until },
            PlaceState::Used => Standing::Used,
            PlaceState::Ended { how: Ending::Completed, .. } => Standing::Completed,
            PlaceState::Ended { how: Ending::Left, .. } => Standing::Left,
            PlaceState::Ended { how: Ending::Absent, .. } => Standing::Absent,
            PlaceState::Ended { how: Ending::Lapsed | Ending::Requeued, .. } => Standing::Lapsed,
        };
        let lane = self.view();
        PlaceView {
            id: place.id,
            position: 0,
            rank: 0,
            standing,
            joined_at: place.joined_at,
            ends_at: place.ends_at,
            estimated_wait: Some(Span(0)),
            closed_for: Some(Span(0)),
            waiting: lane.waiting,
            inside: lane.inside,
            capacity: lane.capacity,
            sold_out: lane.sold_out,
        }
    }
}
