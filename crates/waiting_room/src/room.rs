//! The lanes that are in memory, and what the news of a commit does to them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use desk::{Desk, Follower, News, Time, Unavailable};
use engine::catalogue::Event;
use engine::id::{EventId, LaneId, UserId};
use engine::lanes::{LaneKind, LanePolicy, PlaceState};
use parking_lot::RwLock;
use tokio::sync::{broadcast, mpsc};

use crate::index::Step;
use crate::lane::Memory;
use crate::view::{Moved, Policies};

/// What the task that moves lanes is told.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Word {
    /// Look at this lane now.
    Now(LaneId),
    /// Look at this lane then.
    At(LaneId, Time),
    /// This person has bought, so its place in this lane is complete.
    Bought(LaneId, UserId),
    /// Lanes are to be read anew.
    Anew,
}

/// Everything the waiting room is.
pub(crate) struct Room {
    pub(crate) desk: Desk,
    pub(crate) policies: Policies,
    lanes: RwLock<HashMap<LaneId, Arc<Memory>>>,
    pub(crate) moved: broadcast::Sender<Moved>,
    words: mpsc::UnboundedSender<Word>,
}

impl Room {
    pub(crate) fn new(desk: Desk, policies: Policies, behind: usize, words: mpsc::UnboundedSender<Word>) -> Self {
        let (moved, _) = broadcast::channel(behind);
        Self { desk, policies, lanes: RwLock::default(), moved, words }
    }

    pub(crate) fn say(&self, word: Word) {
        // It ends with the room, and then there is nothing left to do.
        let _ = self.words.send(word);
    }

    /// A lane that is in memory already.
    pub(crate) fn known(&self, id: LaneId) -> Option<Arc<Memory>> {
        self.lanes.read().get(&id).cloned()
    }

    /// Which lane of an event somebody of a kind queues in.
    pub(crate) fn lane_of(kind: LaneKind, event: Option<&Event>) -> LaneId {
        match event {
            Some(event) if event.billing.waiting_room.is_some() => LaneId::new(Some(event.id), LaneKind::Shared),
            Some(event) if kind != LaneKind::Concert => LaneId::new(Some(event.id), kind),
            _ => LaneId::new(None, kind),
        }
    }

    /// A lane, filled, with the policy it has now.
    pub(crate) async fn lane(&self, id: LaneId, event: Option<&Event>) -> Result<Arc<Memory>, Unavailable> {
        let kind = id.kind().unwrap_or(LaneKind::TicketingPro);
        let policy = self.policies.of(kind, event.and_then(|event| event.billing.waiting_room));
        let lane = self.remembered(id, kind, policy);
        let changed = {
            let mut line = lane.state.lock();
            let changed = line.policy != policy;
            line.policy = policy;
            changed
        };
        let fresh = !lane.is_filled();
        lane.fill(&self.desk).await?;
        if fresh {
            self.look_at_stock(&lane).await?;
        }
        if fresh || changed {
            self.say(Word::Now(id));
        }
        Ok(lane)
    }

    fn remembered(&self, id: LaneId, kind: LaneKind, policy: LanePolicy) -> Arc<Memory> {
        if let Some(lane) = self.known(id) {
            return lane;
        }
        self.lanes
            .write()
            .entry(id)
            .or_insert_with(|| Arc::new(Memory::new(id, kind, policy, self.desk.is_shared())))
            .clone()
    }

    /// A lane whose event is not at hand.
    pub(crate) async fn lane_by_id(&self, id: LaneId) -> Result<Arc<Memory>, Unavailable> {
        let event = match id.event() {
            Some(event) => self.desk.event(event).await?,
            None => None,
        };
        self.lane(id, event.as_deref()).await
    }

    /// Forgets a lane, so that it is read anew.
    pub(crate) fn drop_lane(&self, id: LaneId) {
        self.lanes.write().remove(&id);
    }

    pub(crate) fn tell(&self, moved: Moved) {
        // Nobody may be listening.
        let _ = self.moved.send(moved);
    }

    /// Has a lane looked at, once however often it is asked before that.
    pub(crate) fn kick(&self, lane: &Memory) {
        if lane.looks.ask() {
            self.say(Word::Now(lane.id));
        }
    }

    fn lanes_of(&self, event: EventId) -> Vec<Arc<Memory>> {
        let lanes = self.lanes.read();
        let ids = LaneKind::ALL.map(|kind| LaneId::new(Some(event), kind));
        ids.iter().filter_map(|id| lanes.get(id).cloned()).collect()
    }

    fn place_changed(&self, lane: &Memory, place: &engine::lanes::Place, now: Time) -> bool {
        let step = lane.apply(place, now);
        let (kind, event) = (lane.kind, lane.id.event());
        if let (Step::LetIn { .. }, PlaceState::Inside { until }) = (step, place.state) {
            self.tell(Moved::LetIn { kind, event, user: place.user, until });
        }
        step != Step::None
    }
}

impl Follower for Room {
    fn follow(&self, news: &News<'_>) {
        let now = self.desk.now();
        let mut rest = news.places;
        while let Some(first) = rest.first() {
            let id = first.key.0;
            let count = rest.iter().take_while(|place| place.key.0 == id).count();
            let (own, others) = rest.split_at(count);
            rest = others;
            // A lane that is not in memory is read when it is asked for; its deadlines have to be kept now.
            let Some(lane) = self.known(id) else {
                self.say(Word::Now(id));
                continue;
            };
            let changed = own.iter().filter(|place| self.place_changed(&lane, place, now)).count();
            if changed > 0 {
                self.tell(Moved::Lane { kind: lane.kind, event: id.event() });
                self.wake(&lane, now);
            }
        }
        for event in news.touched {
            for lane in self.lanes_of(*event).into_iter().filter(|lane| lane.heeds_stock()) {
                if !lane.stock_changed.swap(true, Ordering::AcqRel) && lane.is_watched() {
                    self.kick(&lane);
                }
            }
        }
        // An event may have another policy now, which lets more in.
        for event in news.changed {
            self.lanes_of(*event).iter().for_each(|lane| self.kick(lane));
        }
        for (user, event) in news.bought {
            let server_wide = LaneKind::ALL.into_iter().filter_map(|kind| self.known(LaneId::new(None, kind)));
            for lane in self.lanes_of(*event).into_iter().chain(server_wide) {
                if lane.state.lock().index.is_touched() {
                    self.say(Word::Bought(lane.id, *user));
                }
            }
        }
    }

    fn forget(&self) {
        self.lanes.write().clear();
        self.say(Word::Anew);
    }
}

impl Room {
    /// Has a lane looked at when it is time to.
    pub(crate) fn wake(&self, lane: &Memory, now: Time) {
        let (at_once, next) = lane.outlook(now);
        if at_once {
            return self.kick(lane);
        }
        let mut line = lane.state.lock();
        if next < line.wake_at {
            line.wake_at = next;
            self.say(Word::At(lane.id, next));
        }
    }
}
