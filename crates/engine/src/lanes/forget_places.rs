use super::{Place, PlaceState};
use crate::command::{Command, Context, Decision, Verdict};
use crate::id::LaneId;
use crate::time::Time;
use crate::world::{Change, Key, World};

/// Forgets places that are long over.
#[derive(Debug, Clone)]
pub struct ForgetPlaces {
    /// Which: lanes and numbers.
    pub places: Vec<(LaneId, i64)>,
    /// Only those that ended before this.
    pub before: Time,
}

impl Command for ForgetPlaces {
    /// How many went.
    type Reply = usize;
    const NAME: &'static str = "ForgetPlaces";

    fn decide(&self, world: &World, _: &mut Context) -> Verdict<usize> {
        let lanes = self.places.iter().map(|key| Key::Lane(key.0));
        world.need(lanes.chain(self.places.iter().map(|key| Key::Place(*key))))?;
        let over = |place: &&Place| matches!(place.state, PlaceState::Ended { at, .. } if at < self.before);
        let old: Vec<&Place> = self.places.iter().filter_map(|key| world.places.get(key)).filter(over).collect();
        world.need(old.iter().map(|place| Key::Waiter((place.key.0, place.user))))?;
        let mut gone = Vec::new();
        for place in &old {
            let of = (place.key.0, place.user);
            gone.push(Change::Delete(Key::Place(place.key)));
            if world.waiters.get(&of).is_some_and(|waiter| waiter.number == place.key.1) {
                gone.push(Change::Delete(Key::Waiter(of)));
            }
        }
        Ok(Decision::new(old.len()).change(gone))
    }
}
