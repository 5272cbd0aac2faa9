//! The waiting room under load: many who join, and many who ask while a hundred thousand wait.

use std::cell::Cell;
use std::rc::Rc;

use ::desk::{Desk, DeskConfig, Span, Stopped};
use engine::id::{EventId, LaneId, UserId};
use engine::lanes::{JoinLane, LaneKind, LanePolicy};
use tokio::task::JoinSet;

use super::ground::Ground;
use super::loader::{Script, Step};
use super::response::text;
use super::scripts::{failed, post};
use crate::cli::Failure;

/// How many wait while others ask where they stand.
const WAITING: u32 = 100_000;
/// Joined at a time, below the length of the desk's queue.
const PAGE: u32 = 8_192;

/// Fills the lane of the ground's last event: every buyer somewhere in a long line of others.
///
/// # Errors
/// When the store fails.
pub async fn fill(config: DeskConfig, ground: &Ground) -> Result<(), Failure> {
    let event = ground.events.last().and_then(|event| api::ids::parse_event(event));
    let event = event.ok_or_else(|| Failure::new("the store has no event"))?;
    let desk = Desk::open(config).await.map_err(Failure::new)?;
    let buyers = u32::try_from(ground.buyers.len()).unwrap_or(u32::MAX).max(1);
    let every = (WAITING / buyers).max(1);
    for first in (0..WAITING).step_by(PAGE as usize) {
        let mut joining = JoinSet::new();
        for number in first..(first + PAGE).min(WAITING) {
            let buyer = ground.buyers.get((number / every) as usize).filter(|_| number % every == 0);
            let user = buyer.copied().unwrap_or(UserId(u128::from(number) + 1));
            let (desk, command) = (desk.clone(), joining_of(event, user));
            joining.spawn(async move { desk.run(command).await });
        }
        let joined = joining.join_all().await;
        joined.into_iter().collect::<Result<Vec<_>, Stopped>>().map_err(Failure::new)?;
    }
    desk.close().await;
    Ok(())
}

fn joining_of(event: EventId, user: UserId) -> JoinLane {
    let (pass, absent) = (Span::seconds(86_400), Span::seconds(86_400));
    let policy = LanePolicy { inside: 1, pass, absent, sliding: false, requeue: false, life: None, most: None };
    JoinLane { lane: LaneId::new(Some(event), LaneKind::TicketingPro), user, policy, paused: false }
}

/// Joins one line after the other, each buyer each line once.
pub struct Join {
    ground: Rc<Ground>,
    next: Rc<Cell<usize>>,
}

impl Join {
    /// All of these share `next`.
    pub fn new(ground: Rc<Ground>, next: Rc<Cell<usize>>) -> Self {
        Self { ground, next }
    }
}

impl Script for Join {
    fn request(&mut self, out: &mut Vec<u8>) {
        let (number, buyers) = (self.next.get(), self.ground.tokens.len());
        self.next.set(number + 1);
        let event = &self.ground.events[number / buyers % self.ground.events.len()];
        let body = format!(r#"{{"event_id":"{event}"}}"#);
        post(out, "/api/queue/join", &self.ground.tokens[number % buyers], &body);
    }

    fn answer(&mut self, status: u16, body: &[u8]) -> Step {
        let joined = status == 200 && matches!(text(body, "status"), Some("waiting" | "ready"));
        if joined { Step::Done } else { failed("join", status, body) }
    }
}

/// Asks where one buyer after the other stands in the line of the last event.
pub struct Ask {
    ground: Rc<Ground>,
    next: Rc<Cell<usize>>,
}

impl Ask {
    /// All of these share `next`.
    pub fn new(ground: Rc<Ground>, next: Rc<Cell<usize>>) -> Self {
        Self { ground, next }
    }
}

impl Script for Ask {
    fn request(&mut self, out: &mut Vec<u8>) {
        let number = self.next.get();
        self.next.set(number + 1);
        let event = self.ground.events.last().map_or("", String::as_str);
        let token = &self.ground.tokens[number % self.ground.tokens.len()];
        let head =
            format!("GET /api/queue/{event}/status HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\r\n");
        out.extend_from_slice(head.as_bytes());
    }

    fn answer(&mut self, status: u16, body: &[u8]) -> Step {
        if status == 200 { Step::Done } else { failed("status", status, body) }
    }
}
