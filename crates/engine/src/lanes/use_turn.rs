use super::line::Line;
use super::{LanePolicy, Place, PlaceState};
use crate::command::{Command, Context, Verdict};
use crate::id::{LaneId, UserId};
use crate::world::World;

/// Uses a turn: its holder is no longer inside, but the place lives on.
#[derive(Debug, Clone)]
pub struct UseTurn {
    /// The lane.
    pub lane: LaneId,
    /// Whose turn.
    pub user: UserId,
    /// How the lane lets people in.
    pub policy: LanePolicy,
    /// Whether nobody who waits is let in now.
    pub paused: bool,
}

impl Command for UseTurn {
    type Reply = Option<Place>;
    const NAME: &'static str = "UseTurn";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<Option<Place>> {
        let mut line = Line::open(self.lane, self.policy, world, cx)?;
        let inside = |place: &Place| matches!(place.state, PlaceState::Inside { .. });
        let place = line.place_of(self.user)?.filter(inside);
        // A turn whose time has passed was used all the same: it was still its holder's when it was.
        let used = place.map(|place| line.set(Place { state: PlaceState::Used, ..place }));
        if used.is_some() && !self.paused {
            line.let_in()?;
        }
        Ok(line.decide(used))
    }
}
