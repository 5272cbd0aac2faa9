//! Looking for events, and completing what is typed.

use std::io::Write as _;
use std::time::Instant;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use desk::OnOffer;
use engine::catalogue::Event;
use engine::id::EventId;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use search::{Hit, SearchError, Wanted};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::errors::{ApiError, ReadProblems};
use super::event_input::{moment, moment_end};
use super::events::bound;
use crate::fault::Fault;
use crate::money::Price;
use crate::query::{Page, Query};
use crate::state::AppState;
use crate::{clock, ids};

/// The version of [`card`]: cards of another one are made anew.
pub(crate) const CARDS: &str = "2";
/// The fewest characters that are completed.
const FEWEST_TYPED: usize = 2;
/// How many completions there are when nobody says, and at most.
const USUAL_LIMIT: u32 = 10;
const MOST_LIMIT: u32 = 20;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(events)).routes(routes!(autocomplete))
}

/// What a result shows of an event and does not change with every sale. It is rendered when the event is indexed.
#[derive(Serialize, utoipa::ToSchema)]
struct Card {
    #[schema(examples("evt_01h455vb4pex5vsknk084sn02q"))]
    event_id: String,
    title: String,
    description: String,
    category: String,
    venue: String,
    location: String,
    #[schema(format = DateTime)]
    start_date: String,
    min_price: Price,
    max_price: Price,
    image_url: Option<String>,
}

/// How many seats an event has (four bytes) and whether tickets are counted (one), ahead of its rendered card.
const OFFER: usize = 5;

/// The card of an event, rendered, behind what counting its seats takes.
pub(crate) fn card(event: &Event) -> Vec<u8> {
    let (billing, offer) = (&event.billing, OnOffer::of(event));
    let card = Card {
        event_id: ids::event(event.id),
        title: billing.title.clone(),
        description: billing.description.clone(),
        category: billing.category.clone(),
        venue: billing.venue.clone(),
        location: billing.location.clone(),
        start_date: clock::rfc3339(billing.starts_at),
        min_price: Price(event.offer.min_price),
        max_price: Price(event.offer.max_price),
        image_url: billing.image_url.clone(),
    };
    let mut made = offer.seats.to_be_bytes().to_vec();
    made.push(offer.counted.into());
    serde_json::to_writer(&mut made, &card).expect("a card is JSON");
    made
}

/// What a hit has on offer, and its rendered card with its score.
fn unpacked(hit: &Hit) -> Option<(OnOffer, (&[u8], f32))> {
    let (offer, card) = hit.card.split_first_chunk::<OFFER>()?;
    let [seats @ .., counted] = *offer;
    let offer = OnOffer { event: EventId(hit.id), seats: u32::from_be_bytes(seats), counted: counted == 1 };
    Some((offer, (card, hit.score)))
}

/// What to look for.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct SearchQuery {
    /// The words: in title (counts three times), description and artist (twice), venue, address and tags. Typos,
    /// missing spaces and Korean particles are forgiven, and names that mean the same are found by each other.
    #[param(required = true)]
    q: Option<String>,
    /// Only of this category: concert, sports, musical, exhibition or another word.
    category: Option<String>,
    /// Only with a `min_price` of at least this.
    min_price: Option<f64>,
    /// Only with a `max_price` of at most this.
    max_price: Option<f64>,
    /// Only starting then or later (ISO 8601).
    start_date_from: Option<String>,
    /// Only starting then or before (ISO 8601); a date means all of that day (UTC).
    start_date_to: Option<String>,
    /// Only where this is part of the location.
    location: Option<String>,
    /// Which page, from 1.
    #[param(minimum = 1, default = 1)]
    page: Option<u32>,
    /// How many on a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    page_size: Option<u32>,
}

impl SearchQuery {
    fn wanted(&self, page: Page) -> Result<Wanted<'_>, ApiError> {
        let given = |text: &'_ Option<String>| text.as_deref().filter(|own| !own.is_empty()).map(str::len);
        let from = self.start_date_from.as_ref().map(|own| moment("start_date_from", own));
        let to = self.start_date_to.as_ref().map(|own| moment_end("start_date_to", own));
        Ok(Wanted {
            text: asked(&self.q)?,
            category: given(&self.category).and(self.category.as_deref()),
            location: given(&self.location).and(self.location.as_deref()),
            min_price: bound("min_price", self.min_price, f64::ceil)?,
            max_price: bound("max_price", self.max_price, f64::floor)?,
            starts_from: from.transpose()?.map(|own| own.0),
            starts_to: to.transpose()?.map(|own| own.0),
            offset: usize::try_from(page.offset()).unwrap_or(usize::MAX),
            limit: page.size as usize,
        })
    }
}

/// What is asked for.
fn asked(q: &Option<String>) -> Result<&str, ApiError> {
    match q.as_deref() {
        None => Err(ApiError::field("q", "is required")),
        Some(q) if q.trim().is_empty() => Err(ApiError::field("q", "must not be empty")),
        Some(q) => Ok(q),
    }
}

/// An event that was found.
#[derive(Serialize, utoipa::ToSchema)]
struct SearchHit<'a> {
    #[serde(flatten)]
    #[schema(inline)]
    card: &'a Card,
    /// Live: held seats are not available.
    available_seats: u32,
    /// How well it fits; the results are in this order.
    #[schema(examples(15.234))]
    score: f64,
}

/// A page of what was found.
#[derive(Serialize, utoipa::ToSchema)]
struct SearchPage<'a> {
    #[schema(value_type = Vec<SearchHit>)]
    results: &'a [SearchHit<'a>],
    total: usize,
    page: u32,
    page_size: u32,
    query: &'a str,
    took_ms: u64,
}

/// Looks for events; the best first.
#[utoipa::path(
    get, path = "/api/search/events", params(SearchQuery), security((), ("bearer" = [])),
    responses((status = 200, description = "A page of events", body = SearchPage), ReadProblems)
)]
async fn events(State(state): State<AppState>, Query(query): Query<SearchQuery>) -> Result<Response, ApiError> {
    let began = now();
    let page = Page::of(query.page, query.page_size)?;
    let wanted = query.wanted(page)?;
    // Takes less time than handing it to another thread.
    let found = state.search.find(&wanted).map_err(unreadable)?;
    let (offers, cards): (Vec<OnOffer>, Vec<_>) = found.hits.iter().filter_map(unpacked).unzip();
    let free = state.desk.left(&offers).await?;
    let rest = Rest { total: found.total, page, query: wanted.text, took_ms: since(began) };
    Ok(json(rendered(&cards, &free, &rest)))
}

/// What stands around the hits of a page.
struct Rest<'a> {
    total: usize,
    page: Page,
    query: &'a str,
    took_ms: u64,
}

/// A [`SearchPage`], put together from cards that were rendered before with their scores, and what is free of each.
fn rendered(cards: &[(&[u8], f32)], free: &[u32], rest: &Rest<'_>) -> Vec<u8> {
    let length: usize = cards.iter().map(|(card, _)| card.len() + 64).sum();
    let mut body = Vec::with_capacity(length + 256);
    body.extend_from_slice(b"{\"results\":[");
    for (place, ((card, score), free)) in cards.iter().zip(free).enumerate() {
        if place > 0 {
            body.push(b',');
        }
        body.extend_from_slice(card.strip_suffix(b"}").unwrap_or(card));
        write!(body, ",\"available_seats\":{free},\"score\":{score:.3}}}").expect("memory takes all");
    }
    let Rest { total, page: Page { page, size }, query, took_ms } = rest;
    let query = serde_json::to_string(query).expect("a text is JSON");
    let rest =
        format!("],\"total\":{total},\"page\":{page},\"page_size\":{size},\"query\":{query},\"took_ms\":{took_ms}}}");
    body.extend_from_slice(rest.as_bytes());
    body
}

fn json(body: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}

/// What was typed so far.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct TypedQuery {
    /// The beginning of a title, of one of its words or of an artist; a syllable may be incomplete, and Korean first
    /// consonants (초성) will do.
    #[param(required = true, min_length = 2)]
    q: Option<String>,
    /// How many suggestions at most.
    #[param(minimum = 1, maximum = 20, default = 10)]
    limit: Option<u32>,
}

/// A title that what was typed may become.
#[derive(Serialize, utoipa::ToSchema)]
struct SuggestionBody {
    #[schema(examples("BTS World Tour 2024"))]
    text: String,
    event_id: String,
    category: String,
}

/// What was typed, completed.
#[derive(Serialize, utoipa::ToSchema)]
struct Suggestions {
    suggestions: Vec<SuggestionBody>,
    took_ms: u64,
}

/// Completes what is typed with the titles of events.
#[utoipa::path(
    get, path = "/api/search/autocomplete", params(TypedQuery), security((), ("bearer" = [])),
    responses((status = 200, description = "Titles, the likeliest first", body = Suggestions), ReadProblems)
)]
async fn autocomplete(
    State(state): State<AppState>,
    Query(query): Query<TypedQuery>,
) -> Result<axum::Json<Suggestions>, ApiError> {
    let began = now();
    let typed = asked(&query.q)?;
    if typed.trim().chars().count() < FEWEST_TYPED {
        return Err(ApiError::field("q", "must have at least 2 characters"));
    }
    let limit = query.limit.unwrap_or(USUAL_LIMIT);
    if limit == 0 || limit > MOST_LIMIT {
        return Err(ApiError::field("limit", "must be between 1 and 20"));
    }
    let found = state.search.complete(typed, limit as usize, state.desk.now().0).map_err(unreadable)?;
    let suggestions = found.into_iter().map(|own| SuggestionBody {
        text: own.title,
        event_id: ids::event(EventId(own.id)),
        category: own.category,
    });
    Ok(axum::Json(Suggestions { suggestions: suggestions.collect(), took_ms: since(began) }))
}

fn unreadable(error: SearchError) -> Fault {
    tracing::error!(%error, "the search index could not be read");
    Fault::Failed
}

#[expect(clippy::disallowed_methods, reason = "how long a search took is measured at the edge")]
fn now() -> Instant {
    Instant::now()
}

fn since(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::money::Won;
    use serde_json::Value;

    fn a_card(title: &str) -> Card {
        let text = |text: &str| text.to_owned();
        Card {
            event_id: text("evt_1"),
            title: text(title),
            description: text("{\"a\":1}"),
            category: text("concert"),
            venue: text("\\"),
            location: text(""),
            start_date: text("2034-06-15T19:00:00Z"),
            min_price: Price(Won(150_000)),
            max_price: Price(Won(500_000)),
            image_url: None,
        }
    }

    /// What is put together by hand is what would be written in one go.
    #[test]
    fn a_page_put_together_is_the_page_that_is_described() {
        let cards = ["}", "\"quoted\"\n"].map(a_card);
        let made = cards.iter().map(|card| serde_json::to_vec(card).expect("JSON")).collect::<Vec<_>>();
        let made: Vec<(&[u8], f32)> = made.iter().map(|card| (card.as_slice(), 1.5)).collect();
        let page = Page { page: 2, size: 20 };
        for (shown, total) in [(0, 0), (1, 41), (2, 42)] {
            let rest = Rest { total, page, query: "a \"b\"", took_ms: 3 };
            let read: Value = serde_json::from_slice(&rendered(&made[..shown], &[7, 0][..shown], &rest)).expect("JSON");
            let results: Vec<SearchHit<'_>> = (cards.iter().zip([7, 0]).take(shown))
                .map(|(card, available_seats)| SearchHit { card, available_seats, score: 1.5 })
                .collect();
            let page = SearchPage { results: &results, total, page: 2, page_size: 20, query: "a \"b\"", took_ms: 3 };
            assert_eq!(read, serde_json::to_value(&page).expect("JSON"));
        }
    }

    #[test]
    fn filters_are_read_and_what_is_missing_or_wrong_is_422() {
        let q = || Some("BTS".to_owned());
        let query =
            SearchQuery { q: q(), category: Some(String::new()), min_price: Some(0.5), ..SearchQuery::default() };
        let page = Page::of(Some(3), None).expect("a page");
        let wanted = query.wanted(page).expect("valid");
        assert_eq!((wanted.category, wanted.min_price, wanted.offset, wanted.limit), (None, Some(1), 40, 20));
        for wrong in [
            SearchQuery::default(),
            SearchQuery { q: Some("  ".to_owned()), ..SearchQuery::default() },
            SearchQuery { q: q(), max_price: Some(-1.0), ..SearchQuery::default() },
            SearchQuery { q: q(), start_date_from: Some("soon".to_owned()), ..SearchQuery::default() },
        ] {
            let told = format!("{wrong:?}");
            assert_eq!(wrong.wanted(page).expect_err(&told).status, 422, "{told}");
        }
    }
}
