//! The waiting room as the dialects use it.

use std::sync::{Arc, Weak};

use desk::{Desk, Follower, Stopped, Time, Unavailable};
use engine::catalogue::{Event, EventStatus};
use engine::id::{EventId, UserId};
use engine::lanes::{CompletePlace, JoinLane, LanePolicy, LeaveLane, UseTurn};
use engine::refusal::Refusal;
use tokio::sync::{broadcast, mpsc};

use crate::lane::Memory;
use crate::pulse;
use crate::room::{Room, Word};
use crate::view::{Door, LaneView, Moved, PlaceView, Policies, Standing, Turned};

/// How many changes a listener may be behind.
const MOST_BEHIND: usize = 4_096;

/// The waiting room. Cheap to clone.
///
/// `event` is what somebody waits for. `concert` has one lane for the whole server, so there it may be left out; it
/// matters where the event has a policy of its own, under which all dialects share one lane.
#[derive(Clone)]
pub struct WaitingRoom(Arc<Room>);

impl WaitingRoom {
    /// Starts the waiting room of a store, and the task that moves its lanes on. Lanes in which somebody is are read
    /// at once, others when they are asked for. Needs a runtime to run in.
    #[must_use]
    pub fn start(desk: Desk, policies: Policies) -> Self {
        let (words, heard) = mpsc::unbounded_channel();
        let room = Arc::new(Room::new(desk, policies, MOST_BEHIND, words));
        let follower: Weak<Room> = Arc::downgrade(&room);
        let follower: Weak<dyn Follower> = follower;
        room.desk.be_followed(follower);
        tokio::spawn(pulse::run(Arc::downgrade(&room), heard));
        room.say(Word::Anew);
        Self(room)
    }

    /// Takes a place in line, or gives the one this person has. With room and nobody before it, it is inside at once.
    ///
    /// # Errors
    /// [`Refusal::EventUnknown`], [`Refusal::EventNotOnSale`], [`Refusal::LaneFull`]; else why there is no verdict.
    pub async fn join(&self, door: Door, event: Option<EventId>, user: UserId) -> Result<PlaceView, Stopped> {
        let event = self.event(event).await?;
        if event.as_ref().is_some_and(|event| event.status == EventStatus::Cancelled) {
            return Err(Refusal::EventNotOnSale.into());
        }
        let lane = self.memory(door, event.as_deref()).await.map_err(unavailable)?;
        let now = self.0.desk.now();
        let has = lane.look(user, now, true);
        self.pass_on(&lane, true);
        if let Some(place) = has.filter(|own| matches!(own.standing, Standing::Waiting | Standing::Inside { .. })) {
            return Ok(place);
        }
        let (policy, paused) = self.terms(&lane).await?;
        let place = self.0.desk.run(JoinLane { lane: lane.id, user, policy, paused }).await?;
        let now = self.0.desk.now();
        lane.apply(&place, now);
        lane.catch_up(&self.0.desk).await.map_err(unavailable)?;
        Ok(lane.look(user, now, true).unwrap_or_else(|| lane.over(&place)))
    }

    /// The place of a person; `None` for who never joined. Live places are in memory; what is over is looked up.
    ///
    /// # Errors
    /// Where the store cannot be reached. An event that does not exist has no places.
    pub async fn look(
        &self,
        door: Door,
        event: Option<EventId>,
        user: UserId,
    ) -> Result<Option<PlaceView>, Unavailable> {
        self.look_as(door, event, user, false).await
    }

    /// As [`WaitingRoom::look`]; the look is a sign of life.
    ///
    /// # Errors
    /// As [`WaitingRoom::look`].
    pub async fn look_alive(
        &self,
        door: Door,
        event: Option<EventId>,
        user: UserId,
    ) -> Result<Option<PlaceView>, Unavailable> {
        self.look_as(door, event, user, true).await
    }

    async fn look_as(
        &self,
        door: Door,
        event: Option<EventId>,
        user: UserId,
        alive: bool,
    ) -> Result<Option<PlaceView>, Unavailable> {
        let event = match event {
            None => None,
            Some(id) => match self.0.desk.event(id).await? {
                None => return Ok(None),
                found => found,
            },
        };
        let lane = self.memory(door, event.as_deref()).await?;
        let now = self.0.desk.now();
        if let Some(place) = lane.look(user, now, alive) {
            self.pass_on(&lane, alive);
            return Ok(Some(place));
        }
        if self.is_deserted(&lane) {
            return Ok(None);
        }
        let Some(place) = self.0.desk.place_of(lane.id, user).await? else { return Ok(None) };
        lane.apply(&place, now);
        lane.catch_up(&self.0.desk).await?;
        Ok(lane.look(user, now, alive).or_else(|| Some(lane.over(&place))))
    }

    /// Gives a place up, waiting or inside; whoever is next has the room at once. Gives whether there was one.
    ///
    /// # Errors
    /// [`Refusal::EventUnknown`]; else why there is no verdict.
    pub async fn leave(&self, door: Door, event: Option<EventId>, user: UserId) -> Result<bool, Stopped> {
        let event = self.event(event).await?;
        let lane = self.memory(door, event.as_deref()).await.map_err(unavailable)?;
        let (policy, paused) = self.terms(&lane).await?;
        Ok(self.0.desk.run(LeaveLane { lane: lane.id, user, policy, paused }).await?.is_some())
    }

    /// Whether a person may buy now: with a pass, and through the doors that allow it also while there is room and
    /// nobody waits. To be asked at every purchase call; it is a sign of life.
    ///
    /// # Errors
    /// [`Turned`].
    pub async fn may_buy(&self, door: Door, event: Option<EventId>, user: UserId) -> Result<(), Turned> {
        let event = match event {
            None => None,
            Some(id) => match self.0.desk.event(id).await? {
                // Whoever decides on the purchase says that there is no such event.
                None => return Ok(()),
                found => found,
            },
        };
        let lane = self.memory(door, event.as_deref()).await?;
        let place = lane.look(user, self.0.desk.now(), true);
        self.pass_on(&lane, true);
        if place.as_ref().is_some_and(|own| matches!(own.standing, Standing::Inside { .. })) {
            return Ok(());
        }
        let LaneView { inside, waiting, capacity, .. } = lane.view();
        if !door.wants_pass() && waiting == 0 && inside < capacity {
            return Ok(());
        }
        Err(Turned::Wait(place))
    }

    /// Notes that a turn was used: its holder makes room, and the place lives on.
    ///
    /// # Errors
    /// [`Refusal::EventUnknown`]; else why there is no verdict.
    pub async fn turn_used(&self, door: Door, event: Option<EventId>, user: UserId) -> Result<(), Stopped> {
        let event = self.event(event).await?;
        let lane = self.memory(door, event.as_deref()).await.map_err(unavailable)?;
        let (policy, paused) = self.terms(&lane).await?;
        self.0.desk.run(UseTurn { lane: lane.id, user, policy, paused }).await.map(drop)
    }

    /// Notes that a person has bought, which ends the place. It happens by itself a moment after every payment; this
    /// is for who wants it to have happened.
    ///
    /// # Errors
    /// [`Refusal::EventUnknown`]; else why there is no verdict.
    pub async fn completed(&self, door: Door, event: Option<EventId>, user: UserId) -> Result<(), Stopped> {
        let event = self.event(event).await?;
        let lane = self.memory(door, event.as_deref()).await.map_err(unavailable)?;
        if self.is_deserted(&lane) {
            return Ok(());
        }
        let (policy, paused) = self.terms(&lane).await?;
        self.0.desk.run(CompletePlace { lane: lane.id, user, policy, paused }).await.map(drop)
    }

    /// A lane's numbers.
    ///
    /// # Errors
    /// Where the store cannot be reached. An event that does not exist has an empty lane.
    pub async fn lane(&self, door: Door, event: Option<EventId>) -> Result<LaneView, Unavailable> {
        let event = match event {
            Some(id) => self.0.desk.event(id).await?,
            None => None,
        };
        Ok(self.memory(door, event.as_deref()).await?.view())
    }

    /// The changes from now on, as they happen.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Moved> {
        self.0.moved.subscribe()
    }

    async fn event(&self, event: Option<EventId>) -> Result<Option<Arc<Event>>, Stopped> {
        let Some(id) = event else { return Ok(None) };
        // A draft is nobody's business.
        let found = self.0.desk.public_event(id).await.map_err(unavailable)?;
        found.ok_or(Refusal::EventUnknown.into()).map(Some)
    }

    async fn memory(&self, door: Door, event: Option<&Event>) -> Result<Arc<Memory>, Unavailable> {
        self.0.lane(Room::lane_of(door.kind(), event), event).await
    }

    /// Whether nobody ever stood in a lane. Of other nodes' lanes the news may still be on its way.
    fn is_deserted(&self, lane: &Memory) -> bool {
        !self.0.desk.is_shared() && !lane.state.lock().index.is_touched()
    }

    /// Sees to it that other nodes hear of a sign of life, where there are any.
    fn pass_on(&self, lane: &Memory, alive: bool) {
        if alive && self.0.desk.is_shared() && lane.note_at() < Time::FOREVER {
            self.0.wake(lane, self.0.desk.now());
        }
    }

    /// By which policy a lane lets people in now, and whether it lets anybody in.
    async fn terms(&self, lane: &Memory) -> Result<(LanePolicy, bool), Stopped> {
        if lane.has_stale_stock() {
            self.0.look_at_stock(lane).await.map_err(unavailable)?;
        }
        let policy = lane.state.lock().policy;
        Ok((policy, lane.is_paused()))
    }
}

fn unavailable(Unavailable(why): Unavailable) -> Stopped {
    Stopped::Unavailable(why)
}
