use super::line::Line;
use super::{Ending, Lane, LanePolicy, Place, PlaceState};
use crate::command::{Command, Context, Verdict};
use crate::id::LaneId;
use crate::world::{Key, World};

/// What is to be done to places, by number. Each is done only where the store agrees that it is due.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moves {
    /// Their pass or their life has run out.
    pub lapsed: Vec<i64>,
    /// Their holders wait and gave no sign of life for too long.
    pub absent: Vec<i64>,
    /// Their holders gave a sign of life that is to be written down.
    pub seen: Vec<i64>,
}

/// Moves a lane on: passes that ran out end, absent waiters go, and who is next is let in.
#[derive(Debug, Clone)]
pub struct MoveLane {
    /// The lane.
    pub lane: LaneId,
    /// How it lets people in.
    pub policy: LanePolicy,
    /// Whether nobody who waits is let in now.
    pub paused: bool,
    /// What is due.
    pub moves: Moves,
}

impl Command for MoveLane {
    /// The lane, and the places that were named as they are now: whoever saw them otherwise is told.
    type Reply = (Option<Lane>, Vec<Place>);
    const NAME: &'static str = "MoveLane";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<Self::Reply> {
        let Moves { lapsed, absent, seen } = &self.moves;
        let named = || lapsed.iter().chain(absent).chain(seen).copied();
        let places = named().map(|number| Key::Place((self.lane, number)));
        world.need([Key::Lane(self.lane)].into_iter().chain(places))?;
        let mut line = Line::open(self.lane, self.policy, world, cx)?;
        if world.lanes.get(&self.lane).is_none() {
            return Ok(line.decide((None, Vec::new())));
        }
        for place in self.places(&line, seen)? {
            self.see(place, &mut line, cx);
        }
        for place in self.places(&line, lapsed)?.into_iter().filter(|place| place.has_lapsed(cx.now)) {
            line.lapse(place)?;
        }
        for place in self.places(&line, absent)? {
            if place.state == PlaceState::Waiting && place.seen_at + self.policy.absent <= cx.now {
                line.end(place, Ending::Absent);
            }
        }
        if !self.paused {
            line.let_in()?;
        }
        let named: Vec<i64> = named().collect();
        let reply = (Some(line.lane.clone()), self.places(&line, &named)?);
        Ok(line.decide(reply))
    }
}

impl MoveLane {
    fn places(&self, line: &Line<'_>, numbers: &[i64]) -> Result<Vec<Place>, crate::command::Stop> {
        let mut places = Vec::with_capacity(numbers.len());
        for number in numbers {
            places.extend(line.place(*number)?);
        }
        Ok(places)
    }

    /// Writes a sign of life down; in a sliding lane the pass runs from it.
    fn see(&self, place: Place, line: &mut Line<'_>, cx: &Context) {
        let state = match place.state {
            PlaceState::Inside { .. } if self.policy.sliding => {
                PlaceState::Inside { until: (cx.now + self.policy.pass).min(place.ends_at) }
            }
            state => state,
        };
        if place.is_live() {
            line.set(Place { state, seen_at: cx.now, ..place });
        }
    }
}
