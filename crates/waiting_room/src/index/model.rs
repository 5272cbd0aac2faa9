//! The engine's lanes and their index in memory, held against a plain list on random commands.

use desk::{Span, Time};
use engine::id::{LaneId, UserId};
use engine::lanes::{CompletePlace, JoinLane, LaneKind, LanePolicy, LeaveLane, MoveLane, Moves, Place, UseTurn};
use engine::world::{Key, Row};
use sim::dice::Dice;
use sim::store::{Fault, Store};

use super::{Index, Slot, State};

const PEOPLE: u32 = 40;
const STEPS: u32 = 3_000;
const POLICY: LanePolicy = LanePolicy {
    inside: 3,
    pass: Span::seconds(60),
    absent: Span::seconds(90),
    sliding: false,
    requeue: false,
    life: None,
    most: None,
};

/// Who stands in the plain list, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    user: UserId,
    state: State,
    until: Time,
    seen: Time,
    ends: Time,
}

/// The plain list.
struct List {
    line: Vec<Entry>,
    policy: LanePolicy,
}

impl List {
    fn at(&self, user: UserId) -> Option<usize> {
        self.line.iter().position(|entry| entry.user == user)
    }

    fn join(&mut self, user: UserId, now: Time) {
        let policy = self.policy;
        if let Some(at) = self.at(user) {
            let own = self.line[at];
            let lapsed = own.state == State::Inside && own.until <= now;
            if own.ends > now && !lapsed && own.state != State::Used {
                return;
            }
            if own.ends > now && lapsed && policy.sliding {
                self.line[at].until = (now + policy.pass).min(own.ends);
                self.line[at].seen = now;
                return;
            }
            let own = self.line.remove(at);
            if own.ends > now && (own.state == State::Used || policy.requeue) {
                let ends = if own.state == State::Used { life(policy, now) } else { own.ends };
                self.line.push(Entry { state: State::Waiting, seen: now, ends, ..own });
                return self.let_in(now);
            }
        }
        if policy.most.is_none_or(|most| self.line.len() < most as usize) {
            let (state, until) = (State::Waiting, Time(0));
            self.line.push(Entry { user, state, until, seen: now, ends: life(policy, now) });
        }
        self.let_in(now);
    }

    fn remove(&mut self, user: UserId, now: Time, wanted: fn(State) -> bool) {
        if let Some(at) = self.at(user).filter(|at| wanted(self.line[*at].state)) {
            self.line.remove(at);
            self.let_in(now);
        }
    }

    fn use_turn(&mut self, user: UserId, now: Time) {
        if let Some(at) = self.at(user).filter(|at| self.line[*at].state == State::Inside) {
            self.line[at].state = State::Used;
            self.let_in(now);
        }
    }

    fn move_on(&mut self, now: Time) {
        let absent = self.policy.absent;
        let (over, mut line): (Vec<Entry>, Vec<Entry>) = self.line.iter().partition(|entry| entry.lapsed(now));
        line.retain(|entry| entry.state != State::Waiting || entry.seen + absent > now);
        let again = over.into_iter().filter(|own| self.policy.requeue && own.state == State::Inside && own.ends > now);
        line.extend(again.map(|own| Entry { state: State::Waiting, seen: now, ..own }));
        self.line = line;
        self.let_in(now);
    }

    fn let_in(&mut self, now: Time) {
        let policy = self.policy;
        loop {
            let inside = self.line.iter().filter(|entry| entry.state == State::Inside).count();
            let Some(next) = self.line.iter().position(|entry| entry.state == State::Waiting) else { return };
            if inside >= policy.inside as usize {
                return;
            }
            if self.line[next].ends <= now {
                self.line.remove(next);
                continue;
            }
            let until = (now + policy.pass).min(self.line[next].ends);
            (self.line[next].state, self.line[next].until) = (State::Inside, until);
        }
    }
}

impl Entry {
    fn lapsed(&self, now: Time) -> bool {
        self.ends <= now || self.state == State::Inside && self.until <= now
    }
}

fn life(policy: LanePolicy, now: Time) -> Time {
    policy.life.map_or(Time::FOREVER, |life| now + life)
}

/// The store, the index and the list, side by side.
struct Run {
    store: Store,
    index: Index,
    list: List,
    lane: LaneId,
    now: Time,
    dice: Dice,
    /// What the index is not told, to show that it is missed.
    deaf: fn(&Place) -> bool,
}

impl Run {
    fn new(seed: u64, policy: LanePolicy, fault: Fault) -> Self {
        let (line, lane) = (Vec::new(), LaneId::new(None, LaneKind::Concert));
        let (store, index, now) = (Store::new(fault), Index::default(), Time(1_700_000_000_000_000));
        Self { store, index, list: List { line, policy }, lane, now, dice: Dice::new(seed), deaf: |_| false }
    }

    fn run(&mut self) -> Result<(), String> {
        for step in 0..STEPS {
            self.step();
            self.compare().map_err(|why| format!("step {step}: {why}"))?;
        }
        Ok(())
    }

    fn step(&mut self) {
        let user = UserId(u128::from(1 + self.dice.below(PEOPLE)));
        let (lane, policy, paused, now) = (self.lane, self.list.policy, false, self.now);
        match self.dice.below(20) {
            // Who is known to be alive is not joined again, as the facade has it.
            0..=9 if policy.sliding && self.index.find(user).is_some_and(|(_, slot)| is_there(&slot, now)) => {
                self.see(user);
            }
            0..=9 => {
                self.command(&JoinLane { lane, user, policy, paused });
                self.list.join(user, now);
            }
            10..=11 => {
                self.command(&LeaveLane { lane, user, policy, paused });
                self.list.remove(user, now, |_| true);
            }
            12 => {
                self.command(&UseTurn { lane, user, policy, paused });
                self.list.use_turn(user, now);
            }
            13 => {
                self.command(&CompletePlace { lane, user, policy, paused });
                // In a lane of the whole server only a used turn has bought.
                self.list.remove(user, now, |state| matches!(state, State::Used));
            }
            14..=16 => self.see(user),
            _ => {
                self.now = self.now + Span(i64::from(self.dice.below(40)) * 1_000_000);
                self.move_on();
            }
        }
    }

    fn see(&mut self, user: UserId) {
        let now = self.now;
        let pass = self.list.policy.sliding.then_some(self.list.policy.pass);
        if let Some(number) = self.index.number(user) {
            self.index.see(number, now, pass);
        }
        if let Some(at) = self.list.at(user) {
            let own = &mut self.list.line[at];
            own.seen = now;
            if let (State::Inside, Some(pass)) = (own.state, pass) {
                own.until = own.until.max((now + pass).min(own.ends));
            }
        }
    }

    fn move_on(&mut self) {
        let (policy, now) = (self.list.policy, self.now);
        let moves = Moves {
            lapsed: self.index.take_lapsed(now, 500),
            absent: self.index.absent(now, policy.absent, 500),
            seen: Vec::new(),
        };
        let taken = moves.lapsed.clone();
        self.command(&MoveLane { lane: self.lane, policy, paused: false, moves });
        self.index.put_back(&taken);
        self.list.move_on(now);
    }

    /// Runs a command; the index hears of it in any order, and of some things twice.
    fn command<C: engine::command::Command>(&mut self, command: &C) {
        let mut batch = self.store.batch(self.now, self.dice.throw());
        let _ = batch.run(command);
        let changes = batch.close();
        let places = changes.rows.iter().filter_map(|(key, row)| match (key, row) {
            (Key::Place(_), Some(Row::Place(place))) if !(self.deaf)(place) => Some(place.clone()),
            _ => None,
        });
        let mut places: Vec<Place> = places.collect();
        if self.dice.percent(30) {
            places.reverse();
            places.extend(places.clone());
        }
        self.store.commit(changes);
        for place in places {
            self.index.apply(&place);
        }
    }

    fn compare(&self) -> Result<(), String> {
        let is = |state| move |entry: &&Entry| entry.state == state;
        let count = |state| self.list.line.iter().filter(is(state)).count();
        let (waiting, inside) = (self.index.waiting() as usize, self.index.inside() as usize);
        if (waiting, inside) != (count(State::Waiting), count(State::Inside)) {
            return Err(format!("{waiting} wait and {inside} are inside, the list says {:?}", self.list.line));
        }
        if let Some(lane) = self.store.lane(self.lane) {
            let counts = (lane.waiting as usize, lane.inside as usize, lane.used as usize);
            if counts != (waiting, inside, count(State::Used)) || lane.inside > lane.capacity {
                return Err(format!("{lane:?} does not count {:?}", self.list.line));
            }
        }
        (1..=PEOPLE).try_for_each(|user| self.compare_one(UserId(u128::from(user))))
    }

    fn compare_one(&self, user: UserId) -> Result<(), String> {
        let found = self.index.find(user);
        let at = self.list.at(user);
        let (Some((number, slot)), Some(at)) = (found, at) else {
            return if found.is_none() && at.is_none() { Ok(()) } else { Err(format!("{user:?}: {found:?}, {at:?}")) };
        };
        let before = &self.list.line[..=at];
        let count = |state| before.iter().filter(|entry| entry.state == state).count();
        let (waiting, inside) = self.index.rank(number);
        let same_rank = (waiting as usize, inside as usize) == (count(State::Waiting), count(State::Inside));
        let own = self.list.line[at];
        let same = slot.state == own.state && slot.deadline() == deadline(&own);
        if same && same_rank { Ok(()) } else { Err(format!("{user:?} is {slot:?} at {waiting}, {inside}; {own:?}")) }
    }
}

fn is_there(slot: &Slot, now: Time) -> bool {
    matches!(slot.state, State::Waiting | State::Inside) && slot.deadline() > now.0
}

fn deadline(own: &Entry) -> i64 {
    let slot = Slot { state: own.state, until: own.until.0, ends_at: own.ends.0, ..Slot::default() };
    slot.deadline()
}

#[test]
fn lanes_and_their_index_are_a_plain_list() {
    let first = sim::dice::seed();
    println!("MAEPYO_SIM_SEED={first}");
    let policies = [
        POLICY,
        LanePolicy { sliding: true, ..POLICY },
        LanePolicy { inside: 1, requeue: true, life: Some(Span::seconds(300)), most: Some(12), ..POLICY },
    ];
    for (round, policy) in policies.iter().cycle().take(12).enumerate() {
        let seed = first.wrapping_add(round as u64);
        let run = Run::new(seed, *policy, Fault::NONE).run();
        run.unwrap_or_else(|why| panic!("MAEPYO_SIM_SEED={seed}, {policy:?}: {why}"));
    }
}

#[test]
fn an_index_that_misses_who_left_is_found_out() {
    let mut run = Run::new(1, POLICY, Fault::NONE);
    run.deaf = |place| !place.is_live();
    assert!(run.run().is_err());
}

#[test]
fn a_store_that_forgets_places_is_found_out() {
    let forgets = |key: &Key| matches!(key, Key::Place((_, number)) if number % 7 == 3);
    assert!(Run::new(1, POLICY, Fault { forgets, ..Fault::NONE }).run().is_err());
}
