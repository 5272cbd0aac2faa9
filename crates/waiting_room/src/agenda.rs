//! Which lane is to be looked at when.

use std::collections::{BTreeSet, HashMap};

use desk::Time;
use engine::id::LaneId;

/// The next look at each lane, soonest first. A lane is on it once, however often it is planned.
#[derive(Default)]
pub(crate) struct Agenda {
    soonest: BTreeSet<(Time, LaneId)>,
    of: HashMap<LaneId, Time>,
}

impl Agenda {
    /// Plans a look, unless one is planned that comes no later.
    pub(crate) fn plan(&mut self, lane: LaneId, at: Time) {
        if let Some(planned) = self.of.get(&lane).copied() {
            if planned <= at {
                return;
            }
            self.soonest.remove(&(planned, lane));
        }
        self.of.insert(lane, at);
        self.soonest.insert((at, lane));
    }

    /// When the next look is planned.
    pub(crate) fn next(&self) -> Option<Time> {
        self.soonest.first().map(|(at, _)| *at)
    }

    /// Takes a lane whose time has come.
    pub(crate) fn take_due(&mut self, now: Time) -> Option<LaneId> {
        let (_, lane) = *self.soonest.first().filter(|(at, _)| *at <= now)?;
        self.soonest.pop_first();
        self.of.remove(&lane);
        Some(lane)
    }
}

#[cfg(test)]
mod tests {
    use engine::lanes::LaneKind;

    use super::*;

    #[test]
    fn a_lane_is_planned_once_for_the_soonest_moment() {
        let (lane, mut agenda) = (LaneId::new(None, LaneKind::Shared), Agenda::default());
        for at in [9, 5, 7, 5, 1_000].into_iter().chain(10..1_000) {
            agenda.plan(lane, Time(at));
        }
        assert_eq!((agenda.soonest.len(), agenda.of.len(), agenda.next()), (1, 1, Some(Time(5))));
        assert_eq!(agenda.take_due(Time(4)), None);
        assert_eq!(agenda.take_due(Time(5)), Some(lane));
        assert_eq!((agenda.next(), agenda.of.len()), (None, 0), "nothing is kept of it");
    }

    #[test]
    fn lanes_are_taken_in_the_order_of_their_moments() {
        let [one, two] = [LaneKind::Shared, LaneKind::Tiketi].map(|kind| LaneId::new(None, kind));
        let mut agenda = Agenda::default();
        agenda.plan(one, Time(2));
        agenda.plan(two, Time(1));
        assert_eq!([(); 3].map(|()| agenda.take_due(Time(3))), [Some(two), Some(one), None]);
    }
}
