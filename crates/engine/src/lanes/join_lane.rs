use super::line::Line;
use super::{Ending, LanePolicy, Place, PlaceState};
use crate::command::{Command, Context, Verdict};
use crate::id::{LaneId, UserId};
use crate::refusal::Refusal;
use crate::time::Time;
use crate::world::World;

/// Takes a place in a lane. Who has one keeps it; who has used the turn, or let it lapse, goes to the tail.
#[derive(Debug, Clone)]
pub struct JoinLane {
    /// The lane.
    pub lane: LaneId,
    /// Who joins.
    pub user: UserId,
    /// How the lane lets people in.
    pub policy: LanePolicy,
    /// Whether nobody who waits is let in now, since nothing is left to buy. With room and nobody before it, who joins
    /// is inside all the same: there is nobody to wait for.
    pub paused: bool,
}

impl Command for JoinLane {
    type Reply = Place;
    const NAME: &'static str = "JoinLane";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<Place> {
        let mut line = Line::open(self.lane, self.policy, world, cx)?;
        let is_first = line.lane.waiting == 0;
        let place = match line.place_of(self.user)?.filter(Place::is_live) {
            Some(place) => self.again(place, &mut line, cx),
            None => None,
        };
        let place = match place {
            Some(place) => place,
            None => {
                if let Some(limit) = self.policy.most.filter(|most| line.lane.live() >= *most) {
                    return Err(Refusal::LaneFull { limit }.into());
                }
                line.append(cx.mint.id(), self.user)
            }
        };
        if !self.paused || is_first {
            line.let_in()?;
        }
        let place = line.place(place.key.1)?.unwrap_or(place);
        Ok(line.decide(place))
    }
}

impl JoinLane {
    /// What becomes of a live place; `None` where it is over by now and another one is to be taken.
    fn again(&self, place: Place, line: &mut Line<'_>, cx: &Context) -> Option<Place> {
        if place.ends_at <= cx.now {
            line.end(place, Ending::Lapsed);
            return None;
        }
        match place.state {
            PlaceState::Inside { until } if until > cx.now => Some(place),
            PlaceState::Inside { .. } if self.policy.sliding => {
                let until = (cx.now + self.policy.pass).min(place.ends_at);
                Some(line.set(Place { state: PlaceState::Inside { until }, seen_at: cx.now, ..place }))
            }
            PlaceState::Inside { .. } if !self.policy.requeue => {
                line.end(place, Ending::Lapsed);
                None
            }
            PlaceState::Inside { .. } => Some(line.requeue(place)),
            PlaceState::Used => {
                let ends_at = self.policy.life.map_or(Time::FOREVER, |life| cx.now + life);
                Some(line.requeue(Place { ends_at, joined_at: cx.now, ..place }))
            }
            PlaceState::Waiting | PlaceState::Ended { .. } => Some(place),
        }
    }
}
