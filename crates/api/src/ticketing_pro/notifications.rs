//! Messages that other programs of the house have sent. Bookings send their own.

use axum::extract::{FromRequestParts, State};
use axum::response::Response;
use engine::messages::{Channel, Content, Draft, QueueMessages};
use engine::people::Role;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::is_phone;
use super::errors::{ApiError, ReadProblems, WriteProblems, act};
use crate::caller::{self, Caller};
use crate::email::is_email;
use crate::messages::{self, Language, Template};
use crate::once::Posted;
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(email)).routes(routes!(sms))
}

/// An admin, or another program of the house with the service token.
struct Trusted;

impl FromRequestParts<AppState> for Trusted {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let given = caller::bearer_of(&parts.headers).unwrap_or_default();
        let known = state.settings.service_token.as_ref();
        if known.is_some_and(|known| bool::from(known.as_bytes().ct_eq(given.as_bytes()))) {
            return Ok(Self);
        }
        match Caller::from_request_parts(parts, state).await?.role {
            Role::Admin => Ok(Self),
            Role::Organizer | Role::User => Err(ApiError::forbidden("Only admins and services may do this")),
        }
    }
}

/// An e-mail to be sent.
#[derive(Deserialize, ToSchema)]
struct NewEmail {
    /// One address.
    #[schema(format = Email, examples("user@example.com"))]
    to_email: String,
    #[schema(min_length = 1, max_length = 200, examples("예매 확인"))]
    subject: String,
    /// `booking_confirmation`, `payment_success`, `booking_cancelled` or `event_reminder`.
    #[schema(examples("booking_confirmation"))]
    template: String,
    /// What it tells: texts, numbers or lists of texts. Each template needs some: `booking_confirmation` the
    /// `booking_id`, `event_title` and `event_date`; `payment_success` the `booking_id` and `amount`;
    /// `booking_cancelled` the `booking_id` and `event_title`; `event_reminder` the `event_title` and `event_date`.
    #[schema(value_type = Object)]
    data: Map<String, Value>,
    /// `ko`, `en` or `both`; as the server is set up where it is not given.
    language: Option<String>,
}

/// A text to be sent to a telephone.
#[derive(Deserialize, ToSchema)]
struct NewSms {
    #[schema(examples("010-1234-5678"))]
    phone_number: String,
    #[schema(min_length = 1, max_length = 1000)]
    message: String,
}

/// It will be sent.
#[derive(Serialize, ToSchema)]
struct Queued {
    #[schema(examples("queued"))]
    status: &'static str,
    /// `email` or `sms`.
    #[serde(rename = "type")]
    kind: &'static str,
}

impl NewEmail {
    fn draft(self, state: &AppState) -> Result<Draft, ApiError> {
        let to = self.to_email.trim();
        if !is_email(to) || to.parse::<lettre::Address>().is_err() {
            return Err(ApiError::field("to_email", "Email format is invalid"));
        }
        let subject = self.subject.trim();
        if !(1..=200).contains(&subject.chars().count()) || subject.contains(char::is_control) {
            return Err(ApiError::field("subject", "must have 1 to 200 characters on one line"));
        }
        let known = || Template::ALL.map(Template::word).join(", ");
        let template = Template::from_word(&self.template);
        let template = template.ok_or_else(|| ApiError::field("template", format!("must be one of {}", known())))?;
        let settings = &state.settings;
        let language = match &self.language {
            None => settings.carriers.language,
            Some(word) => {
                Language::from_word(word).ok_or_else(|| ApiError::field("language", "must be ko, en or both"))?
            }
        };
        let content = messages::write(template, subject.to_owned(), &self.data, language, &settings.zone);
        let content = content.map_err(|wrong| ApiError::field(&format!("data.{}", wrong.field), wrong.issue))?;
        Ok(Draft { id: None, channel: Channel::Email, recipient: to.to_owned(), content })
    }
}

impl NewSms {
    fn draft(self) -> Result<Draft, ApiError> {
        let to = self.phone_number.trim();
        if !is_phone(to) {
            return Err(ApiError::field("phone_number", "must be a phone number"));
        }
        let text = self.message.trim();
        let unprintable = text.contains(|c: char| c.is_control() && c != '\n');
        if !(1..=1000).contains(&text.chars().count()) || unprintable {
            return Err(ApiError::field("message", "must be a text of 1 to 1000 characters"));
        }
        let content = Content { text: text.to_owned(), ..Content::default() };
        Ok(Draft { id: None, channel: Channel::Sms, recipient: to.to_owned(), content })
    }
}

/// Send an e-mail of a known template. For admins and other services of the house.
#[utoipa::path(
    post, path = "/api/notifications/email", operation_id = "send_email",
    security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once")),
    request_body = NewEmail,
    responses((status = 200, description = "It will be sent", body = Queued), ReadProblems, WriteProblems)
)]
async fn email(
    State(state): State<AppState>,
    _: Trusted,
    Posted { body, attempt }: Posted<NewEmail>,
) -> Result<Response, ApiError> {
    let drafts = vec![body.draft(&state)?];
    act(&state, &attempt, QueueMessages { advance: None, drafts }, |queued| {
        Ok(queued.map(|_| Queued { status: "queued", kind: "email" })?)
    })
    .await
}

/// Send a text to a telephone. For admins and other services of the house.
#[utoipa::path(
    post, path = "/api/notifications/sms", operation_id = "send_sms",
    security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once")),
    request_body = NewSms,
    responses((status = 200, description = "It will be sent", body = Queued), ReadProblems, WriteProblems)
)]
async fn sms(
    State(state): State<AppState>,
    _: Trusted,
    Posted { body, attempt }: Posted<NewSms>,
) -> Result<Response, ApiError> {
    let drafts = vec![body.draft()?];
    act(&state, &attempt, QueueMessages { advance: None, drafts }, |queued| {
        Ok(queued.map(|_| Queued { status: "queued", kind: "sms" })?)
    })
    .await
}
