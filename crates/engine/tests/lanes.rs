//! Every way into, through and out of a lane of the waiting room.

mod stage;

use engine::command::Command;
use engine::id::{LaneId, UserId};
use engine::lanes::{
    CompletePlace, Ending, ForgetPlaces, JoinLane, Lane, LaneKind, LanePolicy, LeaveLane, MOST_LOOKED_AT, MoveLane,
    Moves, Place, PlaceState, UseTurn,
};
use engine::refusal::Refusal;
use engine::time::{Span, Time};
use stage::Stage;

const POLICY: LanePolicy = LanePolicy {
    inside: 1,
    pass: Span::seconds(60),
    absent: Span::seconds(300),
    sliding: false,
    requeue: false,
    life: None,
    most: None,
};
/// As `concert` has it.
const TURNS: LanePolicy = LanePolicy { requeue: true, life: Some(Span::seconds(1_800)), most: Some(3), ..POLICY };

/// A lane at a store.
struct Queue {
    stage: Stage,
    lane: LaneId,
    policy: LanePolicy,
    paused: bool,
}

impl Queue {
    fn new(policy: LanePolicy) -> Self {
        let stage = Stage::new();
        let lane = LaneId::new(Some(stage.event), LaneKind::TicketingPro);
        Self { stage, lane, policy, paused: false }
    }

    fn run<C: Command>(&mut self, command: &C) -> C::Reply {
        self.stage.done(command)
    }

    fn joining(&self, user: u128) -> JoinLane {
        JoinLane { lane: self.lane, user: UserId(user), policy: self.policy, paused: self.paused }
    }

    fn join(&mut self, user: u128) -> Place {
        let command = self.joining(user);
        self.run(&command)
    }

    fn join_all(&mut self, users: impl IntoIterator<Item = u128>) {
        for user in users {
            self.join(user);
        }
    }

    fn leave(&mut self, user: u128) -> Option<Place> {
        let (lane, policy, paused) = (self.lane, self.policy, self.paused);
        self.run(&LeaveLane { lane, user: UserId(user), policy, paused })
    }

    fn use_turn(&mut self, user: u128) -> Option<Place> {
        let (lane, policy, paused) = (self.lane, self.policy, self.paused);
        self.run(&UseTurn { lane, user: UserId(user), policy, paused })
    }

    fn complete(&mut self, user: u128) -> Option<Place> {
        let (lane, policy, paused) = (self.lane, self.policy, self.paused);
        self.run(&CompletePlace { lane, user: UserId(user), policy, paused })
    }

    fn move_on(&mut self, moves: Moves) {
        let (lane, policy, paused) = (self.lane, self.policy, self.paused);
        self.run(&MoveLane { lane, policy, paused, moves });
    }

    fn lapse(&mut self, numbers: &[i64]) {
        self.move_on(Moves { lapsed: numbers.to_vec(), ..Moves::default() });
    }

    fn wait(&mut self, seconds: i64) {
        self.stage.wait(Span::seconds(seconds));
    }

    fn place(&self, user: u128) -> Place {
        let waiter = self.stage.store.waiter((self.lane, UserId(user))).expect("it has joined");
        self.stage.store.place((self.lane, waiter.number)).expect("it is there").clone()
    }

    fn state(&self, user: u128) -> PlaceState {
        self.place(user).state
    }

    fn is_inside(&self, user: u128) -> bool {
        matches!(self.state(user), PlaceState::Inside { .. })
    }

    fn ended(&self, user: u128) -> Option<Ending> {
        match self.state(user) {
            PlaceState::Ended { how, .. } => Some(how),
            _ => None,
        }
    }

    fn lane(&self) -> Lane {
        self.stage.store.lane(self.lane).expect("it is there").clone()
    }
}

#[test]
fn who_is_first_is_in_at_once_and_the_others_wait_in_order() {
    let mut queue = Queue::new(POLICY);
    let first = queue.join(1);
    assert_eq!(first.state, PlaceState::Inside { until: queue.stage.now + POLICY.pass });
    assert_eq!(queue.join(2).state, PlaceState::Waiting);
    assert_eq!(queue.join(3).state, PlaceState::Waiting);
    assert_eq!(queue.join(2), queue.place(2), "joining again changes nothing");
    queue.leave(1);
    assert_eq!((queue.ended(1), queue.is_inside(2), queue.is_inside(3)), (Some(Ending::Left), true, false));
    queue.leave(3);
    assert_eq!(queue.ended(3), Some(Ending::Left), "who waits may leave too");
    assert_eq!(queue.leave(3), None, "once");
    let lane = queue.lane();
    assert_eq!((lane.inside, lane.waiting, lane.next, lane.head), (1, 0, 3, 3));
}

#[test]
fn a_pass_ends_at_the_very_moment_and_not_before() {
    let mut queue = Queue::new(POLICY);
    queue.join(1);
    queue.join(2);
    queue.stage.wait(Span(POLICY.pass.0 - 1));
    queue.lapse(&[0]);
    assert!(queue.is_inside(1), "the store does not agree yet");
    queue.stage.wait(Span(1));
    queue.lapse(&[0]);
    assert_eq!((queue.ended(1), queue.is_inside(2)), (Some(Ending::Lapsed), true));
    let again = queue.join(1);
    assert_eq!((again.state, again.key.1), (PlaceState::Waiting, 2), "who ran out of time goes to the tail");
}

#[test]
fn who_joins_after_an_unnoticed_lapse_goes_to_the_tail() {
    let mut queue = Queue::new(POLICY);
    queue.join(1);
    queue.join(2);
    queue.wait(60);
    assert_eq!(queue.join(1).state, PlaceState::Waiting);
    assert!(queue.is_inside(2), "the room it had is the next one's");
}

#[test]
fn an_unused_turn_passes_on_and_its_holder_keeps_its_name_at_the_tail() {
    let mut queue = Queue::new(TURNS);
    let first = queue.join(1);
    queue.join(2);
    queue.wait(60);
    queue.lapse(&[0]);
    let again = queue.place(1);
    assert_eq!((again.id, again.joined_at, again.ends_at), (first.id, first.joined_at, first.ends_at));
    assert_eq!((again.state, again.key.1, queue.is_inside(2)), (PlaceState::Waiting, 2, true));
}

#[test]
fn a_used_turn_makes_room_and_its_place_lives_on_until_it_is_paid() {
    let mut queue = Queue::new(TURNS);
    let first = queue.join(1);
    queue.join(2);
    assert!(queue.use_turn(2).is_none(), "it is not its turn");
    queue.use_turn(1);
    assert_eq!((queue.state(1), queue.is_inside(2)), (PlaceState::Used, true));
    assert_eq!(queue.lane().live(), 2);
    queue.complete(1);
    assert_eq!((queue.ended(1), queue.lane().live()), (Some(Ending::Completed), 1));
    assert_ne!(queue.join(1).id, first.id);
}

#[test]
fn who_used_the_turn_and_asks_again_joins_the_tail_with_a_new_life() {
    let mut queue = Queue::new(TURNS);
    let first = queue.join(1);
    queue.join(2);
    queue.use_turn(1);
    queue.wait(100);
    let again = queue.join(1);
    assert_eq!((again.state, again.id, again.key.1), (PlaceState::Waiting, first.id, 2));
    assert!(again.ends_at > first.ends_at);
}

#[test]
fn in_a_lane_of_the_whole_server_only_a_used_turn_has_bought() {
    let mut queue = Queue::new(TURNS);
    queue.lane = LaneId::new(None, LaneKind::Concert);
    queue.join(1);
    queue.use_turn(1);
    queue.join(1);
    assert!(queue.is_inside(1), "nobody else wants the turn");
    assert_eq!(queue.complete(1), None, "what was paid is what the turn before was used for");
    assert!(queue.is_inside(1));
    queue.use_turn(1);
    queue.complete(1);
    assert_eq!(queue.ended(1), Some(Ending::Completed));
}

#[test]
fn a_lane_holds_as_many_live_places_as_it_may() {
    let mut queue = Queue::new(TURNS);
    queue.join_all(1..=3);
    queue.use_turn(1);
    let fourth = queue.joining(4);
    assert_eq!(queue.stage.run(&fourth), Err(Refusal::LaneFull { limit: 3 }), "a used turn counts");
    assert_eq!(queue.join(2).key.1, 1, "who is there stays");
    queue.complete(1);
    assert_eq!(queue.join(4).state, PlaceState::Waiting);
}

#[test]
fn a_place_ends_with_its_life_wherever_it_stands() {
    let mut queue = Queue::new(TURNS);
    queue.join(1);
    queue.use_turn(1);
    queue.join(2);
    queue.join(3);
    queue.wait(1_800);
    queue.lapse(&[0, 1, 2]);
    assert_eq!([queue.ended(1), queue.ended(2), queue.ended(3)], [Some(Ending::Lapsed); 3]);
    assert_eq!(queue.lane().live(), 0);
}

#[test]
fn a_sliding_pass_runs_from_the_last_sign_of_life() {
    let mut queue = Queue::new(LanePolicy { sliding: true, ..POLICY });
    queue.join(1);
    queue.join(2);
    queue.wait(59);
    queue.move_on(Moves { seen: vec![0], ..Moves::default() });
    queue.wait(59);
    queue.lapse(&[0]);
    assert!(queue.is_inside(1));
    queue.wait(1);
    queue.lapse(&[0]);
    assert_eq!((queue.ended(1), queue.is_inside(2)), (Some(Ending::Lapsed), true));
}

#[test]
fn who_joins_a_sliding_lane_again_just_in_time_stays_inside() {
    let mut queue = Queue::new(LanePolicy { sliding: true, ..POLICY });
    queue.join(1);
    queue.wait(60);
    assert_eq!(queue.join(1).state, PlaceState::Inside { until: queue.stage.now + POLICY.pass });
}

#[test]
fn an_absent_waiter_goes_when_the_store_agrees_that_it_is_one() {
    let mut queue = Queue::new(POLICY);
    queue.join_all(1..=3);
    queue.wait(200);
    queue.move_on(Moves { seen: vec![2], ..Moves::default() });
    queue.wait(100);
    queue.move_on(Moves { absent: vec![0, 1, 2], ..Moves::default() });
    assert_eq!((queue.ended(2), queue.state(3)), (Some(Ending::Absent), PlaceState::Waiting));
    assert!(queue.is_inside(1), "who is inside is not absent");
}

#[test]
fn nobody_who_waits_is_let_in_while_the_lane_is_paused() {
    let mut queue = Queue::new(POLICY);
    queue.join_all(1..=2);
    queue.paused = true;
    queue.leave(1);
    queue.move_on(Moves::default());
    assert_eq!(queue.state(2), PlaceState::Waiting);
    assert_eq!(queue.join(2).state, PlaceState::Waiting, "by asking again neither");
    assert_eq!(queue.join(3).state, PlaceState::Waiting, "and nobody overtakes");
    queue.paused = false;
    queue.move_on(Moves::default());
    assert!(queue.is_inside(2));
}

#[test]
fn with_room_and_nobody_before_it_a_newcomer_is_inside_even_while_the_lane_is_paused() {
    let mut queue = Queue::new(POLICY);
    queue.paused = true;
    assert!(matches!(queue.join(1).state, PlaceState::Inside { .. }));
    assert_eq!(queue.join(2).state, PlaceState::Waiting, "the room is full");
}

#[test]
fn who_waits_does_not_overtake_when_there_is_suddenly_room() {
    let mut queue = Queue::new(POLICY);
    queue.join_all(1..=4);
    queue.policy.inside = 3;
    assert_eq!(queue.join(5).state, PlaceState::Waiting);
    assert_eq!([2, 3, 4].map(|user| queue.is_inside(user)), [true, true, false]);
    assert!(queue.lane().inside <= queue.lane().capacity);
}

#[test]
fn buying_ends_the_pass_even_one_that_ran_out_but_no_place_in_line() {
    let mut queue = Queue::new(POLICY);
    queue.join(1);
    queue.join(2);
    assert_eq!(queue.complete(2), None);
    queue.wait(60);
    queue.lapse(&[0]);
    queue.complete(1);
    assert_eq!(queue.ended(1), Some(Ending::Completed));
    assert_eq!(queue.complete(1), None, "once");
    queue.complete(2);
    assert_eq!((queue.ended(2), queue.lane().live()), (Some(Ending::Completed), 0));
}

#[test]
fn the_next_is_found_behind_any_number_who_have_gone() {
    let mut queue = Queue::new(POLICY);
    queue.join(1);
    let gone = u128::try_from(MOST_LOOKED_AT).expect("a count") + 50;
    queue.join_all(2..2 + gone);
    queue.join(1_000_000);
    queue.paused = true;
    for user in 1..2 + gone {
        queue.leave(user);
    }
    queue.paused = false;
    queue.move_on(Moves::default());
    assert_eq!(queue.state(1_000_000), PlaceState::Waiting, "one command looks at so many");
    queue.move_on(Moves::default());
    assert!(queue.is_inside(1_000_000));
}

#[test]
fn what_is_long_over_is_forgotten_and_nothing_else() {
    let mut queue = Queue::new(POLICY);
    queue.join_all(1..=3);
    queue.leave(1);
    queue.leave(3);
    queue.wait(10);
    queue.join(3);
    let places = (0..4).map(|number| (queue.lane, number)).collect();
    let before = queue.stage.now;
    assert_eq!(queue.run(&ForgetPlaces { places, before }), 2);
    let waiter = |user| queue.stage.store.waiter((queue.lane, UserId(user))).map(|waiter| waiter.number);
    assert_eq!([waiter(1), waiter(2), waiter(3)], [None, Some(1), Some(3)]);
    assert!(queue.is_inside(2) && queue.state(3) == PlaceState::Waiting);
    let places = vec![(queue.lane, 1)];
    assert_eq!(queue.run(&ForgetPlaces { places, before: Time::FOREVER }), 0, "it lives");
}
