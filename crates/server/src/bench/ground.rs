//! What the load works on: events, their seats in random order, and signed-in users.

use std::cell::RefCell;
use std::rc::Rc;

use ::desk::{Desk, DeskConfig, Stopped};
use api::tokens::Tokens;
use engine::catalogue::layout::section;
use engine::catalogue::{Billing, CreateEvent, Editor, NewOffer};
use engine::id::{EventId, LaneId, UserId};
use engine::lanes::{JoinLane, LaneKind, LanePolicy};
use engine::money::Won;
use engine::people::{RegisterUser, Role, User};
use engine::time::{Span, Time};
use tokio::task::JoinSet;

use crate::cli::Failure;
use crate::config::Secret;

/// What every seat costs.
pub const PRICE: i64 = 50_000;
const SEATS_PER_ROW: u32 = 50;
const BUYERS: usize = 2_000;
/// Seconds of a day.
pub const DAY: i64 = 86_400;

/// Events and buyers, shared by all connections.
pub struct Ground {
    /// The events, as requests name them.
    pub events: Vec<String>,
    /// Seats of each.
    pub seats: u32,
    /// An access token a buyer.
    pub tokens: Vec<String>,
    /// Those who buy, in the order of their tokens.
    pub buyers: Vec<UserId>,
    free: RefCell<Vec<u32>>,
    random: RefCell<Random>,
}

/// A seat to hold, and who holds it.
pub struct Wish<'a> {
    /// The event.
    pub event: &'a str,
    /// The seat, as people call it.
    pub seat: String,
    /// The access token.
    pub token: &'a str,
}

impl Ground {
    /// Makes `events` events of `seats` seats, and buyers; what is left of `known` stays on offer too.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn prepare(
        config: DeskConfig,
        secret: &Secret,
        events: usize,
        seats: u32,
        known: Option<&Self>,
    ) -> Result<Rc<Self>, Failure> {
        let desk = Desk::open(config).await.map_err(Failure::new)?;
        let made = make(&desk, events, seats).await;
        let buyers = buyers(&desk).await;
        let tokens = Tokens::new(secret.reveal().as_bytes(), 7 * DAY, 7 * DAY);
        let now = desk.now();
        desk.close().await;
        let buyers = buyers?;
        let tokens = buyers.iter().map(|buyer| tokens.access(buyer, now)).collect();
        let buyers = buyers.iter().map(|buyer| buyer.id).collect();
        let (mut all, mut free) = known.map_or_else(Default::default, Self::left);
        let first = u32::try_from(all.len()).map_err(Failure::new)?;
        all.extend(made?);
        let end = u32::try_from(all.len()).map_err(Failure::new)?;
        free.extend(first.saturating_mul(seats)..end.saturating_mul(seats));
        let mut random = Random::new();
        shuffle(&mut free, &mut random);
        let (free, random) = (RefCell::new(free), RefCell::new(random));
        Ok(Rc::new(Self { events: all, seats, tokens, buyers, free, random }))
    }

    fn left(&self) -> (Vec<String>, Vec<u32>) {
        (self.events.clone(), self.free.borrow().clone())
    }

    /// A random seat nobody asked for yet; any random seat when all were.
    pub fn wish(&self) -> Wish<'_> {
        let (event, ordinal) = self.place();
        let buyer = self.random.borrow_mut().below(u32::try_from(self.tokens.len()).unwrap_or(u32::MAX));
        Wish {
            event: &self.events[event],
            seat: format!("A-{}-{}", ordinal / SEATS_PER_ROW + 1, ordinal % SEATS_PER_ROW + 1),
            token: &self.tokens[buyer as usize],
        }
    }

    /// As [`Ground::wish`], the seat by its id: the event, the seat and the token.
    pub fn wish_by_id(&self) -> (&str, String, &str) {
        let (event, ordinal) = self.place();
        let buyer = self.random.borrow_mut().below(u32::try_from(self.tokens.len()).unwrap_or(u32::MAX));
        let seat = event_id(&self.events[event]).seat(ordinal);
        (&self.events[event], api::ids::uuid(seat), &self.tokens[buyer as usize])
    }

    /// As [`Ground::wish`], of a buyer inside the event's queue, the seat by its id.
    pub fn wish_inside(&self) -> Wish<'_> {
        let (event, ordinal) = self.place();
        let own = self.tokens.len().saturating_sub(event).div_ceil(self.events.len());
        let buyer = self.random.borrow_mut().below(u32::try_from(own).unwrap_or(u32::MAX)) as usize;
        let seat = event_id(&self.events[event]).seat(ordinal);
        let token = &self.tokens[event + buyer * self.events.len()];
        Wish { event: &self.events[event], seat: api::ids::uuid(seat), token }
    }

    /// The event and the ordinal of the next seat to ask for.
    fn place(&self) -> (usize, u32) {
        let all = self.seats * u32::try_from(self.events.len()).unwrap_or(u32::MAX);
        let free = self.free.borrow_mut().pop();
        let place = free.unwrap_or_else(|| self.random.borrow_mut().below(all));
        ((place / self.seats) as usize, place % self.seats)
    }

    /// Lets each buyer into the queue of one event, one after the other, with no server on the store.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn let_in(&self, config: DeskConfig) -> Result<(), Failure> {
        let desk = Desk::open(config).await.map_err(Failure::new)?;
        let hour = Span::seconds(3_600);
        let inside = u32::try_from(self.buyers.len()).unwrap_or(u32::MAX);
        let policy =
            LanePolicy { inside, pass: hour, absent: hour, sliding: false, requeue: false, life: None, most: None };
        let mut joining = JoinSet::new();
        for (buyer, event) in self.buyers.iter().zip(self.events.iter().cycle()) {
            let lane = LaneId::new(Some(event_id(event)), LaneKind::Sail);
            let (desk, join) = (desk.clone(), JoinLane { lane, user: *buyer, policy, paused: false });
            joining.spawn(async move { desk.run(join).await });
        }
        let joined: Result<Vec<_>, Stopped> = joining.join_all().await.into_iter().collect();
        desk.close().await;
        joined.map(drop).map_err(Failure::new)
    }
}

fn event_id(text: &str) -> EventId {
    api::ids::parse_event(text).expect("the ids of the ground's own events are ids")
}

/// Somebody who makes events.
pub async fn organizer(desk: &Desk) -> Result<User, Failure> {
    let name = crate::folder::random_hex().reveal()[..12].to_owned();
    register(desk, format!("bench-{name}@example.com"), Role::Organizer).await.map_err(Failure::new)
}

/// What people read of an event, as little as can be.
pub fn billing(title: String, starts_at: Time) -> Billing {
    Billing {
        title,
        category: "concert".to_owned(),
        venue: "측정홀".to_owned(),
        location: "서울특별시".to_owned(),
        starts_at,
        ends_at: starts_at + Span::seconds(7_200),
        ..Billing::default()
    }
}

async fn make(desk: &Desk, events: usize, seats: u32) -> Result<Vec<String>, Failure> {
    let editor = Editor { user: organizer(desk).await?.id, role: Role::Organizer };
    let starts_at = desk.now() + Span::seconds(90 * DAY);
    let mut made = Vec::with_capacity(events);
    for number in 1..=events {
        let billing = billing(format!("측정 {number}"), starts_at);
        let rows = section("A", seats, SEATS_PER_ROW, Won(PRICE)).collect();
        let offer = NewOffer { rows, types: Vec::new(), total: None, prices: None };
        let created = desk.run(CreateEvent { editor, billing, offer, publish: true }).await;
        made.push(api::ids::uuid(created.map_err(Failure::new)?.id.0));
    }
    Ok(made)
}

async fn buyers(desk: &Desk) -> Result<Vec<User>, Failure> {
    let name = crate::folder::random_hex().reveal()[..12].to_owned();
    let mut registering = JoinSet::new();
    for number in 0..BUYERS {
        let (desk, email) = (desk.clone(), format!("buyer-{name}-{number}@example.com"));
        registering.spawn(async move { register(&desk, email, Role::User).await });
    }
    let registered = registering.join_all().await;
    registered.into_iter().collect::<Result<_, Stopped>>().map_err(Failure::new)
}

/// Without a password: nobody logs in, the tokens are signed here.
async fn register(desk: &Desk, email: String, role: Role) -> Result<User, Stopped> {
    desk.run(RegisterUser { email, password_hash: None, name: "측정".to_owned(), phone: None, role }).await
}

/// Puts places into random order (Fisher and Yates).
fn shuffle(places: &mut [u32], random: &mut Random) {
    for last in (1..places.len()).rev() {
        let bound = u32::try_from(last + 1).unwrap_or(u32::MAX);
        places.swap(last, random.below(bound) as usize);
    }
}

/// Xorshift (Marsaglia, 2003): the same order in every run.
pub struct Random(u64);

impl Random {
    /// From the beginning.
    pub fn new() -> Self {
        Self(0x6d61_6570_796f)
    }

    /// A number below a bound.
    pub fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(((self.0 >> 32) * u64::from(bound)) >> 32).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seat_is_wished_for_once_before_any_twice() {
        let mut places: Vec<u32> = (0..300).collect();
        shuffle(&mut places, &mut Random(7));
        let ground = Ground {
            events: vec!["e".to_owned(), "f".to_owned()],
            seats: 150,
            tokens: vec!["t".to_owned(), "u".to_owned()],
            buyers: vec![UserId(1), UserId(2)],
            free: RefCell::new(places),
            random: RefCell::new(Random(7)),
        };
        let place = |wish: &Wish<'_>| format!("{} {}", wish.event, wish.seat);
        let wished: Vec<String> = (0..300).map(|_| place(&ground.wish())).collect();
        let mut sorted = wished.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), 300);
        assert_ne!(wished, sorted);
        assert!(sorted.contains(&"f A-3-50".to_owned()));
        assert!(sorted.contains(&place(&ground.wish())));
    }
}
