//! Events: the list, the detail, and what organizers do with them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use desk::{EventQuery, EventSort, Stopped, Unavailable};
use engine::catalogue::{CancelEvent, CreateEvent, DeleteEvent, Editor, Event, EventStatus, PublishEvent, UpdateEvent};
use engine::id::EventId;
use engine::people::Role;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::errors::{ApiError, ReadProblems, WriteProblems, act, act_anew};
use super::event_input::{self, EventInput};
use super::wire::{EventBody, EventDetail};
use crate::caller::{Caller, MaybeCaller};
use crate::ids;
use crate::once::{self, Attempt, Bare, Posted};
use crate::query::{Page, Query};
use crate::state::AppState;

/// How often a change is made again that others came before: each time one of them has made theirs.
const MOST_TRIES: u32 = 16;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(list, create))
        .routes(routes!(detail, change, delete))
        .routes(routes!(publish))
        .routes(routes!(cancel))
}

/// Which events to list, and how.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Which page, from 1.
    #[param(minimum = 1, default = 1)]
    page: Option<u32>,
    /// How many on a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    page_size: Option<u32>,
    /// Only of this category: concert, sports, musical, exhibition or another word.
    category: Option<String>,
    /// Only of this status: published, draft or cancelled. All but published are for organizers and admins.
    status: Option<String>,
    /// Only with a `min_price` of at least this.
    min_price: Option<f64>,
    /// Only with a `max_price` of at most this.
    max_price: Option<f64>,
    /// Only starting then or later (ISO 8601).
    start_date_from: Option<String>,
    /// Only starting then or before (ISO 8601); a date means all of that day (UTC).
    start_date_to: Option<String>,
    /// start_date (as without it), price or created_at.
    sort_by: Option<String>,
    /// asc (as without it) or desc.
    order: Option<String>,
}

impl ListQuery {
    fn query(&self, page: Page) -> Result<EventQuery, ApiError> {
        let from = self.start_date_from.as_ref().map(|own| event_input::moment("start_date_from", own));
        let to = self.start_date_to.as_ref().map(|own| event_input::moment_end("start_date_to", own));
        Ok(EventQuery {
            category: self.category.clone().filter(|own| !own.is_empty()),
            status: self.status()?,
            min_price: bound("min_price", self.min_price, f64::ceil)?,
            max_price: bound("max_price", self.max_price, f64::floor)?,
            starts_from: from.transpose()?,
            starts_to: to.transpose()?,
            sort: self.sort()?,
            descending: self.descending()?,
            offset: page.offset(),
            limit: page.size.into(),
        })
    }

    fn status(&self) -> Result<Option<EventStatus>, ApiError> {
        let known = |word: &String| {
            let issue = "must be published, draft or cancelled";
            let status = EventStatus::from_word(word).filter(|status| *status != EventStatus::Withdrawn);
            status.ok_or_else(|| ApiError::field("status", issue))
        };
        self.status.as_ref().map(known).transpose()
    }

    fn sort(&self) -> Result<EventSort, ApiError> {
        match self.sort_by.as_deref() {
            None | Some("start_date") => Ok(EventSort::Start),
            Some("price") => Ok(EventSort::Price),
            Some("created_at") => Ok(EventSort::Created),
            Some(_) => Err(ApiError::field("sort_by", "must be start_date, price or created_at")),
        }
    }

    fn descending(&self) -> Result<bool, ApiError> {
        match self.order.as_deref() {
            None | Some("asc") => Ok(false),
            Some("desc") => Ok(true),
            Some(_) => Err(ApiError::field("order", "must be asc or desc")),
        }
    }
}

/// A bound between prices, as the whole price it comes to. The cast saturates: beyond the range is beyond all prices.
#[expect(clippy::cast_possible_truncation, reason = "float casts saturate")]
pub(super) fn bound(field: &'static str, value: Option<f64>, round: fn(f64) -> f64) -> Result<Option<i64>, ApiError> {
    match value {
        Some(value) if !value.is_finite() || value < 0.0 => {
            Err(ApiError::field(field, "must be a number, not negative"))
        }
        value => Ok(value.map(|own| round(own) as i64)),
    }
}

/// A page of events.
#[derive(Serialize, utoipa::ToSchema)]
struct EventPage {
    events: Vec<EventBody>,
    total: i64,
    page: u32,
    page_size: u32,
    total_pages: i64,
}

/// Events, as many as the caller may see.
#[utoipa::path(
    get, path = "/api/events", params(ListQuery), security((), ("bearer" = [])),
    responses((status = 200, description = "A page of events", body = EventPage), ReadProblems)
)]
async fn list(
    State(state): State<AppState>,
    caller: MaybeCaller,
    Query(query): Query<ListQuery>,
) -> Result<Json<EventPage>, ApiError> {
    let page = Page::of(query.page, query.page_size)?;
    let mut wanted = query.query(page)?;
    let mut hidden = false;
    if !sees_all(&caller) {
        hidden = wanted.status.is_some_and(|status| status != EventStatus::Published);
        wanted.status = Some(EventStatus::Published);
    }
    let (events, total) = if hidden { (Vec::new(), 0) } else { state.desk.events(wanted).await? };
    let available = state.desk.available(&events).await?;
    let bodies = events.iter().zip(available).map(|(event, free)| EventBody::new(event, free));
    Ok(Json(EventPage {
        events: bodies.collect(),
        total,
        page: page.page,
        page_size: page.size,
        total_pages: page.pages(total),
    }))
}

/// Drafts and cancelled events are for those who make events.
fn sees_all(caller: &MaybeCaller) -> bool {
    caller.0.as_ref().is_some_and(|caller| caller.role != Role::User)
}

/// The event of an id in a path, if this caller may see it.
///
/// # Errors
/// 404 for what is no id, no event, or none of the caller's business.
pub(super) async fn visible(state: &AppState, caller: &MaybeCaller, id: &str) -> Result<Arc<Event>, ApiError> {
    let event = state.desk.event(read_id(id)?).await?;
    let seen = event.filter(|event| event.status == EventStatus::Published || sees_all(caller));
    seen.ok_or(ApiError::not_found("event"))
}

fn read_id(text: &str) -> Result<EventId, ApiError> {
    ids::parse_event(text).ok_or(ApiError::not_found("event"))
}

/// An event in all detail.
#[utoipa::path(
    get, path = "/api/events/{event_id}", security((), ("bearer" = [])),
    params(("event_id" = String, Path, description = "The event's id")),
    responses((status = 200, description = "The event", body = EventDetail), ReadProblems)
)]
async fn detail(
    State(state): State<AppState>,
    caller: MaybeCaller,
    Path(event_id): Path<String>,
) -> Result<Json<EventDetail>, ApiError> {
    let event = visible(&state, &caller, &event_id).await?;
    let stocks = state.desk.stocks(&[event.id]).await?;
    let free = free(&state, &event).await?;
    Ok(Json(EventDetail::new(&event, free, &stocks)))
}

async fn free(state: &AppState, event: &Arc<Event>) -> Result<u32, Unavailable> {
    let available = state.desk.available(std::slice::from_ref(event)).await?;
    Ok(available.first().copied().unwrap_or(0))
}

/// Who edits, if this caller may edit anything at all.
pub(super) fn editor(caller: &Caller) -> Result<Editor, ApiError> {
    match caller.role {
        Role::User => Err(ApiError::forbidden("Only organizers and admins may do this")),
        role @ (Role::Organizer | Role::Admin) => Ok(Editor { user: caller.user, role }),
    }
}

/// Makes an event, a draft unless `status` says `published`. Without `seating` and `ticket_types`, `total_seats`
/// seats are laid out: VIP a tenth, A three tenths, B the rest, twenty a row.
#[utoipa::path(
    post, path = "/api/events", request_body = EventInput, security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once")),
    responses((status = 200, description = "The new event", body = EventDetail), ReadProblems, WriteProblems)
)]
async fn create(
    State(state): State<AppState>,
    caller: Caller,
    posted: Posted<EventInput>,
) -> Result<Response, ApiError> {
    let editor = editor(&caller)?;
    let publish = match posted.body.status.as_deref() {
        None | Some("draft") => false,
        Some("published") => true,
        Some(_) => return Err(ApiError::field("status", "must be draft or published")),
    };
    let (billing, offer) = (posted.body.new_billing()?, posted.body.offer()?);
    let command = CreateEvent { editor, billing, offer, publish };
    act(&state, &posted.attempt, command, |event| {
        let event = event?;
        Ok(EventDetail::new(event, event.offer.total(), &[]))
    })
    .await
}

/// Changes an event: what people read at any time, what is for sale while it is a draft. What is not named stays.
#[utoipa::path(
    patch, path = "/api/events/{event_id}", request_body = EventInput,
    params(
        ("event_id" = String, Path, description = "The event's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once"),
    ),
    security(("bearer" = [])),
    responses((status = 200, description = "The changed event", body = EventDetail), ReadProblems, WriteProblems)
)]
async fn change(
    State(state): State<AppState>,
    caller: Caller,
    Path(event_id): Path<String>,
    posted: Posted<EventInput>,
) -> Result<Response, ApiError> {
    let editor = editor(&caller)?;
    if let Some(answer) = once::replayed(&state, &posted.attempt).await? {
        return Ok(answer);
    }
    let id = read_id(&event_id)?;
    let mut event = state.desk.event(id).await?;
    for _ in 0..MOST_TRIES {
        let old = event.ok_or(ApiError::not_found("event"))?;
        match apply(&state, editor, &old, &posted).await? {
            Some(answer) => return Ok(answer),
            None => event = state.desk.stored_events(&[id]).await?.pop(),
        }
    }
    Err(UpdateEvent::OUTDATED.into())
}

/// Changes what the input names; `None` where another change came first. What that changed stays, where the input does
/// not name it too: the change is then made anew, from what is there now.
async fn apply(
    state: &AppState,
    editor: Editor,
    old: &Arc<Event>,
    posted: &Posted<EventInput>,
) -> Result<Option<Response>, ApiError> {
    editor.may_change(old)?;
    let (billing, offer) = (posted.body.billing(old.billing.clone())?, posted.body.changed_offer(old)?);
    let command = UpdateEvent { editor, event: old.id, version: old.version, billing, offer };
    let (stocks, free) = (state.desk.stocks(&[old.id]).await?, free(state, old).await?);
    let changed = act_anew(state, &posted.attempt, command, move |event| {
        let event = event?;
        // A new offer is a draft's, of which nothing is sold.
        let free = if !event.status.is_public() { event.offer.total() } else { free };
        Ok(EventDetail::new(event, free, &stocks))
    });
    match changed.await {
        Err(Stopped::Refused(refusal)) if refusal == UpdateEvent::OUTDATED => Ok(None),
        changed => Ok(Some(changed?)),
    }
}

/// Puts a draft on sale.
#[utoipa::path(
    post, path = "/api/events/{event_id}/publish", security(("bearer" = [])),
    params(
        ("event_id" = String, Path, description = "The event's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once"),
    ),
    responses((status = 200, description = "The published event", body = EventDetail), ReadProblems, WriteProblems)
)]
async fn publish(
    State(state): State<AppState>,
    caller: Caller,
    Path(event_id): Path<String>,
    posted: Bare,
) -> Result<Response, ApiError> {
    let (editor, event) = (editor(&caller)?, read_id(&event_id)?);
    staged(&state, &posted.attempt, event, PublishEvent { editor, event }).await
}

/// Calls an event off: nothing of it is sold any more, and what was paid goes back.
#[utoipa::path(
    post, path = "/api/events/{event_id}/cancel", security(("bearer" = [])),
    params(
        ("event_id" = String, Path, description = "The event's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once"),
    ),
    responses((status = 200, description = "The cancelled event", body = EventDetail), ReadProblems, WriteProblems)
)]
async fn cancel(
    State(state): State<AppState>,
    caller: Caller,
    Path(event_id): Path<String>,
    posted: Bare,
) -> Result<Response, ApiError> {
    let (editor, event) = (editor(&caller)?, read_id(&event_id)?);
    staged(&state, &posted.attempt, event, CancelEvent { editor, event }).await
}

/// Runs a command that moves an event to another stage, and answers with the event.
async fn staged<C>(state: &AppState, attempt: &Attempt, id: EventId, command: C) -> Result<Response, ApiError>
where
    C: engine::command::Command<Reply = Arc<Event>>,
{
    let (free, stocks) = match state.desk.event(id).await? {
        Some(event) => (free(state, &event).await?, state.desk.stocks(&[id]).await?),
        None => (0, Vec::new()),
    };
    act(state, attempt, command, move |event| Ok(EventDetail::new(event?, free, &stocks))).await
}

/// What deleting gives.
#[derive(Serialize, utoipa::ToSchema)]
struct Deleted {
    event_id: String,
    deleted: bool,
}

/// Deletes a draft, also one that was called off.
#[utoipa::path(
    delete, path = "/api/events/{event_id}", security(("bearer" = [])),
    params(("event_id" = String, Path, description = "The event's id")),
    responses((status = 200, description = "It is gone", body = Deleted), ReadProblems, WriteProblems)
)]
async fn delete(
    State(state): State<AppState>,
    caller: Caller,
    Path(event_id): Path<String>,
) -> Result<Json<Deleted>, ApiError> {
    let (editor, event) = (editor(&caller)?, read_id(&event_id)?);
    state.desk.run(DeleteEvent { editor, event }).await?;
    Ok(Json(Deleted { event_id: ids::event(event), deleted: true }))
}

#[cfg(test)]
mod tests {
    use desk::Time;

    use super::*;

    fn query(query: ListQuery) -> Result<EventQuery, ApiError> {
        query.query(Page::of(None, None)?)
    }

    #[test]
    fn filters_are_read() {
        let read = query(ListQuery {
            category: Some("concert".to_owned()),
            status: Some("draft".to_owned()),
            min_price: Some(99_999.5),
            max_price: Some(200_000.5),
            start_date_to: Some("2024-06-15T19:00:00Z".to_owned()),
            sort_by: Some("price".to_owned()),
            order: Some("desc".to_owned()),
            ..ListQuery::default()
        });
        let read = read.expect("valid");
        assert_eq!((read.min_price, read.max_price), (Some(100_000), Some(200_000)));
        assert_eq!((read.status, read.sort, read.descending), (Some(EventStatus::Draft), EventSort::Price, true));
        assert_eq!(read.starts_to, Some(Time(1_718_478_000_999_999)));
    }

    #[test]
    fn a_date_as_the_last_one_means_all_of_its_day() {
        let day = || Some("2024-06-15".to_owned());
        let read = query(ListQuery { start_date_from: day(), start_date_to: day(), ..ListQuery::default() });
        let read = read.expect("valid");
        assert_eq!(read.starts_from, Some(Time(1_718_409_600_000_000)));
        assert_eq!(read.starts_to, Some(Time(1_718_495_999_999_999)));
    }

    #[test]
    fn values_that_are_none_of_the_choices_are_422() {
        let word = || Some("other".to_owned());
        for wrong in [
            ListQuery { status: word(), ..ListQuery::default() },
            ListQuery { sort_by: word(), ..ListQuery::default() },
            ListQuery { order: word(), ..ListQuery::default() },
            ListQuery { start_date_from: word(), ..ListQuery::default() },
            ListQuery { start_date_to: word(), ..ListQuery::default() },
            ListQuery { min_price: Some(f64::NAN), ..ListQuery::default() },
            ListQuery { max_price: Some(-1.0), ..ListQuery::default() },
        ] {
            let told = format!("{wrong:?}");
            assert_eq!(query(wrong).expect_err(&told).status, 422, "{told}");
        }
    }
}
