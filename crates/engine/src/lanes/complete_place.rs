use super::line::Line;
use super::{Ending, LanePolicy, Place, PlaceState};
use crate::command::{Command, Context, Verdict};
use crate::id::{LaneId, UserId};
use crate::world::World;

/// Ends the place of somebody who has bought: of who has used the turn, is inside, or was inside until the pass ran
/// out. Who waits has not bought by this place and goes on waiting. In a lane of the whole server only a used turn has
/// bought: a person may be inside there for something else.
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
        let of_event = self.lane.event().is_some();
        let bought = |place: &Place| match place.state {
            PlaceState::Used => true,
            PlaceState::Inside { .. } | PlaceState::Ended { how: Ending::Lapsed, .. } => of_event,
            PlaceState::Waiting | PlaceState::Ended { .. } => false,
        };
        let done = line.place_of(self.user)?.filter(bought).map(|place| line.end(place, Ending::Completed));
        if done.is_some() && !self.paused {
            line.let_in()?;
        }
        Ok(line.decide(done))
    }
}
