//! People in the waiting room: they join, leave, use turns and buy; and somebody moves the lanes on.

use engine::id::{LaneId, UserId};
use engine::lanes::{
    CompletePlace, ForgetPlaces, JoinLane, LaneKind, LanePolicy, LeaveLane, MoveLane, Moves, Place, PlaceState, UseTurn,
};
use engine::time::{Span, Time};

use crate::call::Call;
use crate::simulation::Simulation;

/// The most live places of the server's own lane.
pub(crate) const MOST: u32 = 12;
/// Places that ended longer ago than this are forgotten: longer than any time between two audits.
const KEPT: Span = Span::seconds(4_500);

/// How a lane lets people in.
pub(crate) fn policy(kind: LaneKind) -> LanePolicy {
    let usual = LanePolicy {
        inside: 3,
        pass: Span::seconds(60),
        absent: Span::seconds(120),
        sliding: kind == LaneKind::Tiketi,
        requeue: false,
        life: None,
        most: None,
    };
    match kind {
        LaneKind::Concert => {
            let life = Some(Span::seconds(600));
            LanePolicy { inside: 1, requeue: true, life, most: Some(MOST), ..usual }
        }
        _ => usual,
    }
}

impl Simulation {
    pub(crate) fn queue(&mut self) -> Option<Call> {
        let kind = *self.dice.one(&[LaneKind::Concert, LaneKind::Tiketi, LaneKind::TicketingPro])?;
        let event = if kind == LaneKind::Concert { None } else { Some(self.an_event()?.id) };
        let (lane, user) = (LaneId::new(event, kind), self.a_user()?);
        let (policy, paused) = (policy(kind), self.dice.percent(5));
        Some(match self.dice.below(20) {
            0..=9 => JoinLane { lane, user, policy, paused }.into(),
            10..=11 => LeaveLane { lane, user, policy, paused }.into(),
            12 => UseTurn { lane, user: self.somebody_inside(lane).unwrap_or(user), policy, paused }.into(),
            13 => CompletePlace { lane, user: self.somebody_inside(lane).unwrap_or(user), policy, paused }.into(),
            14 => ForgetPlaces { places: self.numbers(lane, 20), before: Time(self.now.0 - KEPT.0) }.into(),
            _ => MoveLane { lane, policy, paused, moves: self.moves(lane) }.into(),
        })
    }

    fn somebody_inside(&mut self, lane: LaneId) -> Option<UserId> {
        let inside = |place: &&Place| matches!(place.state, PlaceState::Inside { .. });
        let inside: Vec<UserId> = self.store.places_of(lane).filter(inside).map(|place| place.user).collect();
        self.dice.one(&inside).copied()
    }

    /// Some numbers of a lane, oldest first.
    fn numbers(&self, lane: LaneId, most: usize) -> Vec<(LaneId, i64)> {
        self.store.places_of(lane).map(|place| place.key).take(most).collect()
    }

    /// Whatever might be due, and some that is not: the rules decide.
    fn moves(&mut self, lane: LaneId) -> Moves {
        let mut moves = Moves::default();
        let live = self.store.places_of(lane).filter(|own| own.is_live());
        let live: Vec<i64> = live.map(|own| own.key.1).collect();
        for number in live {
            match self.dice.below(6) {
                0..=2 => moves.lapsed.push(number),
                3..=4 => moves.absent.push(number),
                _ => moves.seen.push(number),
            }
        }
        moves
    }
}
