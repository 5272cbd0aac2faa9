use super::line::Line;
use super::{Ending, LanePolicy, Place};
use crate::command::{Command, Context, Verdict};
use crate::id::{LaneId, UserId};
use crate::world::World;

/// Gives a place up, waiting or inside. Who has none gives up nothing.
#[derive(Debug, Clone)]
pub struct LeaveLane {
    /// The lane.
    pub lane: LaneId,
    /// Who leaves.
    pub user: UserId,
    /// How the lane lets people in.
    pub policy: LanePolicy,
    /// Whether nobody who waits is let in now.
    pub paused: bool,
}

impl Command for LeaveLane {
    type Reply = Option<Place>;
    const NAME: &'static str = "LeaveLane";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<Option<Place>> {
        let mut line = Line::open(self.lane, self.policy, world, cx)?;
        let left = line.place_of(self.user)?.filter(Place::is_live).map(|place| line.end(place, Ending::Left));
        if left.is_some() && !self.paused {
            line.let_in()?;
        }
        Ok(line.decide(left))
    }
}
