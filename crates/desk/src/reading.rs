//! What can be looked up: rows by id, pages of lists, and the seats of an event.

use std::collections::HashMap;
use std::sync::Arc;

use engine::catalogue::{Event, EventStatus};
use engine::holds::Reservation;
use engine::id::{EventId, JobId, PaymentId, ReservationId, TicketTypeId, UserId};
use engine::jobs::Duty;
use engine::payments::Payment;
use engine::people::{Email, RevokedToken, User, email_key};
use engine::seats::Stock;
use engine::time::Time;
use engine::wallet::Wallet;

use crate::batch::LAPSED;
use crate::desk::Desk;
use crate::tables::due_of;
use crate::value::{Columns, IntoValue as _, Kind, Value};
use crate::views::View;
use crate::{EventQuery, EventSort, ReservationQuery, SeatMap, SeatStretch, Unavailable};

/// As much of an event as counting what is free takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnOffer {
    /// The event.
    pub event: EventId,
    /// How many seats it has.
    pub seats: u32,
    /// Whether it has counted tickets too.
    pub counted: bool,
}

impl OnOffer {
    /// That of an event.
    #[must_use]
    pub fn of(event: &Event) -> Self {
        let offer = &event.offer;
        Self { event: event.id, seats: offer.layout.total(), counted: !offer.types.is_empty() }
    }
}

pub(crate) const EVENT_VERSIONS: &str = "SELECT id, version FROM events WHERE id > ?1 ORDER BY id LIMIT ?2";
/// The most keys one query lists.
const MOST_LISTED: usize = 100;

/// Placeholders for so many values.
fn list(count: usize) -> String {
    let places: Vec<String> = (1..=count).map(|place| format!("?{place}")).collect();
    places.join(", ")
}

/// How many tickets of each of so many types are held and have lapsed; the moment comes after the types.
pub(crate) fn lapsed_of(types: usize) -> String {
    format!(
        "SELECT ticket_type_id, CAST(COALESCE(SUM(quantity), 0) AS BIGINT) FROM portions WHERE ticket_type_id IN ({}) \
         AND claimed_until > 0 AND claimed_until <= ?{} GROUP BY ticket_type_id",
        list(types),
        types + 1
    )
}

impl Desk {
    /// The person with an id.
    ///
    /// # Errors
    /// Where the store cannot be reached; so with every read.
    pub async fn user(&self, id: UserId) -> Result<Option<User>, Unavailable> {
        self.0.reads.get(&id).await
    }

    /// The person with an e-mail address, whatever its case.
    ///
    /// # Errors
    /// As [`Desk::user`].
    pub async fn user_by_email(&self, email: &str) -> Result<Option<User>, Unavailable> {
        match self.0.reads.get::<Email>(&email_key(email)).await? {
            Some(known) => self.user(known.user).await,
            None => Ok(None),
        }
    }

    /// Whether a refresh token was revoked.
    ///
    /// # Errors
    /// As [`Desk::user`].
    pub async fn token_revoked(&self, token: u128) -> Result<bool, Unavailable> {
        Ok(self.0.reads.get::<RevokedToken>(&token).await?.is_some())
    }

    /// The event with an id, from memory where it is known.
    ///
    /// # Errors
    /// As [`Desk::user`].
    pub async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, Unavailable> {
        if let Some(event) = self.0.shared.catalogue.get(id) {
            return Ok(Some(event));
        }
        let catalogue = &self.0.shared.catalogue;
        let told = catalogue.told();
        let event = self.0.reads.get::<Arc<Event>>(&id).await?;
        if let Some(event) = &event {
            catalogue.remember(event.clone(), told);
        }
        Ok(event)
    }

    /// The event with an id, where the public knows of it. What memory knows as a draft the store is asked about: another server
    /// may have published it a moment ago, and that there is no such event may be kept under a key.
    ///
    /// # Errors
    /// As [`Desk::user`].
    pub async fn public_event(&self, id: EventId) -> Result<Option<Arc<Event>>, Unavailable> {
        let public = |event: &Arc<Event>| event.status.is_public();
        match self.event(id).await? {
            Some(event) if !public(&event) => Ok(self.stored_events(&[id]).await?.pop().filter(public)),
            known => Ok(known),
        }
    }

    /// A page of events, and how many there are in all.
    ///
    /// # Errors
    /// As [`Desk::user`].
    pub async fn events(&self, query: EventQuery) -> Result<(Vec<Arc<Event>>, i64), Unavailable> {
        let (wanted, params) = event_filter(&query);
        let total = self.0.reads.number(&format!("SELECT COUNT(*) FROM events {wanted}"), params.clone()).await?;
        let sql = format!(
            "SELECT id FROM events {wanted} {} LIMIT ?{} OFFSET ?{}",
            event_order(&query),
            params.len() + 1,
            params.len() + 2
        );
        let page = [query.limit.value(), query.offset.value()];
        let ids = self.ids::<EventId>(&sql, params.into_iter().chain(page).collect()).await?;
        let mut events = Vec::with_capacity(ids.len());
        for id in ids {
            // Deleted between the two looks: left out.
            events.extend(self.event(id).await?);
        }
        Ok((events, total))
    }

    /// The stock of each ticket type of these events, with what has lapsed.
    ///
    /// # Errors
    /// As [`Desk::user`].
    pub async fn stocks(&self, events: &[EventId]) -> Result<Vec<Stock>, Unavailable> {
        let mut stocks = Vec::new();
        for some in events.chunks(MOST_LISTED) {
            let params: Vec<Value> = some.iter().map(|event| event.0.value()).collect();
            stocks.extend(
                self.0.reads.select::<Stock>(&format!("WHERE event_id IN ({})", list(some.len())), params).await?,
            );
        }
        let now = self.now();
        for some in stocks.chunks_mut(MOST_LISTED) {
            let mut params: Vec<Value> = some.iter().map(|stock| stock.ticket_type.0.value()).collect();
            params.push(now.0.value());
            let rows = self.0.reads.query(&lapsed_of(some.len()), params, &[Kind::Bytes, Kind::Int]).await?;
            for row in rows {
                let mut columns = Columns::new(row);
                let (ticket_type, lapsed) = (columns.id::<TicketTypeId>()?, columns.count()?);
                some.iter_mut().filter(|own| own.ticket_type == ticket_type).for_each(|own| own.lapsed = lapsed);
            }
        }
        Ok(stocks)
    }

    /// The stock of a ticket type, with what has lapsed.
    ///
    /// # Errors
    /// As [`Desk::user`].
    pub async fn stock(&self, ticket_type: TicketTypeId) -> Result<Option<Stock>, Unavailable> {
        let Some(mut stock) = self.0.reads.get::<Stock>(&ticket_type).await? else { return Ok(None) };
        stock.lapsed = self.lapsed_of(ticket_type).await?;
        Ok(Some(stock))
    }

    async fn lapsed_of(&self, ticket_type: TicketTypeId) -> Result<u32, Unavailable> {
        let params = vec![ticket_type.0.value(), self.now().0.value()];
        Ok(u32::try_from(self.0.reads.number(LAPSED, params).await?).unwrap_or(u32::MAX))
    }

    /// Events as the store has them now, whatever memory says; those there are of these, in no order.
    ///
    /// # Errors
    /// As [`Desk::user`].
    pub async fn stored_events(&self, ids: &[EventId]) -> Result<Vec<Arc<Event>>, Unavailable> {
        let mut events = Vec::with_capacity(ids.len());
        for some in ids.chunks(MOST_LISTED) {
            let params = some.iter().map(|id| id.0.value()).collect();
            events.extend(self.0.reads.select(&format!("WHERE id IN ({})", list(some.len())), params).await?);
        }
        Ok(events)
    }

    /// Ids and versions of the events after an id, in order, at most so many.
    ///
    /// # Errors
    /// As [`Desk::user`].
    pub async fn event_versions(&self, after: EventId, most: i64) -> Result<Vec<(EventId, i64)>, Unavailable> {
        let params = vec![after.0.value(), most.value()];
        let rows = self.0.reads.query(EVENT_VERSIONS, params, &[Kind::Bytes, Kind::Int]).await?;
        let read = |row| {
            let mut columns = Columns::new(row);
            Ok((columns.id()?, columns.int()?))
        };
        rows.into_iter().map(read).collect()
    }

    /// How many seats and tickets of each event are free, in the order asked.
    ///
    /// # Errors
    /// As [`Desk::user`].
    pub async fn available(&self, events: &[Arc<Event>]) -> Result<Vec<u32>, Unavailable> {
        let offers: Vec<OnOffer> = events.iter().map(|event| OnOffer::of(event)).collect();
        self.left(&offers).await
    }

    /// How many seats and tickets of each event are free, in the order asked, without the events themselves.
    ///
    /// # Errors
    /// As [`Desk::user`].
    pub async fn left(&self, offers: &[OnOffer]) -> Result<Vec<u32>, Unavailable> {
        let counted: Vec<EventId> = offers.iter().filter(|own| own.counted).map(|own| own.event).collect();
        let mut left: HashMap<EventId, u32> = HashMap::new();
        for stock in self.stocks(&counted).await? {
            *left.entry(stock.event).or_default() += stock.left();
        }
        let (views, now) = (self.views(offers).await?, self.now());
        let free = views.iter().zip(offers);
        Ok(free.map(|(view, own)| view.glance(now).free + left.get(&own.event).copied().unwrap_or(0)).collect())
    }

    /// How many seats of an event are free, its counted tickets aside.
    ///
    /// # Errors
    /// As [`Desk::user`].
    pub async fn free_seats(&self, event: &Arc<Event>) -> Result<u32, Unavailable> {
        Ok(self.view(event).await?.glance(self.now()).free)
    }

    /// The seats from the one at `first` on, `count` at most.
    ///
    /// # Errors
    /// As [`Desk::user`].
    pub async fn seat_stretch(&self, event: &Arc<Event>, first: u32, count: u32) -> Result<SeatStretch, Unavailable> {
        let (glance, statuses) = self.view(event).await?.stretch(first, count, self.now());
        Ok(SeatStretch { statuses, free: glance.free })
    }

    /// What a person has; `None` of somebody who never had anything.
    ///
    /// # Errors
    /// As [`Desk::user`].
    pub async fn wallet(&self, user: UserId) -> Result<Option<Wallet>, Unavailable> {
        self.0.reads.get(&user).await
    }

    /// A tag that changes whenever a seat's status does, without building the map (for `If-None-Match`).
    ///
    /// # Errors
    /// As [`Desk::user`].
    pub async fn seat_tag(&self, event: &Arc<Event>) -> Result<u64, Unavailable> {
        Ok(self.view(event).await?.glance(self.now()).tag)
    }

    /// The first moment at which a held seat turns free by itself.
    pub(crate) async fn next_lapse(&self, event: &Arc<Event>) -> Result<Time, Unavailable> {
        Ok(self.view(event).await?.glance(self.now()).next_lapse)
    }

    /// The statuses of all seats now.
    ///
    /// # Errors
    /// As [`Desk::user`].
    pub async fn seat_map(&self, event: &Arc<Event>) -> Result<SeatMap, Unavailable> {
        let (glance, statuses) = self.view(event).await?.statuses(self.now());
        Ok(SeatMap { tag: glance.tag, statuses, valid_until: glance.next_lapse })
    }

    /// The view of an event, filled.
    async fn view(&self, event: &Arc<Event>) -> Result<Arc<View>, Unavailable> {
        let offer = OnOffer::of(event);
        let view = self.unfilled(&offer);
        view.filled.get_or_try_init(|| async { self.fill(&[(offer.event, &view)]).await }).await?;
        Ok(view)
    }

    /// The views of events, filled; those that are not are filled together.
    async fn views(&self, offers: &[OnOffer]) -> Result<Vec<Arc<View>>, Unavailable> {
        let views: Vec<Arc<View>> = offers.iter().map(|own| self.unfilled(own)).collect();
        let ids = offers.iter().map(|own| own.event);
        let empty: Vec<_> = ids.zip(&views).filter(|(_, view)| !view.filled.initialized()).collect();
        if let [(event, view)] = empty[..] {
            // Many may ask for one at once: one of them reads it.
            view.filled.get_or_try_init(|| async { self.fill(&[(event, view)]).await }).await?;
        } else if !empty.is_empty() {
            self.fill(&empty).await?;
            // Whoever filled it meanwhile read the same.
            empty.iter().for_each(|(_, view)| drop(view.filled.set(())));
        }
        Ok(views)
    }

    /// The view of an event, filled or not. A changed number of seats (a draft laid out anew) makes a new one.
    fn unfilled(&self, offer: &OnOffer) -> Arc<View> {
        let views = &self.0.shared.views;
        let view = views.view(offer.event, offer.seats, || self.0.shared.seed());
        if view.count() == offer.seats {
            return view;
        }
        views.forget(offer.event);
        views.view(offer.event, offer.seats, || self.0.shared.seed())
    }

    async fn fill(&self, empty: &[(EventId, &Arc<View>)]) -> Result<(), Unavailable> {
        const KINDS: &[Kind] = &[Kind::Bytes, Kind::Int, Kind::Int, Kind::Int];
        for some in empty.chunks(MOST_LISTED) {
            let sql = format!(
                "SELECT event_id, ordinal, version, claimed_until FROM claims WHERE event_id IN ({})",
                list(some.len())
            );
            let params = some.iter().map(|(event, _)| event.0.value()).collect();
            let mut claims: HashMap<EventId, Vec<(u32, i64, Time)>> = HashMap::new();
            for row in self.0.reads.query(&sql, params, KINDS).await? {
                let mut columns = Columns::new(row);
                let event = columns.id()?;
                claims.entry(event).or_default().push((columns.count()?, columns.int()?, Time(columns.int()?)));
            }
            for (event, view) in some {
                self.0.shared.views.take(*event, view, claims.remove(event).unwrap_or_default());
            }
        }
        Ok(())
    }

    /// The reservation with an id.
    ///
    /// # Errors
    /// As [`Desk::user`].
    pub async fn reservation(&self, id: ReservationId) -> Result<Option<Reservation>, Unavailable> {
        self.0.reads.get(&id).await
    }

    /// A page of a person's reservations, newest first, and how many there are in all.
    ///
    /// # Errors
    /// As [`Desk::user`].
    pub async fn reservations(&self, query: ReservationQuery) -> Result<(Vec<Reservation>, i64), Unavailable> {
        let now = self.now().0;
        // What has lapsed counts as expired before anyone has tidied it up.
        let standing = match query.standing {
            None => " AND CAST(?2 AS BIGINT) >= 0",
            Some("pending") => " AND status = 'pending' AND claimed_until > ?2",
            Some("confirmed") => " AND status = 'confirmed' AND CAST(?2 AS BIGINT) >= 0",
            Some("cancelled") => " AND status = 'cancelled' AND CAST(?2 AS BIGINT) >= 0",
            Some(_) => " AND (status = 'expired' OR (status = 'pending' AND claimed_until <= ?2))",
        };
        let wanted = format!("WHERE user_id = ?1{standing}");
        let params = vec![query.user.0.value(), now.value()];
        let sql = format!("SELECT COUNT(*) FROM reservations {wanted}");
        let total = self.0.reads.number(&sql, params.clone()).await?;
        let page = [query.limit.value(), query.offset.value()];
        let rest = format!("{wanted} ORDER BY id DESC LIMIT ?3 OFFSET ?4");
        let rows = self.0.reads.select(&rest, params.into_iter().chain(page).collect()).await?;
        Ok((rows, total))
    }

    /// The payment with an id.
    ///
    /// # Errors
    /// As [`Desk::user`].
    pub async fn payment(&self, id: PaymentId) -> Result<Option<Payment>, Unavailable> {
        self.0.reads.get(&id).await
    }

    /// The payment a gateway knows by this reference.
    ///
    /// # Errors
    /// As [`Desk::user`].
    pub async fn payment_by_reference(&self, reference: &str) -> Result<Option<Payment>, Unavailable> {
        let rows: Vec<Payment> = self.0.reads.select("WHERE reference = ?1", vec![reference.value()]).await?;
        Ok(rows.into_iter().next())
    }

    /// Ids of reservations whose hold has lapsed and that are still pending, oldest first.
    ///
    /// # Errors
    /// As [`Desk::user`].
    pub async fn lapsed(&self, limit: i64) -> Result<Vec<ReservationId>, Unavailable> {
        let sql = "SELECT id FROM reservations WHERE status = 'pending' AND claimed_until <= ?1 \
                   ORDER BY claimed_until LIMIT ?2";
        self.ids(sql, vec![self.now().0.value(), limit.value()]).await
    }

    /// Ids of jobs of a duty that are due, oldest first.
    ///
    /// # Errors
    /// As [`Desk::user`].
    pub async fn due_jobs(&self, duty: Duty, limit: i64) -> Result<Vec<JobId>, Unavailable> {
        self.ids(due_of(duty), vec![self.now().0.value(), limit.value()]).await
    }

    /// Ids of reservations of an event that are held or paid.
    ///
    /// # Errors
    /// As [`Desk::user`].
    pub async fn live_reservations(&self, event: EventId, limit: i64) -> Result<Vec<ReservationId>, Unavailable> {
        let sql = "SELECT reservation_id FROM claims WHERE event_id = ?1 AND claimed_until > ?2 \
                   UNION SELECT portions.reservation_id FROM portions \
                   JOIN stocks ON stocks.ticket_type_id = portions.ticket_type_id \
                   WHERE stocks.event_id = ?1 AND portions.claimed_until > ?2 LIMIT ?3";
        self.ids(sql, vec![event.0.value(), self.now().0.value(), limit.value()]).await
    }

    pub(crate) async fn ids<T: From<u128>>(&self, sql: &str, params: Vec<Value>) -> Result<Vec<T>, Unavailable> {
        let rows = self.0.reads.query(sql, params, &[Kind::Bytes]).await?;
        Ok(rows.into_iter().map(|row| Columns::new(row).id()).collect::<Result<_, _>>()?)
    }
}

fn event_filter(query: &EventQuery) -> (String, Vec<Value>) {
    let conditions = [
        ("category =", query.category.as_deref().map(|text| text.value())),
        ("status =", query.status.filter(|status| !status.is_off()).map(|status| status.word().value())),
        ("min_price >=", query.min_price.map(|won| won.value())),
        ("max_price <=", query.max_price.map(|won| won.value())),
        ("starts_at >=", query.starts_from.map(|time| time.0.value())),
        ("starts_at <=", query.starts_to.map(|time| time.0.value())),
    ];
    let (mut texts, mut params) = (Vec::new(), Vec::new());
    if query.status.is_some_and(EventStatus::is_off) {
        texts.push("status IN ('cancelled', 'withdrawn')".to_owned());
    }
    for (condition, value) in conditions {
        if let Some(value) = value {
            params.push(value);
            texts.push(format!("{condition} ?{}", params.len()));
        }
    }
    let wanted = if texts.is_empty() { String::new() } else { format!("WHERE {}", texts.join(" AND ")) };
    (wanted, params)
}

fn event_order(query: &EventQuery) -> String {
    let column = match query.sort {
        EventSort::Start => "starts_at",
        EventSort::Price => "min_price",
        EventSort::Created => "created_at",
    };
    let way = if query.descending { "DESC" } else { "ASC" };
    format!("ORDER BY {column} {way}, id {way}")
}
