use std::collections::BTreeMap;

use engine::id::{LaneId, PlaceId, UserId};
use engine::lanes::{Ending, Lane, Place, PlaceState, Waiter};
use engine::time::Time;
use engine::world::World;

use super::{Table, id_values, values};
use crate::value::{Columns, Corrupt, Kind, Value};

impl Table for Lane {
    type Key = LaneId;
    const NAME: &'static str = "room_lanes";
    const COLUMNS: &'static [(&'static str, Kind)] = &[
        ("id", Kind::Bytes),
        ("next_number", Kind::Int),
        ("head_number", Kind::Int),
        ("inside", Kind::Int),
        ("waiting", Kind::Int),
        ("used", Kind::Int),
        ("capacity", Kind::Int),
    ];
    const KEYS: usize = 1;

    fn key_values(key: &LaneId) -> Vec<Value> {
        id_values(*key)
    }

    fn key(&self) -> LaneId {
        self.id
    }

    fn values(&self) -> Vec<Value> {
        values![self.id.0, self.next, self.head, self.inside, self.waiting, self.used, self.capacity]
    }

    fn read(columns: &mut Columns) -> Result<Self, Corrupt> {
        Ok(Self {
            id: columns.id()?,
            next: columns.int()?,
            head: columns.int()?,
            inside: columns.count()?,
            waiting: columns.count()?,
            used: columns.count()?,
            capacity: columns.count()?,
        })
    }
}

impl Table for Waiter {
    type Key = (LaneId, UserId);
    const NAME: &'static str = "room_waiters";
    const COLUMNS: &'static [(&'static str, Kind)] =
        &[("lane_id", Kind::Bytes), ("user_id", Kind::Bytes), ("number", Kind::Int)];
    const KEYS: usize = 2;

    fn key_values((lane, user): &Self::Key) -> Vec<Value> {
        values![lane.0, user.0]
    }

    fn key(&self) -> Self::Key {
        self.of
    }

    fn values(&self) -> Vec<Value> {
        values![self.of.0.0, self.of.1.0, self.number]
    }

    fn read(columns: &mut Columns) -> Result<Self, Corrupt> {
        Ok(Self { of: (columns.id()?, columns.id()?), number: columns.int()? })
    }
}

impl Table for Place {
    type Key = (LaneId, i64);
    const NAME: &'static str = "room_places";
    const COLUMNS: &'static [(&'static str, Kind)] = &[
        ("lane_id", Kind::Bytes),
        ("number", Kind::Int),
        ("version", Kind::Int),
        ("place_id", Kind::Bytes),
        ("user_id", Kind::Bytes),
        ("status", Kind::Text),
        ("status_at", Kind::Int),
        ("joined_at", Kind::Int),
        ("seen_at", Kind::Int),
        ("ends_at", Kind::Int),
    ];
    const KEYS: usize = 2;

    fn key_values((lane, number): &Self::Key) -> Vec<Value> {
        values![lane.0, *number]
    }

    fn key(&self) -> Self::Key {
        self.key
    }

    fn values(&self) -> Vec<Value> {
        let (word, at) = state_values(self.state);
        values![
            self.key.0.0,
            self.key.1,
            self.version,
            self.id.0,
            self.user.0,
            word,
            at.map(|time| time.0),
            self.joined_at.0,
            self.seen_at.0,
            self.ends_at.0,
        ]
    }

    fn read(columns: &mut Columns) -> Result<Self, Corrupt> {
        let key = (columns.id()?, columns.int()?);
        let version = columns.int()?;
        let (id, user) = (columns.id::<PlaceId>()?, columns.id()?);
        let (word, at) = (columns.text()?, columns.int_or()?.map(Time));
        Ok(Self {
            key,
            version,
            id,
            user,
            state: state_of(&word, at)?,
            joined_at: Time(columns.int()?),
            seen_at: Time(columns.int()?),
            ends_at: Time(columns.int()?),
        })
    }
}

fn state_values(state: PlaceState) -> (&'static str, Option<Time>) {
    match state {
        PlaceState::Waiting => ("waiting", None),
        PlaceState::Inside { until } => ("inside", Some(until)),
        PlaceState::Used => ("used", None),
        PlaceState::Ended { how, at } => (ending_word(how), Some(at)),
    }
}

fn ending_word(how: Ending) -> &'static str {
    match how {
        Ending::Completed => "completed",
        Ending::Left => "left",
        Ending::Lapsed => "lapsed",
        Ending::Absent => "absent",
        Ending::Requeued => "requeued",
    }
}

fn state_of(word: &str, at: Option<Time>) -> Result<PlaceState, Corrupt> {
    let ended = |how| at.map(|at| PlaceState::Ended { how, at }).ok_or(Corrupt("when a place ended"));
    match word {
        "waiting" => Ok(PlaceState::Waiting),
        "inside" => at.map(|until| PlaceState::Inside { until }).ok_or(Corrupt("how long a pass lasts")),
        "used" => Ok(PlaceState::Used),
        "completed" => ended(Ending::Completed),
        "left" => ended(Ending::Left),
        "lapsed" => ended(Ending::Lapsed),
        "absent" => ended(Ending::Absent),
        "requeued" => ended(Ending::Requeued),
        _ => Err(Corrupt("a place's status")),
    }
}

/// A place as other nodes are told of it: number, version, id, user, status, its moment, and the other moments.
#[derive(serde::Serialize, serde::Deserialize)]
struct PlaceNews(i64, i64, String, String, String, Option<i64>, [i64; 3]);

impl PlaceNews {
    fn of(place: &Place) -> Self {
        let (word, at) = state_values(place.state);
        let moments = [place.joined_at.0, place.seen_at.0, place.ends_at.0];
        let (id, user) = (format!("{:032x}", place.id.0), format!("{:032x}", place.user.0));
        Self(place.key.1, place.version, id, user, word.to_owned(), at.map(|time| time.0), moments)
    }

    fn place(self, lane: LaneId) -> Option<Place> {
        let Self(number, version, id, user, word, at, [joined_at, seen_at, ends_at]) = self;
        Some(Place {
            key: (lane, number),
            version,
            id: PlaceId(u128::from_str_radix(&id, 16).ok()?),
            user: UserId(u128::from_str_radix(&user, 16).ok()?),
            state: state_of(&word, at.map(Time)).ok()?,
            joined_at: Time(joined_at),
            seen_at: Time(seen_at),
            ends_at: Time(ends_at),
        })
    }
}

/// What a node tells the others of the changed places of a lane. Its position is given by the database.
pub(crate) struct LaneNews {
    made_at: Time,
    node: i64,
    lane: LaneId,
    body: String,
}

impl LaneNews {
    /// Of each lane in which places changed.
    pub(crate) fn of(world: &World, made_at: Time, node: i64) -> Vec<Self> {
        let mut lanes = BTreeMap::<LaneId, Vec<PlaceNews>>::new();
        for ((lane, _), slot) in world.places.dirty() {
            lanes.entry(*lane).or_default().extend(slot.row.as_ref().map(PlaceNews::of));
        }
        let news = |(lane, places): (LaneId, Vec<PlaceNews>)| {
            let body = serde_json::to_string(&places).unwrap_or_default();
            Self { made_at, node, lane, body }
        };
        lanes.into_iter().map(news).collect()
    }
}

/// Written only; the follower reads it by position.
impl Table for LaneNews {
    type Key = LaneId;
    const NAME: &'static str = "room_news";
    const COLUMNS: &'static [(&'static str, Kind)] =
        &[("lane_id", Kind::Bytes), ("made_at", Kind::Int), ("node", Kind::Int), ("body", Kind::Text)];
    const KEYS: usize = 1;

    fn key_values(key: &LaneId) -> Vec<Value> {
        id_values(*key)
    }

    fn key(&self) -> LaneId {
        self.lane
    }

    fn values(&self) -> Vec<Value> {
        values![self.lane.0, self.made_at.0, self.node, self.body.as_str()]
    }

    fn read(columns: &mut Columns) -> Result<Self, Corrupt> {
        Ok(Self { lane: columns.id()?, made_at: Time(columns.int()?), node: columns.int()?, body: columns.text()? })
    }
}

/// The places another node told of.
pub(crate) fn places_told(lane: LaneId, body: &str) -> Vec<Place> {
    let told: Vec<PlaceNews> = serde_json::from_str(body).unwrap_or_default();
    told.into_iter().filter_map(|told| told.place(lane)).collect()
}
