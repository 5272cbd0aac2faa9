//! Webhooks: who is told of bookings, and what was told.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use desk::DeliveryQuery;
use engine::catalogue::Editor;
use engine::people::Role;
use engine::webhooks::{CreateWebhook, DeleteWebhook, Delivery, DeliveryState, Kind, ReplayDelivery, Tried, Webhook};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::errors::{ApiError, ReadProblems, WriteProblems, act, code};
use super::events::editor;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::once::{self, Bare, Posted};
use crate::query::{Page, Query};
use crate::state::AppState;
use crate::webhooks::check;
use crate::{clock, ids};

/// The most webhooks of one person.
const MOST: usize = 20;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(create, list))
        .routes(routes!(delete))
        .routes(routes!(deliveries))
        .routes(routes!(replay))
}

/// A wish to be told.
#[derive(Deserialize, ToSchema)]
struct NewWebhook {
    /// Where to: `https://…`, reachable from the internet.
    #[schema(examples("https://example.com/hooks/maepyo"))]
    url: String,
    /// Of what: `booking.created`, `booking.confirmed`, `booking.cancelled`, `booking.expired`.
    #[schema(examples(json!(["booking.confirmed", "booking.cancelled"])))]
    events: Vec<String>,
}

/// Who is told.
#[derive(Serialize, ToSchema)]
struct WebhookBody {
    #[schema(examples("whk_01h455vb4pex5vsknk084sn02q"))]
    webhook_id: String,
    url: String,
    events: Vec<String>,
    #[schema(format = DateTime)]
    created_at: String,
    /// Signs what is told: `maepyo-signature: t=…,v1=…`, where `v1` is the HMAC-SHA256 of `{t}.{body}` under this text
    /// in hexadecimal. Shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl WebhookBody {
    fn new(webhook: &Webhook) -> Self {
        Self {
            webhook_id: ids::webhook(webhook.id),
            url: webhook.url.clone(),
            events: webhook.kinds.iter().map(|kind| format!("booking.{}", kind.word())).collect(),
            created_at: clock::rfc3339(webhook.created_at),
            secret: None,
        }
    }
}

/// All of somebody's webhooks.
#[derive(Serialize, ToSchema)]
struct WebhookList {
    webhooks: Vec<WebhookBody>,
}

/// It is gone.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookGone)]
struct Gone {
    webhook_id: String,
    #[schema(examples("deleted"))]
    status: &'static str,
}

/// Something told to a webhook.
#[derive(Serialize, ToSchema)]
struct DeliveryBody {
    #[schema(examples("dlv_01h455vb4pex5vsknk084sn02q"))]
    delivery_id: String,
    event_id: String,
    /// `booking.created` and the like.
    #[serde(rename = "type")]
    kind: String,
    /// `waiting`, `delivered` or `failed`.
    status: &'static str,
    attempts: u32,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    last_attempt_at: Option<String>,
    /// What the receiver answered last.
    response_status: Option<u16>,
    /// Why there was no answer.
    error: Option<String>,
    /// What was told.
    #[schema(value_type = Object)]
    payload: serde_json::Value,
}

impl From<&Delivery> for DeliveryBody {
    fn from(own: &Delivery) -> Self {
        let (response_status, error) = match own.last.as_ref().map(|(_, tried)| tried) {
            Some(Tried::Answered(status)) => (Some(*status), None),
            Some(Tried::Failed(why)) => (None, Some(why.clone())),
            Some(Tried::Gone) => (None, Some("the webhook was deleted".to_owned())),
            None => (None, None),
        };
        Self {
            delivery_id: ids::delivery(own.id),
            event_id: ids::event(own.event),
            kind: format!("booking.{}", own.kind.word()),
            status: match own.state {
                DeliveryState::Waiting { .. } => "waiting",
                DeliveryState::Delivered { .. } => "delivered",
                DeliveryState::Failed { .. } => "failed",
            },
            attempts: own.attempts,
            created_at: clock::rfc3339(own.made_at),
            last_attempt_at: own.last.as_ref().map(|(at, _)| clock::rfc3339(*at)),
            response_status,
            error,
            payload: serde_json::from_str(&own.body).unwrap_or_default(),
        }
    }
}

/// A page of what was told, newest first.
#[derive(Serialize, ToSchema)]
struct DeliveryList {
    deliveries: Vec<DeliveryBody>,
    total: i64,
    page: u32,
    page_size: u32,
    total_pages: i64,
}

/// Which deliveries.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// `waiting`, `delivered` or `failed`.
    status: Option<String>,
    page: Option<u32>,
    page_size: Option<u32>,
}

fn kinds(words: &[String]) -> Result<Vec<Kind>, ApiError> {
    let known = || Kind::ALL.map(|kind| format!("booking.{}", kind.word())).join(", ");
    let read = |word: &String| word.strip_prefix("booking.").and_then(Kind::from_word);
    let mut kinds: Vec<Kind> = words
        .iter()
        .map(|word| read(word).ok_or_else(|| ApiError::field("events", format!("each must be one of {}", known()))))
        .collect::<Result<_, _>>()?;
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.is_empty() { Err(ApiError::field("events", "must name at least one")) } else { Ok(kinds) }
}

/// Be told of bookings: an organizer of those of its own events, an admin of all. The answer has the secret, once.
#[utoipa::path(
    post, path = "/api/webhooks", operation_id = "create_webhook",
    security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once")),
    request_body = NewWebhook,
    responses(
        (status = 200, description = "From now on it is told", body = WebhookBody),
        ReadProblems,
        WriteProblems,
    )
)]
async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Posted { body, attempt }: Posted<NewWebhook>,
) -> Result<Response, ApiError> {
    let editor = editor(&caller)?;
    if let Some(answered) = once::replayed(&state, &attempt).await? {
        return Ok(answered);
    }
    let url = check(body.url.trim(), state.settings.messenger.private_too());
    let url = url.map_err(|bad| ApiError::field("url", bad.to_string()))?.to_string();
    let kinds = kinds(&body.events)?;
    if state.desk.webhooks(Some(caller.user)).await?.len() >= MOST {
        return Err(ApiError::new(StatusCode::CONFLICT, code::CONFLICT, format!("At most {MOST} webhooks a person")));
    }
    let secret = secret()?;
    let command = CreateWebhook { editor, url, kinds, secret };
    act(&state, &attempt, command, |made| {
        let made = made?;
        Ok(WebhookBody { secret: Some(made.secret.clone()), ..WebhookBody::new(made) })
    })
    .await
}

/// 256 bits that nobody can guess.
fn secret() -> Result<String, ApiError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| {
        tracing::error!(%error, "there is no randomness");
        Fault::Failed
    })?;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("whsec_{digits}"))
}

/// One's webhooks; an admin sees everybody's.
#[utoipa::path(
    get, path = "/api/webhooks", operation_id = "list_webhooks",
    security(("bearer" = [])),
    responses((status = 200, description = "The webhooks, without their secrets", body = WebhookList), ReadProblems)
)]
async fn list(State(state): State<AppState>, caller: Caller) -> Result<Json<WebhookList>, ApiError> {
    let editor = editor(&caller)?;
    let owner = (editor.role != Role::Admin).then_some(caller.user);
    let webhooks = state.desk.webhooks(owner).await?;
    Ok(Json(WebhookList { webhooks: webhooks.iter().map(WebhookBody::new).collect() }))
}

async fn found(state: &AppState, editor: Editor, id: &str) -> Result<Webhook, ApiError> {
    let id = ids::parse_webhook(id).ok_or_else(|| ApiError::not_found("Webhook"))?;
    let webhook = state.desk.webhook(id).await?.ok_or_else(|| ApiError::not_found("Webhook"))?;
    webhook.may_be_changed_by(editor)?;
    Ok(webhook)
}

/// Be told no more. What waits is given up.
#[utoipa::path(
    delete, path = "/api/webhooks/{webhook_id}", operation_id = "delete_webhook",
    security(("bearer" = [])),
    params(("webhook_id" = String, Path, description = "The webhook")),
    responses((status = 200, description = "It is gone", body = Gone), ReadProblems)
)]
async fn delete(State(state): State<AppState>, caller: Caller, Path(id): Path<String>) -> Result<Json<Gone>, ApiError> {
    let editor = editor(&caller)?;
    let webhook = ids::parse_webhook(&id).ok_or_else(|| ApiError::not_found("Webhook"))?;
    match state.desk.run(DeleteWebhook { editor, webhook }).await? {
        true => Ok(Json(Gone { webhook_id: ids::webhook(webhook), status: "deleted" })),
        false => Err(ApiError::not_found("Webhook")),
    }
}

/// What was told to a webhook, and what came of it; newest first.
#[utoipa::path(
    get, path = "/api/webhooks/{webhook_id}/deliveries", operation_id = "list_webhook_deliveries",
    security(("bearer" = [])),
    params(("webhook_id" = String, Path, description = "The webhook"), Wanted),
    responses((status = 200, description = "The deliveries", body = DeliveryList), ReadProblems)
)]
async fn deliveries(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<DeliveryList>, ApiError> {
    let editor = editor(&caller)?;
    let page = Page::of(wanted.page, wanted.page_size)?;
    let status = match wanted.status.as_deref() {
        None => None,
        Some("waiting") => Some("waiting"),
        Some("delivered") => Some("delivered"),
        Some("failed") => Some("failed"),
        Some(_) => return Err(ApiError::field("status", "must be waiting, delivered or failed")),
    };
    let webhook = found(&state, editor, &id).await?.id;
    let query = DeliveryQuery { webhook, status, offset: page.offset(), limit: i64::from(page.size) };
    let (deliveries, total) = state.desk.deliveries(query).await?;
    Ok(Json(DeliveryList {
        deliveries: deliveries.iter().map(DeliveryBody::from).collect(),
        total,
        page: page.page,
        page_size: page.size,
        total_pages: page.pages(total),
    }))
}

/// Tell something once more, after what waits for the same webhook and event.
#[utoipa::path(
    post, path = "/api/webhooks/deliveries/{delivery_id}/replay", operation_id = "replay_webhook_delivery",
    security(("bearer" = [])),
    params(
        ("delivery_id" = String, Path, description = "The delivery"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once"),
    ),
    responses(
        (status = 200, description = "It waits to be told", body = DeliveryBody),
        ReadProblems,
        WriteProblems,
    )
)]
async fn replay(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Bare { attempt, .. }: Bare,
) -> Result<Response, ApiError> {
    let editor = editor(&caller)?;
    let delivery = ids::parse_delivery(&id).ok_or_else(|| ApiError::not_found("Delivery"))?;
    act(&state, &attempt, ReplayDelivery { editor, delivery }, |found| {
        found?.as_ref().map(DeliveryBody::from).ok_or_else(|| ApiError::not_found("Delivery"))
    })
    .await
}
