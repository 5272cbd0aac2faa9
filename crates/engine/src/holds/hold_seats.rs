use std::collections::BTreeMap;

use super::{HeldItem, HeldSeat, Reservation, Standing};
use crate::catalogue::Event;
use crate::command::{Command, Context, Decision, Fact, Verdict};
use crate::id::{EventId, TicketTypeId, UserId};
use crate::money::Won;
use crate::refusal::Refusal;
use crate::seats::{Claim, Portion, Stock};
use crate::time::Span;
use crate::world::{Key, Row, World};

/// The rules of a hold that differ from dialect to dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldRules {
    /// How long it lasts.
    pub span: Span,
    /// How many seats and tickets at most.
    pub most: u32,
    /// Whether each seat becomes a reservation of its own.
    pub one_each: bool,
    /// Whether it is refused to who holds anything else that is not paid, of whatever event.
    pub alone: bool,
}

/// Holds seats and counted tickets of an event: all of them or none.
#[derive(Debug, Clone)]
pub struct HoldSeats {
    /// For whom.
    pub user: UserId,
    /// Of what.
    pub event: EventId,
    /// Ordinals of the seats.
    pub seats: Vec<u32>,
    /// Ticket types and how many of each.
    pub items: Vec<(TicketTypeId, u32)>,
    /// What the caller believes it costs; refused when it is not that.
    pub stated_total: Option<Won>,
    /// The rules.
    pub rules: HoldRules,
}

impl Command for HoldSeats {
    type Reply = Vec<Reservation>;
    const NAME: &'static str = "HoldSeats";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<Vec<Reservation>> {
        self.check_shape()?;
        world.need(self.keys())?;
        let event = world.events.get(&self.event).ok_or(Refusal::EventUnknown)?;
        event.sellable(cx.now)?;
        let seats = self.price_seats(event)?;
        let items = self.price_items(event)?;
        let total = total(&seats, &items)?;
        if self.stated_total.is_some_and(|stated| stated != total) {
            return Err(Refusal::TotalDiffers { expected: total.0 }.into());
        }
        self.check_person(event, world, cx)?;
        self.check_seats_free(event, world, cx)?;
        self.check_alone(world, cx)?;
        let stocks = take_stock(&items, world)?;

        let made = self.reservations(seats, items, cx)?;
        let claims = made.iter().flat_map(|own| claims(own, world));
        let portions = made.iter().flat_map(portions);
        let mut decision = Decision::new(made.clone())
            .put_all(stocks.into_iter().map(Row::Stock))
            .put_all(claims.map(Row::Claim))
            .put_all(portions.map(Row::Portion))
            .put_all(made.iter().cloned().map(Row::Reservation));
        decision.facts.extend(made.into_iter().map(Fact::Held));
        Ok(decision)
    }
}

impl HoldSeats {
    /// Whether it could be had at all: it wants something, not too much, and nothing twice.
    ///
    /// # Errors
    /// [`Refusal::NothingWanted`], [`Refusal::TooMany`], [`Refusal::SeatRepeated`].
    pub fn check_shape(&self) -> Result<(), Refusal> {
        let counted = self.items.iter().map(|(_, quantity)| u64::from(*quantity)).sum::<u64>();
        if self.seats.is_empty() && counted == 0 || self.items.iter().any(|(_, quantity)| *quantity == 0) {
            return Err(Refusal::NothingWanted);
        }
        if self.seats.len() as u64 + counted > u64::from(self.rules.most) {
            return Err(Refusal::TooMany { limit: self.rules.most });
        }
        let mut sorted = self.seats.clone();
        sorted.sort_unstable();
        let repeated = sorted.windows(2).any(|pair| pair[0] == pair[1]);
        if repeated { Err(Refusal::SeatRepeated) } else { Ok(()) }
    }

    fn keys(&self) -> impl Iterator<Item = Key> {
        let claims = self.seats.iter().map(|ordinal| Key::Claim((self.event, *ordinal)));
        let stocks = self.items.iter().map(|(ticket_type, _)| Key::Stock(*ticket_type));
        let unpaid = self.rules.alone.then_some(Key::Unpaid(self.user));
        [Key::Event(self.event)].into_iter().chain(unpaid).chain(stocks).chain(claims)
    }

    fn price_seats(&self, event: &Event) -> Result<Vec<HeldSeat>, Refusal> {
        let price = |ordinal: &u32| {
            let seat = event.offer.layout.seat(*ordinal).ok_or(Refusal::SeatUnknown)?;
            Ok(HeldSeat { ordinal: *ordinal, price: seat.price })
        };
        self.seats.iter().map(price).collect()
    }

    /// The items with their prices; a type that is named twice adds up.
    fn price_items(&self, event: &Event) -> Result<Vec<HeldItem>, Refusal> {
        let mut wanted = BTreeMap::<TicketTypeId, u32>::new();
        for (ticket_type, quantity) in &self.items {
            *wanted.entry(*ticket_type).or_default() += quantity;
        }
        let price = |(ticket_type, quantity)| {
            let own = event.ticket_type(ticket_type).ok_or(Refusal::TicketTypeUnknown)?;
            Ok(HeldItem { ticket_type, quantity, price: own.price })
        };
        wanted.into_iter().map(price).collect()
    }

    fn check_person(&self, event: &Event, world: &World, cx: &Context) -> Result<(), crate::command::Stop> {
        let Some(limit) = event.billing.max_per_user else { return Ok(()) };
        let of = (self.user, self.event);
        world.need([Key::Holdings(of)])?;
        let has = world.holdings.get(&of).map_or(0, |holdings| holdings.live(cx.now));
        let wants = self.items.iter().map(|(_, quantity)| *quantity).sum::<u32>();
        let wants = wants + u32::try_from(self.seats.len()).unwrap_or(u32::MAX);
        if has + wants > limit { Err(Refusal::PersonLimit { limit }.into()) } else { Ok(()) }
    }

    fn check_alone(&self, world: &World, cx: &Context) -> Result<(), Refusal> {
        let unpaid = world.unpaid.get(&self.user).filter(|_| self.rules.alone);
        if unpaid.is_some_and(|unpaid| unpaid.is_live(cx.now)) { Err(Refusal::StillHolding) } else { Ok(()) }
    }

    fn check_seats_free(&self, event: &Event, world: &World, cx: &Context) -> Result<(), Refusal> {
        for ordinal in &self.seats {
            let claim = world.claims.get(&(self.event, *ordinal));
            if claim.is_some_and(|claim| claim.is_live(cx.now)) {
                let label = event.offer.layout.seat(*ordinal).map(|seat| seat.label());
                return Err(Refusal::SeatTaken { label: label.unwrap_or_default() });
            }
        }
        Ok(())
    }

    fn reservations(
        &self,
        seats: Vec<HeldSeat>,
        items: Vec<HeldItem>,
        cx: &mut Context,
    ) -> Result<Vec<Reservation>, Refusal> {
        if !self.rules.one_each {
            return Ok(vec![self.reservation(seats, items, cx)?]);
        }
        let singly = seats.into_iter().map(|seat| (vec![seat], Vec::new()));
        let counted = (!items.is_empty()).then_some((Vec::new(), items));
        singly.chain(counted).map(|(seats, items)| self.reservation(seats, items, cx)).collect()
    }

    fn reservation(
        &self,
        seats: Vec<HeldSeat>,
        items: Vec<HeldItem>,
        cx: &mut Context,
    ) -> Result<Reservation, Refusal> {
        let until = cx.now + self.rules.span;
        Ok(Reservation {
            id: cx.mint.id(),
            event: self.event,
            user: self.user,
            total: total(&seats, &items)?,
            seats,
            items,
            standing: Standing::Pending { until },
            payment: None,
            created_at: cx.now,
            expires_at: until,
        })
    }
}

fn total(seats: &[HeldSeat], items: &[HeldItem]) -> Result<Won, Refusal> {
    let seats = seats.iter().try_fold(Won::ZERO, |sum, seat| sum.plus(seat.price))?;
    items.iter().try_fold(seats, |sum, item| sum.plus(item.price.times(item.quantity)?))
}

fn take_stock(items: &[HeldItem], world: &World) -> Result<Vec<Stock>, Refusal> {
    let take = |item: &HeldItem| {
        let mut stock = world.stocks.get(&item.ticket_type).cloned().ok_or(Refusal::TicketTypeUnknown)?;
        if stock.left() < item.quantity {
            return Err(Refusal::StockShort { left: stock.left() });
        }
        stock.held += item.quantity;
        Ok(stock)
    };
    items.iter().map(take).collect()
}

pub(super) fn claims(reservation: &Reservation, world: &World) -> Vec<Claim> {
    let claim = |seat: &HeldSeat| {
        let place = (reservation.event, seat.ordinal);
        let version = world.claims.get(&place).map_or(0, |claim| claim.version) + 1;
        Claim { seat: place, version, reservation: reservation.id, until: reservation.claimed_until() }
    };
    reservation.seats.iter().map(claim).collect()
}

pub(super) fn portions(reservation: &Reservation) -> Vec<Portion> {
    let portion = |item: &HeldItem| Portion {
        key: (reservation.id, item.ticket_type),
        quantity: item.quantity,
        until: reservation.claimed_until(),
    };
    reservation.items.iter().map(portion).collect()
}
