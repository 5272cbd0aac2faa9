//! Giving seats and stock back, and making held ones sold.

use std::collections::BTreeMap;

use super::hold_seats::{claims, portions};
use super::{HeldItem, Reservation};
use crate::command::Stop;
use crate::id::TicketTypeId;
use crate::refusal::Refusal;
use crate::seats::{Claim, Stock};
use crate::time::Time;
use crate::world::{Change, Key, Row, World};

/// The rows that [`release`] and [`fill`] work on.
pub(crate) fn keys_of(reservation: &Reservation) -> impl Iterator<Item = Key> {
    let claims = reservation.seats.iter().map(|seat| Key::Claim((reservation.event, seat.ordinal)));
    let items = reservation.items.iter();
    claims
        .chain(items.flat_map(|item| [Key::Stock(item.ticket_type), Key::Portion((reservation.id, item.ticket_type))]))
}

/// Takes from a reservation what it still has. Gives the changes and the ordinals of the seats set free:
/// a seat that someone else has taken since the hold lapsed is not among them.
pub(crate) fn release(reservation: &Reservation, world: &World, now: Time) -> Result<(Vec<Change>, Vec<u32>), Stop> {
    world.need(keys_of(reservation))?;
    let own = |ordinal| {
        let claim = world.claims.get(&(reservation.event, ordinal))?;
        (claim.reservation == reservation.id && claim.until != Time::NEVER).then_some(claim)
    };
    let given: Vec<&Claim> = reservation.seats.iter().filter_map(|seat| own(seat.ordinal)).collect();
    let freed = given.iter().map(|claim| claim.seat.1).collect();
    let free = |claim: &&Claim| Claim { version: claim.version + 1, until: Time::NEVER, ..(*claim).clone() };
    let mut changes: Vec<Change> = given.iter().map(|claim| Change::Put(Row::Claim(free(claim)))).collect();
    for item in &reservation.items {
        let key = (reservation.id, item.ticket_type);
        let stock = world.stocks.get(&item.ticket_type);
        if let Some(stock) = stock.and_then(|stock| stock_without(stock, reservation, item, world, now)) {
            changes.push(Change::Put(Row::Stock(stock)));
            changes.push(Change::Delete(Key::Portion(key)));
        }
    }
    Ok((changes, freed))
}

/// The stock once the reservation's portion of it is gone; `None` where it has none.
fn stock_without(stock: &Stock, reservation: &Reservation, item: &HeldItem, world: &World, now: Time) -> Option<Stock> {
    let portion = world.portions.get(&(reservation.id, item.ticket_type))?;
    let mut stock = stock.clone();
    if portion.until == Time::FOREVER {
        stock.sold = stock.sold.checked_sub(portion.quantity)?;
        return Some(stock);
    }
    stock.held = stock.held.checked_sub(portion.quantity)?;
    if portion.until <= now {
        stock.lapsed = stock.lapsed.saturating_sub(portion.quantity);
    }
    Some(stock)
}

/// Makes what a reservation held sold to it. Where the hold has lapsed, only if all of it is still free.
///
/// # Errors
/// [`Refusal::SeatTaken`] or [`Refusal::StockShort`] when others were faster.
pub(crate) fn fill(sold: &Reservation, world: &World, now: Time) -> Result<Vec<Change>, Stop> {
    let mut stocks = Stocks::new();
    let mut changes = fill_from(&mut stocks, sold, world, now)?;
    changes.extend(stocks.into_values().map(|stock| Change::Put(Row::Stock(stock))));
    Ok(changes)
}

/// Stocks as one decision that fills several reservations changes them.
pub(crate) type Stocks = BTreeMap<TicketTypeId, Stock>;

/// As [`fill`], the changed stocks left in `stocks`: several reservations may share one.
///
/// # Errors
/// As [`fill`].
pub(crate) fn fill_from(
    stocks: &mut Stocks,
    sold: &Reservation,
    world: &World,
    now: Time,
) -> Result<Vec<Change>, Stop> {
    world.need(keys_of(sold))?;
    for seat in &sold.seats {
        let claim = world.claims.get(&(sold.event, seat.ordinal));
        if claim.is_some_and(|claim| claim.is_live(now) && claim.reservation != sold.id) {
            let event = world.events.get(&sold.event);
            let label = event.and_then(|event| Some(event.offer.layout.seat(seat.ordinal)?.label()));
            return Err(Refusal::SeatTaken { label: label.unwrap_or_default() }.into());
        }
    }
    for item in &sold.items {
        let known = stocks.get(&item.ticket_type).or_else(|| world.stocks.get(&item.ticket_type));
        let known = known.ok_or(Refusal::TicketTypeUnknown)?;
        let mut stock = stock_without(known, sold, item, world, now).unwrap_or_else(|| known.clone());
        if stock.left() < item.quantity {
            return Err(Refusal::StockShort { left: stock.left() }.into());
        }
        stock.sold += item.quantity;
        stocks.insert(item.ticket_type, stock);
    }
    let mut changes: Vec<Change> = Vec::new();
    changes.extend(claims(sold, world).into_iter().map(|claim| Change::Put(Row::Claim(claim))));
    changes.extend(portions(sold).into_iter().map(|portion| Change::Put(Row::Portion(portion))));
    Ok(changes)
}
