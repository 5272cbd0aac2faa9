//! Card payments: opened, asked about, called off, tried in the sandbox, and the gateway's webhook.

mod wire;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use desk::Stopped;
use engine::payments::{CancelPayment, ChargeSandbox, Gateway, OpenPayment, Payment, PaymentState, RetryRefund, Step};
use engine::people::Role;
use engine::refusal::Refusal;
use http::{HeaderMap, StatusCode};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::wire::{CanceledIntent, Intent, NewIntent, PaymentView, Received, SandboxCard};
use super::bookings::read_id;
use super::errors::{ApiError, ErrorEnvelope, ReadProblems, WriteProblems, act, code};
use crate::caller::Caller;
use crate::fault::Fault;
use crate::gateway::{self, GatewayError, NotCharged, NotReceived};
use crate::once::{self, Attempt, Bare, Posted};
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(create_intent))
        .routes(routes!(webhook))
        .routes(routes!(get))
        .routes(routes!(cancel))
        .routes(routes!(confirm))
        .routes(routes!(refund))
}

/// Open the payment of a held booking. A booking has one that is not cancelled; asking again gives the same. One that costs
/// nothing is confirmed by it.
#[utoipa::path(
    post, path = "/api/payment/create-intent", operation_id = "create_payment_intent",
    security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once")),
    request_body = NewIntent,
    responses(
        (status = 200, description = "The payment is open", body = Intent),
        ReadProblems,
        WriteProblems,
    )
)]
async fn create_intent(
    State(state): State<AppState>,
    caller: Caller,
    Posted { body, attempt }: Posted<NewIntent>,
) -> Result<Response, ApiError> {
    if !body.currency.as_deref().unwrap_or_default().eq_ignore_ascii_case("krw") {
        return Err(ApiError::bad_request("currency must be krw"));
    }
    let open = OpenPayment {
        user: caller.user,
        reservation: read_id(&body.booking_id)?,
        amount: wire::whole(body.amount)?,
        gateway: state.gateway.kind(),
        client_secret: Some(secret()?),
    };
    if open.gateway == Gateway::Stripe {
        if let Some(answered) = once::replayed(&state, &attempt).await? {
            return Ok(answered);
        }
        open_at_stripe(&state, open.clone()).await?;
    }
    act(&state, &attempt, open, |payment| payment.map(wire::intent).map_err(not_opened)).await
}

/// What is wrong, by the names that the fields have here.
fn not_opened(refusal: &Refusal) -> ApiError {
    match refusal {
        Refusal::TotalDiffers { expected } => {
            ApiError::from(refusal).details(serde_json::json!({"field": "amount", "expected": expected}))
        }
        other => other.into(),
    }
}

fn secret() -> Result<String, ApiError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        tracing::error!(%error, "there is no randomness");
        Fault::Failed
    })?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// Makes sure that Stripe knows of the payment.
async fn open_at_stripe(state: &AppState, open: OpenPayment) -> Result<(), ApiError> {
    let payment = match state.desk.run(open).await {
        Ok(payment) => payment,
        // It will be refused again, and then the refusal is the answer.
        Err(Stopped::Refused(_)) => return Ok(()),
        Err(stopped) => return Err(stopped.into()),
    };
    gateway::announce(state, payment).await.map_err(|error| match error {
        NotCharged::Gateway(error) => failed(&error),
        NotCharged::Stopped(stopped) => stopped.into(),
        NotCharged::Declined | NotCharged::ProofWanted => Refusal::PaymentDeclined.into(),
    })?;
    Ok(())
}

fn failed(error: &GatewayError) -> ApiError {
    tracing::warn!(%error, "the gateway failed");
    match error {
        GatewayError::Declined(_) => {
            ApiError::new(StatusCode::PAYMENT_REQUIRED, code::PAYMENT_FAILED, "The payment was declined")
        }
        GatewayError::Rejected { status: 400, .. } => ApiError::payment_failed("The gateway rejected the payment"),
        // Its key, its address or its answers are wrong: nothing the client could do better.
        GatewayError::Rejected { .. } | GatewayError::Unavailable(_) => Fault::Unavailable.into(),
    }
}

/// Where a payment stands. Its payer's and admins' to see.
#[utoipa::path(
    get, path = "/api/payment/{payment_intent_id}", operation_id = "get_payment",
    security(("bearer" = [])),
    params(("payment_intent_id" = String, Path, description = "The payment")),
    responses(
        (status = 200, description = "The payment", body = PaymentView),
        ReadProblems,
    )
)]
async fn get(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<PaymentView>, ApiError> {
    let payment = gateway::find(&state, &id).await?.ok_or(Refusal::PaymentUnknown)?;
    if caller.role != Role::Admin && payment.user != caller.user {
        return Err(Refusal::NotYours.into());
    }
    Ok(Json(wire::view(&payment)))
}

/// Call a payment off before anything was taken. The hold runs on.
#[utoipa::path(
    post, path = "/api/payment/{payment_intent_id}/cancel", operation_id = "cancel_payment",
    security(("bearer" = [])),
    params(
        ("payment_intent_id" = String, Path, description = "The payment"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once"),
    ),
    responses(
        (status = 200, description = "It is called off", body = CanceledIntent),
        ReadProblems,
        WriteProblems,
    )
)]
async fn cancel(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Bare { attempt, .. }: Bare,
) -> Result<Response, ApiError> {
    let payment = gateway::id_of(&state, &id).await?.ok_or(Refusal::PaymentUnknown)?;
    let user = (caller.role != Role::Admin).then_some(caller.user);
    act(&state, &attempt, CancelPayment { user, payment }, |payment| Ok(wire::canceled(payment?))).await
}

/// Pay in the sandbox, which moves no money. Its word is acted on at once, as that of a real gateway is when its webhook comes:
/// the booking is confirmed by itself.
#[utoipa::path(
    post, path = "/api/payment/{payment_intent_id}/confirm", operation_id = "confirm_payment",
    security(("bearer" = [])),
    params(
        ("payment_intent_id" = String, Path, description = "The payment"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once"),
    ),
    request_body = SandboxCard,
    responses(
        (status = 200, description = "Succeeded, or the bank wants proof", body = PaymentView),
        ReadProblems,
        WriteProblems,
        (status = 402, description = "Declined", body = ErrorEnvelope),
    )
)]
async fn confirm(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Posted { body, attempt }: Posted<SandboxCard>,
) -> Result<Response, ApiError> {
    let outcome = wire::outcome(&body.payment_method)?;
    let payment = gateway::id_of(&state, &id).await?.ok_or(Refusal::PaymentUnknown)?;
    let command = ChargeSandbox { user: caller.user, payment, method: body.payment_method, outcome };
    act(&state, &attempt, command, |payment| match payment? {
        payment if is_declined(payment) => Err(Refusal::PaymentDeclined.into()),
        payment => Ok(wire::view(payment)),
    })
    .await
}

/// Ask the gateway once more to give back what it could not (`refund_status` is `failed`). For admins. A refund that is under
/// way or done stays as it is; to refund a sale, cancel its booking.
#[utoipa::path(
    post, path = "/api/payment/{payment_intent_id}/refund", operation_id = "retry_refund",
    security(("bearer" = [])),
    params(
        ("payment_intent_id" = String, Path, description = "The payment"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once"),
    ),
    responses(
        (status = 200, description = "The payment as it stands", body = PaymentView),
        ReadProblems,
        WriteProblems,
    )
)]
async fn refund(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Bare { attempt, .. }: Bare,
) -> Result<Response, ApiError> {
    if caller.role != Role::Admin {
        return Err(ApiError::forbidden("Only admins may do this"));
    }
    let payment = gateway::id_of(&state, &id).await?.ok_or(Refusal::PaymentUnknown)?;
    act(&state, &attempt, RetryRefund { payment }, |payment| Ok(wire::view(payment?))).await
}

/// A charge leaves a payment waiting for another method only by being declined.
fn is_declined(charged: &Payment) -> bool {
    charged.state == PaymentState::Open(Step::Method)
}

/// The gateway's word of what became of a payment. Only what is signed with the shared secret counts.
#[utoipa::path(
    post, path = "/api/payment/webhook", operation_id = "receive_payment_webhook",
    params(("stripe-signature" = String, Header, description = "`t=…,v1=…`, HMAC-SHA256 of `{t}.{body}`")),
    request_body(content = Object, description = "An event as Stripe writes it"),
    responses(
        (status = 200, description = "Taken", body = Received),
        ReadProblems,
        WriteProblems,
    )
)]
async fn webhook(
    State(state): State<AppState>,
    headers: HeaderMap,
    attempt: Attempt,
) -> Result<Json<Received>, ApiError> {
    let signature = headers.get("stripe-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    gateway::deliver(&state, signature, &attempt.bytes).await.map_err(|error| match error {
        NotReceived::BadSignature(_) | NotReceived::NoEvent(_) => ApiError::bad_request(error.to_string()),
        NotReceived::Stopped(stopped) => stopped.into(),
        NotReceived::Gateway(error) => failed(&error),
    })?;
    Ok(Json(Received { status: "success" }))
}
