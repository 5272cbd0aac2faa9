//! The stream of booking events, as server-sent events.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use desk::{Entry, Unavailable};
use engine::people::Role;
use futures_util::Stream;
use futures_util::stream::unfold;
use http::HeaderMap;
use tokio::sync::{broadcast, watch};
use tokio::time::Sleep;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::announcement::{BookingEvent, announce};
use super::errors::{ApiError, ReadProblems};
use crate::caller::Caller;
use crate::state::AppState;

/// How often something is sent when nothing happens, so that both ends know that the other is there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How many entries of the past are read at a time.
const PAGE: usize = 200;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(events))
}

/// What happens to bookings, as it happens: an organizer hears of its own events, an admin of all.
///
/// Each event has an `id`, a name such as `booking.created`, and JSON as its data. Whoever comes back with
/// `Last-Event-ID` gets what was missed, as far as three days back. The stream ends when the server stops, when the
/// client does not keep up, and when a token would have run out: come back with `Last-Event-ID`.
#[utoipa::path(
    get, path = "/api/events/stream", operation_id = "stream_booking_events",
    tag = "ticketing_pro", security(("bearer" = [])),
    params(("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that was received")),
    responses(
        (status = 200, description = "The events", content((BookingEvent = "text/event-stream"))),
        ReadProblems,
    )
)]
async fn events(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Sent, Infallible>>>, ApiError> {
    if caller.role == Role::User {
        return Err(ApiError::forbidden("Only organizers and admins may do this"));
    }
    let last = headers.get("last-event-id").map(|value| value.to_str().ok().and_then(|text| text.parse().ok()));
    let wrong = || ApiError::field("Last-Event-ID", "must be the id of an event of this stream");
    let last: Option<u64> = last.map(|last| last.ok_or_else(wrong)).transpose()?;
    let feed = Feed::open(state, caller, last).await?;
    Ok(Sse::new(unfold(feed, Feed::next)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// What one client is sent.
struct Feed {
    state: AppState,
    caller: Caller,
    live: broadcast::Receiver<Arc<Entry>>,
    /// What was read of the past and not sent yet.
    past: VecDeque<Arc<Entry>>,
    /// The last entry that was looked at.
    position: u64,
    /// Up to here it is the past; what comes after is heard live.
    present: u64,
    stopping: watch::Receiver<bool>,
    over: Pin<Box<Sleep>>,
}

impl Feed {
    async fn open(state: AppState, caller: Caller, last: Option<u64>) -> Result<Self, Unavailable> {
        // Listening comes first, so that nothing falls between the past and the present.
        let live = state.desk.live();
        let present = state.desk.stream_end().await?;
        let position = last.unwrap_or(present).min(present);
        let stopping = state.stopping.subscribe();
        let seconds = u64::try_from(state.settings.access_seconds).unwrap_or(0);
        let over = Box::pin(tokio::time::sleep(Duration::from_secs(seconds)));
        Ok(Self { state, caller, live, past: VecDeque::new(), position, present, stopping, over })
    }

    /// The next event for this client; `None` ends the stream.
    async fn next(mut self) -> Option<(Result<Sent, Infallible>, Self)> {
        loop {
            let entry = self.entry().await?;
            self.position = entry.position;
            match self.sent(&entry).await {
                Ok(Some(sent)) => return Some((Ok(sent), self)),
                Ok(None) => {}
                Err(Unavailable(error)) => {
                    tracing::warn!(error, "a stream of events ends");
                    return None;
                }
            }
        }
    }

    async fn entry(&mut self) -> Option<Arc<Entry>> {
        if self.position < self.present && self.past.is_empty() {
            let read = self.state.desk.stream_after(self.position, PAGE).await.ok()?;
            self.past.extend(read.into_iter().filter(|entry| entry.position <= self.present));
        }
        if let Some(entry) = self.past.pop_front().filter(|_| !*self.stopping.borrow()) {
            return Some(entry);
        }
        self.position = self.position.max(self.present);
        loop {
            let heard = tokio::select! {
                heard = self.live.recv() => heard,
                _ = self.stopping.wait_for(|stopping| *stopping) => return None,
                () = &mut self.over => return None,
            };
            // Who is too far behind comes back with the last id it has.
            let entry = heard.ok()?;
            if entry.position > self.position {
                return Some(entry);
            }
        }
    }

    /// What an entry tells this client.
    async fn sent(&self, entry: &Entry) -> Result<Option<Sent>, Unavailable> {
        let Some(event) = self.state.desk.event(entry.event).await? else { return Ok(None) };
        let concerns = self.caller.role == Role::Admin || event.owner == self.caller.user;
        let told = announce(entry, &event).filter(|_| concerns);
        Ok(told.map(|told| Sent::default().id(entry.position.to_string()).event(told.name).data(told.body)))
    }
}
