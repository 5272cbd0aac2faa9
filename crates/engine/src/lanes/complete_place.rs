use super::line::Line;
use super::{Ending, LanePolicy, Place, PlaceState};
use crate::command::{Command, Context, Verdict};
use crate::id::{LaneId, UserId};
use crate::world::World;

/// Ends the place of somebody who has bought: of who is inside, has used the turn, or was inside until the pass ran
/// out. Who waits has not bought by this place and goes on waiting.
#[derive(Debug, Clone)]
pub struct CompletePlace {
    /// The lane.
    pub lane: LaneId,
    /// Who bought.
    pub user: UserId,
    /// How the lane lets people in.
    pub policy: LanePolicy,
    /// Whether nobody who waits is let in now.
    pub paused: bool,
}

impl Command for CompletePlace {
    type Reply = Option<Place>;
    const NAME: &'static str = "CompletePlace";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<Option<Place>> {
        let mut line = Line::open(self.lane, self.policy, world, cx)?;
        let bought = |place: &Place| match place.state {
            PlaceState::Inside { .. } | PlaceState::Used | PlaceState::Ended { how: Ending::Lapsed, .. } => true,
            PlaceState::Waiting | PlaceState::Ended { .. } => false,
        };
        let done = line.place_of(self.user)?.filter(bought).map(|place| line.end(place, Ending::Completed));
        if done.is_some() && !self.paused {
            line.let_in()?;
        }
        Ok(line.decide(done))
    }
}
