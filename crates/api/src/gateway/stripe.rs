//! Stripe over HTTPS: the few calls that are needed, decoding only what is used of the answers.

use crate::ids;
use engine::id::PaymentId;
use engine::money::Won;
use engine::payments::{News, Payment};
use engine::time::Time;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, StatusCode, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Where Stripe is.
pub const STRIPE_API_BASE: &str = "https://api.stripe.com";
/// The version of the API these calls are written for, whatever the account's default is.
pub const STRIPE_VERSION: &str = "2025-03-31.basil";

/// How often a call is tried that got no clear answer. The idempotency key makes it happen once.
const ATTEMPTS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(8);

/// Why the gateway did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// The bank said no to the card; the code says why.
    #[error("the card was declined: {0}")]
    Declined(String),
    /// The gateway understood and refused; trying again brings the same.
    #[error("the gateway rejected the request: {status} {code}")]
    Rejected {
        /// The HTTP status.
        status: u16,
        /// Stripe's code of the error.
        code: String,
    },
    /// No clear answer. It may or may not have happened; trying again with the same key is safe.
    #[error("the gateway is unavailable: {0}")]
    Unavailable(String),
}

/// A payment as Stripe has it.
#[derive(Clone, Deserialize)]
pub struct Intent {
    /// Stripe's id of it.
    pub id: String,
    /// What the buyer's browser shows Stripe.
    pub client_secret: Option<String>,
    /// How much, in the currency's smallest unit; won have no smaller one.
    pub amount: i64,
    /// In lower case.
    pub currency: String,
    amount_received: Option<i64>,
    status: String,
    payment_method: Option<serde_json::Value>,
}

impl Intent {
    /// What its standing says of the payment; `None` while it waits for the buyer.
    #[must_use]
    pub fn news(&self) -> Option<News> {
        match self.status.as_str() {
            "succeeded" => Some(News::Succeeded { method: method_name(self.payment_method.as_ref()) }),
            "canceled" => Some(News::Canceled),
            _ => None,
        }
    }

    /// Whether it is for what the payment is for, and has brought it where it has brought anything.
    #[must_use]
    pub fn pays(&self, payment: &Payment) -> bool {
        let received = self.amount_received.filter(|_| self.status == "succeeded").unwrap_or(self.amount);
        self.currency == "krw" && [self.amount, received] == [payment.amount.0; 2]
    }
}

/// What the method is called: Stripe's id of it, or only that it was a card.
pub(super) fn method_name(method: Option<&serde_json::Value>) -> String {
    let id = method.and_then(|own| own.as_str().or_else(|| own.get("id")?.as_str()));
    id.unwrap_or("card").to_owned()
}

/// A client of Stripe. Cheap to clone.
#[derive(Clone)]
pub struct Stripe {
    http: Client,
    base: String,
}

impl Stripe {
    /// A client with a secret key. `base` is [`STRIPE_API_BASE`], or a stand-in's address.
    ///
    /// # Errors
    /// [`GatewayError::Unavailable`] when the key cannot stand in a header or TLS cannot be set up.
    pub fn new(secret_key: &str, base: &str) -> Result<Self, GatewayError> {
        let bearer = HeaderValue::try_from(format!("Bearer {}", secret_key.trim()));
        let mut bearer = bearer.map_err(|_| GatewayError::Unavailable("the secret key is malformed".to_owned()))?;
        bearer.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, bearer);
        headers.insert("stripe-version", HeaderValue::from_static(STRIPE_VERSION));
        let client = Client::builder()
            .default_headers(headers)
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ATTEMPT_TIMEOUT);
        let http = client.build().map_err(|error| unavailable(&error.without_url()))?;
        Ok(Self { http, base: base.trim_end_matches('/').to_owned() })
    }

    /// Opens an intent for a payment; for the same payment it is the same intent.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub async fn create(&self, payment: &Payment) -> Result<Intent, GatewayError> {
        let form = [
            ("amount", payment.amount.0.to_string()),
            ("currency", "krw".to_owned()),
            ("metadata[payment_id]", ids::payment(payment.id)),
            ("metadata[booking_id]", ids::booking(payment.reservation)),
            ("automatic_payment_methods[enabled]", "true".to_owned()),
        ];
        self.post("/v1/payment_intents", &key(payment.id, "create"), &form).await
    }

    /// The intent as it stands.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub async fn retrieve(&self, reference: &str) -> Result<Intent, GatewayError> {
        let url = format!("{}/v1/payment_intents/{}", self.base, path_part(reference)?);
        call(|| self.http.get(&url)).await
    }

    /// Takes the money with a payment method. Where the bank wants proof from the buyer it is declined: nobody is
    /// there to give it.
    ///
    /// # Errors
    /// [`GatewayError`]; see [`GatewayError::is_over`].
    pub async fn confirm(
        &self,
        payment: PaymentId,
        reference: &str,
        method: &str,
        return_url: &str,
        now: Time,
    ) -> Result<Intent, GatewayError> {
        let path = format!("/v1/payment_intents/{}/confirm", path_part(reference)?);
        let form = [
            ("payment_method", method.to_owned()),
            ("error_on_requires_action", "true".to_owned()),
            ("return_url", return_url.to_owned()),
        ];
        // Another attempt is another operation: a card that was declined may be tried again.
        self.post(&path, &key(payment, &format!("confirm-{}", now.0)), &form).await
    }

    /// Calls an intent off.
    ///
    /// # Errors
    /// [`GatewayError`]; see [`GatewayError::is_over`] and [`GatewayError::is_unknown`].
    pub async fn cancel(&self, payment: PaymentId, reference: &str) -> Result<Intent, GatewayError> {
        let path = format!("/v1/payment_intents/{}/cancel", path_part(reference)?);
        self.post(&path, &key(payment, "cancel"), &[]).await
    }

    /// Gives a payment back whole, unless that was done or is under way: then it tells how it stands. One that failed
    /// is made anew.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub async fn refund(&self, payment: PaymentId, reference: &str, amount: Won) -> Result<GivenBack, GatewayError> {
        let (before, failed) = self.given_back(reference, amount).await?;
        match before {
            Some(GivenBack::Failed(_)) | None => {}
            Some(standing) => return Ok(standing),
        }
        let form = [
            ("payment_intent", path_part(reference)?.to_owned()),
            ("amount", amount.0.to_string()),
            ("metadata[payment_id]", ids::payment(payment)),
        ];
        // The key of one that failed would bring its failure again.
        let operation = if failed == 0 { "refund".to_owned() } else { format!("refund-{failed}") };
        let refund: Result<Refund, _> = self.post("/v1/refunds", &key(payment, &operation), &form).await;
        match refund {
            Ok(refund) => Ok(refund.standing()),
            Err(GatewayError::Rejected { code, .. }) if code == "charge_already_refunded" => {
                Ok(GivenBack::Done("elsewhere".to_owned()))
            }
            Err(error) => Err(error),
        }
    }

    /// How the giving back of a whole payment stands (`None` where it was never begun), and how often it failed.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub async fn given_back(&self, reference: &str, amount: Won) -> Result<(Option<GivenBack>, usize), GatewayError> {
        let url = format!("{}/v1/refunds?payment_intent={}&limit=100", self.base, path_part(reference)?);
        let made: Refunds = call(|| self.http.get(&url)).await?;
        let whole = made.data.into_iter().filter(|refund| refund.amount == Some(amount.0));
        let (failed, live): (Vec<_>, Vec<_>) =
            whole.map(Refund::standing).partition(|standing| matches!(standing, GivenBack::Failed(_)));
        let count = failed.len();
        Ok((live.into_iter().next().or_else(|| failed.into_iter().next()), count))
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        key: &str,
        form: &[(&str, String)],
    ) -> Result<T, GatewayError> {
        let url = format!("{}{path}", self.base);
        call(|| self.http.post(&url).header("idempotency-key", key).form(form)).await
    }
}

impl GatewayError {
    /// Whether the intent is in a state from which it cannot be called off: paid or called off already.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Rejected { code, .. } if code == "payment_intent_unexpected_state")
    }

    /// Whether the gateway knows of no such thing.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Rejected { status: 404, .. })
    }
}

/// How the giving back of a payment stands, each with the gateway's id of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GivenBack {
    /// The buyer has it, or the buyer's bank.
    Done(String),
    /// It is on its way, and may still fail.
    UnderWay(String),
    /// The gateway has the money still, or again.
    Failed(String),
}

#[derive(Deserialize)]
struct Refunds {
    data: Vec<Refund>,
}

#[derive(Deserialize)]
struct Refund {
    id: String,
    amount: Option<i64>,
    status: Option<String>,
}

impl Refund {
    fn standing(self) -> GivenBack {
        match self.status.as_deref() {
            Some("succeeded") => GivenBack::Done(self.id),
            Some("failed" | "canceled") => GivenBack::Failed(self.id),
            _ => GivenBack::UnderWay(self.id),
        }
    }
}

#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorDetail,
}

#[derive(Deserialize)]
struct ErrorDetail {
    code: Option<String>,
    decline_code: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// The key under which an operation on a payment happens once.
fn key(payment: PaymentId, operation: &str) -> String {
    format!("{}-{operation}", ids::payment(payment))
}

/// A reference that may stand in an address: nothing in it leads elsewhere.
fn path_part(reference: &str) -> Result<&str, GatewayError> {
    let plain = !reference.is_empty() && reference.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let rejected = || GatewayError::Rejected { status: 404, code: "resource_missing".to_owned() };
    plain.then_some(reference).ok_or_else(rejected)
}

async fn call<T: DeserializeOwned>(request: impl Fn() -> RequestBuilder) -> Result<T, GatewayError> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS {
        match attempt(request()).await {
            Err(GatewayError::Unavailable(reason)) => tracing::warn!(reason, "the gateway is asked again"),
            clear => return clear,
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    attempt(request()).await
}

async fn attempt<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, GatewayError> {
    let response = request.send().await.map_err(|error| unavailable(&error.without_url()))?;
    if !response.status().is_success() {
        return Err(failure(response).await);
    }
    response.json().await.map_err(|error| unavailable(&error.without_url()))
}

async fn failure(response: Response) -> GatewayError {
    let status = response.status();
    let unclear = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::CONFLICT);
    if unclear || status.is_server_error() {
        return GatewayError::Unavailable(status.to_string());
    }
    let detail = response.json::<ErrorBody>().await.ok().map(|body| body.error);
    let code = detail.and_then(|own| own.decline_code.or(own.code).or(own.kind)).unwrap_or_default();
    match status {
        StatusCode::PAYMENT_REQUIRED => GatewayError::Declined(code),
        _ => GatewayError::Rejected { status: status.as_u16(), code },
    }
}

/// The whole chain of causes: reqwest's own text stops at "error sending request".
fn unavailable(error: &dyn std::error::Error) -> GatewayError {
    let causes = std::iter::successors(Some(error), |cause| cause.source());
    let texts: Vec<String> = causes.map(ToString::to_string).collect();
    GatewayError::Unavailable(texts.join(": "))
}
