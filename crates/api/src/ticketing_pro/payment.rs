//! Card payments: opened, asked about, called off, tried in the sandbox, and the gateway's webhook.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use desk::Stopped;
use engine::money::Won;
use engine::payments::{
    AttachIntent, CancelPayment, ChargeSandbox, Gateway, OpenPayment, Payment, PaymentState, Refund, SandboxOutcome,
    Step,
};
use engine::people::Role;
use engine::refusal::Refusal;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::bookings::read_id;
use super::errors::{ApiError, ErrorEnvelope, act, code, ok};
use crate::caller::Caller;
use crate::fault::Fault;
use crate::gateway::{self, GatewayError, NotReceived};
use crate::money::Amount;
use crate::once::{self, Attempt, Bare, Posted};
use crate::state::AppState;
use crate::{clock, ids};

/// The longest name of a payment method, in characters.
const LONGEST_METHOD: usize = 100;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(create_intent))
        .routes(routes!(webhook))
        .routes(routes!(get))
        .routes(routes!(cancel))
        .routes(routes!(confirm))
}

/// What is to be paid.
#[derive(Deserialize, ToSchema)]
struct NewIntent {
    /// For which booking.
    booking_id: String,
    /// Its total, in won.
    amount: Amount,
    /// `krw`.
    #[schema(examples("krw"))]
    currency: Option<String>,
    /// Ignored: the server knows what the booking is.
    #[schema(value_type = Option<Object>)]
    #[expect(dead_code, reason = "part of the interface; a client's word on these decides nothing")]
    metadata: Option<Value>,
}

/// An opened payment.
#[derive(Serialize, ToSchema)]
struct Intent {
    payment_intent_id: String,
    /// What the buyer's browser shows the gateway.
    client_secret: String,
    /// In won.
    amount: i64,
    currency: &'static str,
    status: &'static str,
}

/// Where a payment stands.
#[derive(Serialize, ToSchema)]
struct PaymentView {
    payment_intent_id: String,
    booking_id: String,
    /// `requires_payment_method`, `requires_action`, `processing`, `succeeded` or `canceled`.
    #[schema(examples("succeeded"))]
    status: &'static str,
    /// In won.
    amount: i64,
    currency: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_method: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    confirmed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    canceled_at: Option<String>,
    /// `processing` or `succeeded`, where the money goes or went back.
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_status: Option<&'static str>,
}

/// A payment that was called off.
#[derive(Serialize, ToSchema)]
struct CanceledIntent {
    payment_intent_id: String,
    status: &'static str,
    #[schema(format = DateTime)]
    canceled_at: String,
}

/// A card for the sandbox.
#[derive(Deserialize, ToSchema)]
struct SandboxCard {
    /// `card_visa_4242` and the like succeed, `card_declined` fails, `card_3ds` wants a second call.
    #[schema(examples("card_visa_4242"))]
    payment_method: String,
}

/// A webhook was taken.
#[derive(Serialize, ToSchema)]
struct Received {
    status: &'static str,
}

/// Open the payment of a held booking. A booking has one that is not cancelled; asking again gives the same.
#[utoipa::path(post, path = "/api/payment/create-intent", tag = "ticketing_pro", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once")),
    request_body = NewIntent,
    responses(
        (status = 200, description = "The payment is open", body = Intent),
        (status = 400, description = "Another amount or currency, or the booking is not held", body = ErrorEnvelope),
        (status = 401, description = "Nobody is signed in", body = ErrorEnvelope),
        (status = 403, description = "Somebody else's", body = ErrorEnvelope),
        (status = 404, description = "No such booking", body = ErrorEnvelope),
        (status = 503, description = "The gateway cannot be reached", body = ErrorEnvelope),
    ))]
async fn create_intent(
    State(state): State<AppState>,
    caller: Caller,
    Posted { body, attempt }: Posted<NewIntent>,
) -> Result<Response, ApiError> {
    if !body.currency.as_deref().unwrap_or("krw").eq_ignore_ascii_case("krw") {
        return Err(ApiError::bad_request("currency must be krw"));
    }
    let open = OpenPayment {
        user: caller.user,
        reservation: read_id(&body.booking_id)?,
        amount: whole(body.amount)?,
        gateway: state.gateway.kind(),
        client_secret: Some(secret()?),
    };
    if open.gateway == Gateway::Stripe {
        if let Some(answered) = once::replayed(&state, &attempt).await? {
            return Ok(answered);
        }
        open_at_stripe(&state, open.clone()).await?;
    }
    act(&state, &attempt, open, intent).await
}

fn whole(amount: Amount) -> Result<Won, ApiError> {
    amount.won().ok_or_else(|| ApiError::bad_request("amount must be a whole number of won"))
}

fn secret() -> Result<String, ApiError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        tracing::error!(%error, "there is no randomness");
        ApiError::internal()
    })?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// Makes sure that Stripe knows of the payment. Every step may be repeated, so that a lost answer does no harm.
async fn open_at_stripe(state: &AppState, open: OpenPayment) -> Result<(), ApiError> {
    let payment = match state.desk.run(open).await {
        Ok(payment) => payment,
        // It will be refused again, and then the refusal is the answer.
        Err(Stopped::Refused(_)) => return Ok(()),
        Err(stopped) => return Err(stopped.into()),
    };
    if payment.gateway != Gateway::Stripe || payment.reference.is_some() {
        return Ok(());
    }
    let stripe = state.gateway.stripe().map_err(|error| failed(&error))?;
    let intent = stripe.create(&payment).await.map_err(|error| failed(&error))?;
    if !intent.pays(&payment) {
        tracing::error!(intent = intent.id, "the gateway opened the payment for another amount");
        return Err(ApiError::internal());
    }
    let client_secret = intent.client_secret.unwrap_or_default();
    state.desk.run(AttachIntent { payment: payment.id, reference: intent.id, client_secret }).await?;
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
#[utoipa::path(get, path = "/api/payment/{payment_intent_id}", tag = "ticketing_pro", security(("bearer" = [])),
    params(("payment_intent_id" = String, Path, description = "The payment")),
    responses(
        (status = 200, description = "The payment", body = PaymentView),
        (status = 401, description = "Nobody is signed in", body = ErrorEnvelope),
        (status = 403, description = "Somebody else's", body = ErrorEnvelope),
        (status = 404, description = "No such payment", body = ErrorEnvelope),
    ))]
async fn get(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<PaymentView>, ApiError> {
    let payment = gateway::find(&state, &id).await?.ok_or(Refusal::PaymentUnknown)?;
    if caller.role != Role::Admin && payment.user != caller.user {
        return Err(Refusal::NotYours.into());
    }
    Ok(Json(view(&payment)))
}

/// Call a payment off before anything was taken. The hold runs on.
#[utoipa::path(post, path = "/api/payment/{payment_intent_id}/cancel", tag = "ticketing_pro",
    security(("bearer" = [])),
    params(
        ("payment_intent_id" = String, Path, description = "The payment"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once"),
    ),
    responses(
        (status = 200, description = "It is called off", body = CanceledIntent),
        (status = 400, description = "Already succeeded or called off", body = ErrorEnvelope),
        (status = 401, description = "Nobody is signed in", body = ErrorEnvelope),
        (status = 403, description = "Somebody else's", body = ErrorEnvelope),
        (status = 404, description = "No such payment", body = ErrorEnvelope),
    ))]
async fn cancel(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Bare { attempt, .. }: Bare,
) -> Result<Response, ApiError> {
    let payment = gateway::find(&state, &id).await?.ok_or(Refusal::PaymentUnknown)?;
    let user = (caller.role != Role::Admin).then_some(caller.user);
    act(&state, &attempt, CancelPayment { user, payment: payment.id }, canceled).await
}

/// Pay in the sandbox, which moves no money. A signed webhook follows, as from a real gateway.
#[utoipa::path(post, path = "/api/payment/{payment_intent_id}/confirm", tag = "ticketing_pro",
    security(("bearer" = [])),
    params(
        ("payment_intent_id" = String, Path, description = "The payment"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once"),
    ),
    request_body = SandboxCard,
    responses(
        (status = 200, description = "Succeeded, or the bank wants proof", body = PaymentView),
        (status = 400, description = "Called off, or not the sandbox's", body = ErrorEnvelope),
        (status = 401, description = "Nobody is signed in", body = ErrorEnvelope),
        (status = 402, description = "Declined", body = ErrorEnvelope),
        (status = 403, description = "Somebody else's", body = ErrorEnvelope),
        (status = 404, description = "No such payment", body = ErrorEnvelope),
        (status = 422, description = "Not the name of a card", body = ErrorEnvelope),
    ))]
async fn confirm(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Posted { body, attempt }: Posted<SandboxCard>,
) -> Result<Response, ApiError> {
    let outcome = outcome(&body.payment_method)?;
    let payment = gateway::find(&state, &id).await?.ok_or(Refusal::PaymentUnknown)?;
    let command = ChargeSandbox { user: caller.user, payment: payment.id, method: body.payment_method, outcome };
    let (path, at) = (attempt.path.clone(), state.desk.now());
    let render = move |verdict: Result<&Payment, &Refusal>| match verdict {
        Ok(payment) if is_declined(payment) => ApiError::from(Refusal::PaymentDeclined).answer(&path, at),
        Ok(payment) => ok(&view(payment)),
        Err(refusal) => ApiError::from(refusal).answer(&path, at),
    };
    Ok(once::run(&state, &attempt, command, render).await?)
}

/// A charge leaves a payment waiting for another method only by being declined.
fn is_declined(charged: &Payment) -> bool {
    charged.state == PaymentState::Open(Step::Method)
}

/// What the sandbox's bank says to a card.
fn outcome(method: &str) -> Result<SandboxOutcome, ApiError> {
    let named = ["card_", "pm_card_"].iter().any(|prefix| method.starts_with(prefix));
    if !named || method.chars().count() > LONGEST_METHOD {
        return Err(ApiError::field("payment_method", "must be the name of a test card, such as card_visa_4242"));
    }
    Ok(match method {
        "card_declined" | "pm_card_declined" => SandboxOutcome::Decline,
        "card_3ds" | "pm_card_3ds" => SandboxOutcome::Challenge,
        _ => SandboxOutcome::Approve,
    })
}

/// The gateway's word of what became of a payment. Only what is signed with the shared secret counts.
#[utoipa::path(post, path = "/api/payment/webhook", tag = "ticketing_pro",
    params(("stripe-signature" = String, Header, description = "`t=…,v1=…`, HMAC-SHA256 of `{t}.{body}`")),
    request_body(content = Object, description = "An event as Stripe writes it"),
    responses(
        (status = 200, description = "Taken", body = Received),
        (status = 400, description = "The signature does not count", body = ErrorEnvelope),
    ))]
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

fn status(payment: &Payment) -> &'static str {
    match payment.state {
        PaymentState::Open(Step::Method) => "requires_payment_method",
        PaymentState::Open(Step::Action) => "requires_action",
        PaymentState::Open(Step::Processing) => "processing",
        PaymentState::Succeeded { .. } => "succeeded",
        PaymentState::Canceled { .. } => "canceled",
    }
}

fn intent(payment: &Payment) -> Intent {
    let shown = gateway::shown(payment);
    let secret = payment.client_secret.clone().unwrap_or_default();
    let client_secret = match payment.gateway {
        Gateway::Sandbox => format!("{shown}_secret_{secret}"),
        Gateway::Stripe => secret,
    };
    let (amount, status) = (payment.amount.0, status(payment));
    Intent { payment_intent_id: shown, client_secret, amount, currency: "krw", status }
}

fn view(payment: &Payment) -> PaymentView {
    let (method, confirmed_at, refund_status) = match &payment.state {
        PaymentState::Succeeded { at, method, refund } => (Some(method.clone()), Some(*at), refund_word(*refund)),
        _ => (None, None, None),
    };
    let canceled_at = match payment.state {
        PaymentState::Canceled { at } => Some(at),
        _ => None,
    };
    PaymentView {
        payment_intent_id: gateway::shown(payment),
        booking_id: ids::booking(payment.reservation),
        status: status(payment),
        amount: payment.amount.0,
        currency: "krw",
        payment_method: method,
        created_at: clock::rfc3339(payment.created_at),
        confirmed_at: confirmed_at.map(clock::rfc3339),
        canceled_at: canceled_at.map(clock::rfc3339),
        refund_status,
    }
}

fn refund_word(refund: Refund) -> Option<&'static str> {
    match refund {
        Refund::None => None,
        Refund::Requested => Some("processing"),
        Refund::Done { .. } => Some("succeeded"),
    }
}

fn canceled(payment: &Payment) -> CanceledIntent {
    let at = match payment.state {
        PaymentState::Canceled { at } => at,
        _ => payment.created_at,
    };
    CanceledIntent { payment_intent_id: gateway::shown(payment), status: "canceled", canceled_at: clock::rfc3339(at) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sandbox_knows_its_cards() {
        let of = |method: &str| outcome(method).ok();
        assert_eq!(of("card_visa_4242"), Some(SandboxOutcome::Approve));
        assert_eq!(of("pm_card_mastercard"), Some(SandboxOutcome::Approve));
        assert_eq!(of("card_declined"), Some(SandboxOutcome::Decline));
        assert_eq!(of("card_3ds"), Some(SandboxOutcome::Challenge));
        for wrong in ["", "cash", "CARD_VISA", &format!("card_{}", "x".repeat(100))] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
