//! The programme in memory: the events the public sees, in the order in which their sales begin, by stage.
//!
//! It is filled from the store when it is first looked at and told of every commit, so a page of it costs as much as
//! the page is long, however many events there are. The clock moves events on when somebody looks. Whether an event
//! is sold out is found out for those only in which something was held or given back since the last look.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use engine::catalogue::{Event, EventStatus, Layout, SaleStage, SaleWindow};
use engine::id::EventId;
use engine::time::Time;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::desk::Desk;
use crate::tables::layout_of;
use crate::value::{Columns, Corrupt, IntoValue as _, Kind, Value};
use crate::{Listed, ListingQuery, Unavailable};

/// How many events are read at a time when the programme is filled.
const PAGE: i64 = 10_000;
pub(crate) const EVENTS: &str = "SELECT id, version, status, sale_opens, created_at, sale_closes, ends_at FROM events \
     WHERE id > ?1 ORDER BY id LIMIT ?2";
/// Events in which something is held or sold.
pub(crate) const IN_DEMAND: &str = "SELECT DISTINCT event_id FROM claims WHERE claimed_until > ?1 \
     UNION SELECT event_id FROM stocks WHERE sold + held > 0";

/// The most layouts of seats that are told apart; each is a handful of rows.
const MOST_LAYOUTS: usize = 1_000;
pub(crate) const LAYOUTS: &str =
    "SELECT DISTINCT layout FROM events WHERE status IN ('published', 'cancelled') LIMIT ?1";

/// The programme; emptied by being put aside for a new one.
#[derive(Default)]
pub(crate) struct Programme(Mutex<Arc<Pages>>);

#[derive(Default)]
struct Pages {
    filled: OnceCell<()>,
    laid_out: OnceCell<()>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    entries: HashMap<EventId, Entry>,
    all: Order,
    by_stage: [Order; SaleStage::ALL.len()],
    /// When the clock moves which event on.
    turns: Order,
    /// Events to look at again, and how often that was said.
    touched: HashMap<EventId, u64>,
    /// Events that another node changed.
    stale: HashMap<EventId, u64>,
    /// Layouts of seats, each once.
    layouts: Vec<Arc<Layout>>,
}

/// Events by a moment; the id breaks ties.
type Order = BTreeSet<(Time, EventId)>;

/// What is kept of an event.
#[derive(Debug, Clone, Copy)]
struct Entry {
    version: i64,
    window: SaleWindow,
    cancelled: bool,
    sold_out: bool,
    stage: SaleStage,
    turn: Option<Time>,
}

impl Programme {
    fn pages(&self) -> Arc<Pages> {
        self.0.lock().clone()
    }

    /// Takes a changed event.
    pub(crate) fn put(&self, event: &Event, now: Time) {
        self.pages().kept.lock().put_event(event, now);
    }

    /// Notes that an event has to be read again, because another node changed it.
    pub(crate) fn outdate(&self, event: EventId) {
        *self.pages().kept.lock().stale.entry(event).or_default() += 1;
    }

    /// Takes a deleted event out.
    pub(crate) fn remove(&self, event: EventId) {
        self.pages().kept.lock().remove(event);
    }

    /// Notes that something of these events was taken or given back.
    pub(crate) fn touch(&self, events: impl IntoIterator<Item = EventId>) {
        let pages = self.pages();
        let mut kept = pages.kept.lock();
        for event in events {
            *kept.touched.entry(event).or_default() += 1;
        }
    }

    /// Forgets everything; the next look reads it again.
    pub(crate) fn forget_all(&self) {
        *self.0.lock() = Arc::default();
    }
}

impl Kept {
    fn put_event(&mut self, event: &Event, now: Time) {
        self.put(event.id, event.version, event.status, event.sale_window(), now);
        if event.status.is_public() {
            self.put_layout(&event.offer.layout);
        }
    }

    fn put_layout(&mut self, layout: &Arc<Layout>) {
        let known = |own: &Arc<Layout>| own.total() == layout.total() && own == layout;
        if layout.total() > 0 && self.layouts.len() < MOST_LAYOUTS && !self.layouts.iter().any(known) {
            self.layouts.push(layout.clone());
        }
    }

    fn put(&mut self, id: EventId, version: i64, status: EventStatus, window: SaleWindow, now: Time) {
        let known = self.entries.get(&id).copied();
        if known.is_some_and(|known| known.version >= version) {
            return;
        }
        self.remove(id);
        if !status.is_public() {
            return;
        }
        let cancelled = status == EventStatus::Cancelled;
        let sold_out = known.is_some_and(|known| known.sold_out);
        let entry = Entry { version, window, cancelled, sold_out, stage: SaleStage::Cancelled, turn: None };
        self.all.insert((window.from, id));
        self.place(id, entry, now);
    }

    /// Puts an entry where it belongs at `now`.
    fn place(&mut self, id: EventId, mut entry: Entry, now: Time) {
        (entry.stage, entry.turn) = match entry.cancelled {
            true => (SaleStage::Cancelled, None),
            false => (entry.window.stage(now, entry.sold_out), entry.window.next_turn(now)),
        };
        self.by_stage[entry.stage as usize].insert((entry.window.from, id));
        self.turns.extend(entry.turn.map(|turn| (turn, id)));
        self.entries.insert(id, entry);
    }

    /// Takes an entry from its place, but not from the list of all.
    fn displace(&mut self, id: EventId) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        self.by_stage[entry.stage as usize].remove(&(entry.window.from, id));
        if let Some(turn) = entry.turn {
            self.turns.remove(&(turn, id));
        }
        Some(entry)
    }

    fn remove(&mut self, id: EventId) {
        if let Some(entry) = self.displace(id) {
            self.all.remove(&(entry.window.from, id));
        }
    }

    /// Moves on what the clock has changed.
    fn advance(&mut self, now: Time) {
        while let Some((turn, id)) = self.turns.first().copied()
            && turn <= now
        {
            if let Some(entry) = self.displace(id) {
                self.place(id, entry, now);
            }
        }
    }

    fn set_sold_out(&mut self, id: EventId, sold_out: bool, now: Time) {
        if self.entries.get(&id).is_some_and(|entry| entry.sold_out != sold_out)
            && let Some(entry) = self.displace(id)
        {
            self.place(id, Entry { sold_out, ..entry }, now);
        }
    }

    /// A page of ids, and how many there are in all.
    fn page(&self, query: &ListingQuery) -> (Vec<EventId>, usize) {
        let (offset, limit) = (query.offset, query.limit);
        let Some(among) = &query.among else {
            let order = query.stage.map_or(&self.all, |stage| &self.by_stage[stage as usize]);
            return (order.iter().skip(offset).take(limit).map(|(_, id)| *id).collect(), order.len());
        };
        let wanted = |entry: &&Entry| query.stage.is_none_or(|stage| stage == entry.stage);
        let place = |id: &EventId| Some((self.entries.get(id).filter(wanted)?.window.from, *id));
        let found: Order = among.iter().filter_map(place).collect();
        (found.iter().skip(offset).take(limit).map(|(_, id)| *id).collect(), found.len())
    }
}

impl Desk {
    /// A page of the events the public sees, by when their sales begin, and how many there are in all.
    ///
    /// # Errors
    /// Where the store cannot be reached.
    pub async fn listing(&self, query: ListingQuery) -> Result<(Vec<Listed>, i64), Unavailable> {
        let pages = self.0.shared.programme.pages();
        pages.filled.get_or_try_init(|| self.fill_programme(&pages)).await?;
        self.reread(&pages).await?;
        if matches!(query.stage, Some(SaleStage::OnSale | SaleStage::SoldOut)) {
            self.recount(&pages).await?;
        }
        let (ids, total) = {
            let mut kept = pages.kept.lock();
            kept.advance(self.now());
            kept.page(&query)
        };
        let mut events = Vec::with_capacity(ids.len());
        for id in ids {
            events.extend(self.event(id).await?);
        }
        let left = self.available(&events).await?;
        let now = self.now();
        let listed = events.into_iter().zip(left);
        // Withdrawn between the two looks: left out.
        let listed = listed.filter_map(|(event, left)| Some(Listed { stage: event.sale_stage(now, left)?, event }));
        Ok((listed.collect(), i64::try_from(total).unwrap_or(i64::MAX)))
    }

    /// The different layouts of seats that the events the public sees have, at most a thousand.
    ///
    /// # Errors
    /// Where the store cannot be reached.
    pub async fn layouts(&self) -> Result<Vec<Arc<Layout>>, Unavailable> {
        let pages = self.0.shared.programme.pages();
        pages.laid_out.get_or_try_init(|| self.fill_layouts(&pages)).await?;
        self.reread(&pages).await?;
        let layouts = pages.kept.lock().layouts.clone();
        Ok(layouts)
    }

    async fn fill_layouts(&self, pages: &Pages) -> Result<(), Unavailable> {
        let most = i64::try_from(MOST_LAYOUTS).unwrap_or(i64::MAX);
        for row in self.0.reads.query(LAYOUTS, vec![most.value()], &[Kind::Text]).await? {
            let layout = Arc::new(layout_of(&Columns::new(row).text()?)?);
            pages.kept.lock().put_layout(&layout);
        }
        Ok(())
    }

    async fn fill_programme(&self, pages: &Pages) -> Result<(), Unavailable> {
        let kinds = &[Kind::Bytes, Kind::Int, Kind::Text, Kind::Int, Kind::Int, Kind::Int, Kind::Int];
        let mut last = EventId(0);
        loop {
            let rows = self.0.reads.query(EVENTS, vec![last.0.value(), PAGE.value()], kinds).await?;
            let full = rows.len() as i64 == PAGE;
            let now = self.now();
            let mut kept = pages.kept.lock();
            for row in rows {
                let (id, version, status, window) = read(row)?;
                kept.put(id, version, status, window, now);
                last = id;
            }
            if !full {
                break;
            }
        }
        for id in self.ids::<EventId>(IN_DEMAND, vec![self.now().0.value()]).await? {
            *pages.kept.lock().touched.entry(id).or_default() += 1;
        }
        Ok(())
    }

    /// Reads what other nodes changed.
    async fn reread(&self, pages: &Pages) -> Result<(), Unavailable> {
        let stale = pages.kept.lock().stale.clone();
        for (id, said) in stale {
            let event = self.event(id).await?;
            let mut kept = pages.kept.lock();
            match event {
                Some(event) => kept.put_event(&event, self.now()),
                None => kept.remove(id),
            }
            if kept.stale.get(&id) == Some(&said) {
                kept.stale.remove(&id);
            }
        }
        Ok(())
    }

    /// Finds out which of the events that were touched are sold out.
    async fn recount(&self, pages: &Pages) -> Result<(), Unavailable> {
        let touched = pages.kept.lock().touched.clone();
        for (id, said) in touched {
            let Some(event) = self.event(id).await?.filter(|event| event.status == EventStatus::Published) else {
                pages.kept.lock().touched.remove(&id);
                continue;
            };
            let left = self.available(std::slice::from_ref(&event)).await?;
            let sold_out = left.iter().all(|left| *left == 0);
            // What is held comes back by itself: then it has to be looked at again.
            let for_good = !sold_out || self.is_all_paid(&event).await?;
            let mut kept = pages.kept.lock();
            kept.set_sold_out(id, sold_out, self.now());
            if for_good && kept.touched.get(&id) == Some(&said) {
                kept.touched.remove(&id);
            }
        }
        Ok(())
    }

    async fn is_all_paid(&self, event: &Arc<Event>) -> Result<bool, Unavailable> {
        let seats = self.seat_map(event).await?.valid_until == Time::FOREVER;
        let stocks = if event.offer.types.is_empty() { Vec::new() } else { self.stocks(&[event.id]).await? };
        Ok(seats && stocks.iter().all(|stock| stock.held == 0))
    }
}

fn read(row: Vec<Value>) -> Result<(EventId, i64, EventStatus, SaleWindow), Corrupt> {
    let mut columns = Columns::new(row);
    let (id, version) = (columns.id()?, columns.int()?);
    let status = EventStatus::from_word(&columns.text()?).ok_or(Corrupt("no such event status"))?;
    let (opens, made) = (columns.int_or()?, columns.int()?);
    let (closes, ends) = (columns.int_or()?, columns.int()?);
    let window = SaleWindow { from: Time(opens.unwrap_or(made)), until: Time(closes.unwrap_or(ends).min(ends)) };
    Ok((id, version, status, window))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: Time = Time(10);

    fn kept(windows: &[(u128, i64, i64)]) -> Kept {
        let mut kept = Kept::default();
        for (id, from, until) in windows {
            let window = SaleWindow { from: Time(*from), until: Time(*until) };
            kept.put(EventId(*id), 1, EventStatus::Published, window, Time(0));
        }
        kept
    }

    fn page(kept: &Kept, stage: Option<SaleStage>) -> Vec<u128> {
        let query = ListingQuery { stage, among: None, offset: 0, limit: 10 };
        let (ids, total) = kept.page(&query);
        assert_eq!(ids.len(), total);
        ids.into_iter().map(|id| id.0).collect()
    }

    #[test]
    fn the_clock_moves_events_from_stage_to_stage() {
        let mut kept = kept(&[(1, 10, 30), (2, 5, 20), (3, 40, 50)]);
        assert_eq!(page(&kept, None), [2, 1, 3]);
        assert_eq!(page(&kept, Some(SaleStage::Upcoming)), [2, 1, 3]);
        kept.advance(Time(25));
        assert_eq!(page(&kept, Some(SaleStage::Ended)), [2]);
        assert_eq!(page(&kept, Some(SaleStage::OnSale)), [1]);
        kept.set_sold_out(EventId(1), true, Time(25));
        assert_eq!(page(&kept, Some(SaleStage::SoldOut)), [1]);
        assert!(page(&kept, Some(SaleStage::OnSale)).is_empty());
        kept.advance(Time(99));
        assert_eq!(page(&kept, Some(SaleStage::Ended)), [2, 1, 3]);
        assert!(kept.turns.is_empty());
    }

    #[test]
    fn an_older_word_changes_nothing_and_a_draft_is_not_there() {
        let mut kept = kept(&[(1, 10, 30)]);
        let window = SaleWindow { from: FROM, until: Time(30) };
        kept.put(EventId(1), 3, EventStatus::Cancelled, window, Time(15));
        kept.put(EventId(1), 2, EventStatus::Published, window, Time(15));
        assert_eq!(page(&kept, Some(SaleStage::Cancelled)), [1]);
        kept.put(EventId(2), 1, EventStatus::Draft, window, Time(15));
        assert_eq!(page(&kept, None), [1]);
        kept.remove(EventId(1));
        assert!(page(&kept, None).is_empty() && kept.entries.is_empty() && kept.turns.is_empty());
    }

    #[test]
    fn a_search_is_listed_in_the_same_order_and_only_of_the_stage() {
        let mut kept = kept(&[(1, 10, 30), (2, 5, 20), (3, 40, 50)]);
        kept.advance(Time(25));
        let among = Some(vec![EventId(3), EventId(1), EventId(9), EventId(2)]);
        let ids = |stage, offset| {
            let (ids, total) = kept.page(&ListingQuery { stage, among: among.clone(), offset, limit: 2 });
            (ids.into_iter().map(|id| id.0).collect::<Vec<_>>(), total)
        };
        assert_eq!(ids(None, 0), (vec![2, 1], 3));
        assert_eq!(ids(None, 2), (vec![3], 3));
        assert_eq!(ids(Some(SaleStage::OnSale), 0), (vec![1], 1));
    }
}
