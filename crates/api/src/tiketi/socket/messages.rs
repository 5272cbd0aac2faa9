//! What goes over a socket.

use std::ops::Not;

use engine::id::{EventId, UserId};
use serde::{Deserialize, Serialize};

use crate::ids;

/// A client names an event.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    pub event_id: String,
    /// The seats it has its eyes on.
    #[serde(default)]
    pub seats: Option<Vec<String>>,
}

/// What a client that asked for it is told of what it sent.
#[derive(Serialize)]
pub struct Heard {
    pub ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'static str>,
}

/// `room-info`: how many look at an event.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomInfo {
    pub event_id: String,
    pub user_count: usize,
}

/// `seats-snapshot`: how some seats of an event stand, a letter for each in the order of the list of its seats:
/// `a`vailable, `l`ocked or `r`eserved. All of them come in parts, one after the other and of one sequence number. What
/// comes after them has greater numbers, each one more than the last: where one is missing, joining again gives a new
/// snapshot.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotPart<'a> {
    pub event_id: &'a str,
    pub sequence: u64,
    /// The place in the list of the first seat of this part, from 0.
    pub from: usize,
    /// How many seats the event has.
    pub total: usize,
    pub seats: &'a str,
}

/// `seat-locked`, `seat-released` and `seat-sold`.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SeatSaid {
    pub seat_id: String,
    /// Who holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// `locked`, `available` or `reserved`.
    pub status: &'static str,
    pub timestamp: String,
    pub event_id: String,
    pub sequence: u64,
}

/// `seat-update`: what somebody else has its eyes on.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeatsEyed {
    pub user_id: String,
    pub seats: Vec<String>,
    pub event_id: String,
}

impl SeatsEyed {
    pub fn new(event: EventId, user: UserId, seats: Vec<String>) -> Self {
        Self { user_id: ids::uuid(user.0), seats, event_id: ids::uuid(event.0) }
    }
}

/// `ticket-updated`: how many tickets are left.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TicketsLeft {
    pub ticket_type_id: String,
    pub available_quantity: u32,
    pub total_quantity: u32,
    pub timestamp: String,
    pub event_id: String,
}

/// `queue-updated`: how a queue stands.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueInfo {
    pub event_id: String,
    pub queue_size: u32,
    pub current_users: u32,
    pub threshold: u32,
    /// There, and true, while nothing is left: then nobody who waits is let in.
    #[serde(skip_serializing_if = "Not::not")]
    pub sold_out: bool,
    pub timestamp: String,
}

/// `queue-entry-allowed`, for who gets in.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LetIn {
    pub event_id: String,
    pub user_id: String,
    pub message: &'static str,
}
