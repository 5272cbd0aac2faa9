//! Word from a gateway, by webhook or by asking: checked, read and acted on.

use super::signature::{BadSignature, WebhookSecret};
use super::stripe::{GatewayError, GivenBack};
use super::webhook::{self, Kind, NoEvent, Notice, Subject};
use crate::ids;
use crate::state::AppState;
use desk::{Stopped, Unavailable};
use engine::id::PaymentId;
use engine::payments::{AttachIntent, Gateway, News, Payment, PaymentState, ReceiveNews, Refund};
use engine::refusal::Refusal;

/// Why word from a gateway was not acted on.
#[derive(Debug, thiserror::Error)]
pub enum NotReceived {
    /// Nobody who may has signed it.
    #[error(transparent)]
    BadSignature(#[from] BadSignature),
    /// It is not an event.
    #[error(transparent)]
    NoEvent(#[from] NoEvent),
    /// The store did not take it.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The gateway gave no answer.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
}

impl From<Unavailable> for NotReceived {
    fn from(error: Unavailable) -> Self {
        Self::Stopped(Stopped::Unavailable(error.0))
    }
}

/// Takes a webhook: its `stripe-signature` header and its raw body. Unknown types, unknown payments and
/// events that were received before change nothing and are no error.
///
/// # Errors
/// [`NotReceived`]; the gateway is to send it again.
pub async fn deliver(state: &AppState, signature: &str, body: &[u8]) -> Result<(), NotReceived> {
    let Some(notice) = read(state, state.gateway.kind(), signature, body)? else { return Ok(()) };
    match named(state, &notice.subject).await? {
        Some(payment) => act(state, &payment, notice).await,
        None => {
            tracing::warn!(event = notice.event, "an event about a payment that is not known here");
            Ok(())
        }
    }
}

/// As [`deliver`], of a webhook that is known to be about this payment.
///
/// # Errors
/// As [`deliver`].
pub(super) async fn deliver_of(
    state: &AppState,
    payment: &Payment,
    signature: &str,
    body: &[u8],
) -> Result<(), NotReceived> {
    match read(state, payment.gateway, signature, body)? {
        Some(notice) => act(state, payment, notice).await,
        None => Ok(()),
    }
}

fn read(state: &AppState, by: Gateway, signature: &str, body: &[u8]) -> Result<Option<Notice>, NotReceived> {
    webhook_secret(state, by).verify(signature, body, state.desk.now())?;
    Ok(webhook::read(body)?)
}

/// The secret of a gateway's webhooks. What costs nothing is paid at the sandbox, whichever gateway is in use.
pub(super) fn webhook_secret(state: &AppState, gateway: Gateway) -> WebhookSecret {
    let secret = match gateway {
        Gateway::Sandbox => &state.settings.sandbox_webhook_secret,
        Gateway::Stripe => &state.settings.stripe_webhook_secret,
    };
    WebhookSecret::new(secret.as_deref().unwrap_or_default())
}

async fn act(state: &AppState, payment: &Payment, notice: Notice) -> Result<(), NotReceived> {
    if let Some(what) = contradiction(payment, &notice) {
        let Subject { amount, currency, .. } = &notice.subject;
        tracing::error!(event = notice.event, what, amount, currency, "the event does not match its payment");
        return Ok(());
    }
    if notice.object == Kind::Refund && notice.subject.amount != Some(payment.amount.0) {
        tracing::info!(event = notice.event, "a part of a payment was given back, which ends no booking");
        return Ok(());
    }
    if is_of_our_refund(payment, &notice) {
        return look_at_refund(state, payment).await;
    }
    attach(state, payment, notice.subject).await?;
    receive(state, notice.event, payment, notice.news).await
}

/// In what a success does not fit the payment. Such news confirms nothing: the buyer has not paid what was asked.
fn contradiction(payment: &Payment, notice: &Notice) -> Option<&'static str> {
    let Notice { subject, news, .. } = notice;
    let foreign = |currency: &String| !currency.eq_ignore_ascii_case("krw");
    match news {
        News::Succeeded { .. } if subject.currency.as_ref().is_some_and(foreign) => Some("another currency"),
        News::Succeeded { .. } if subject.amount.is_none() => Some("no amount"),
        News::Succeeded { .. } if subject.amount != Some(payment.amount.0) => Some("another amount"),
        _ => None,
    }
}

/// Whether it is word of money that Stripe was asked to give back. Such words come in any order and say what was so
/// when they were sent (`charge.refunded` even before the money is on its way): they are a reason to ask.
fn is_of_our_refund(payment: &Payment, notice: &Notice) -> bool {
    let of_refund = matches!(notice.news, News::Refunded | News::RefundFailed);
    let asked = matches!(
        payment.state,
        PaymentState::Succeeded { refund: Refund::Requested | Refund::Failed { .. } | Refund::Done { .. }, .. }
    );
    payment.gateway == Gateway::Stripe && of_refund && asked
}

/// Asks Stripe how the giving back of a payment stands, and acts on that.
async fn look_at_refund(state: &AppState, payment: &Payment) -> Result<(), NotReceived> {
    let reference = payment.reference.as_deref().unwrap_or_default();
    let (standing, _) = state.gateway.stripe()?.given_back(reference, payment.amount).await?;
    match standing {
        Some(standing) => note_refund(state, payment, standing).await,
        None => Ok(()),
    }
}

/// Notes how the giving back of a payment stands, each standing of each refund once.
pub(super) async fn note_refund(state: &AppState, payment: &Payment, standing: GivenBack) -> Result<(), NotReceived> {
    match standing {
        GivenBack::UnderWay(_) => Ok(()),
        GivenBack::Done(refund) => {
            receive(state, format!("refund:{payment:x}:{refund}:done", payment = payment.id.0), payment, News::Refunded)
                .await
        }
        GivenBack::Failed(refund) => {
            tracing::error!(refund, "the gateway could not give a payment back: look at it, then ask for it again");
            let event = format!("refund:{payment:x}:{refund}:failed", payment = payment.id.0);
            receive(state, event, payment, News::RefundFailed).await
        }
    }
}

/// The payment an event is about: by the gateway's id, else by the id it was given when it was opened.
async fn named(state: &AppState, subject: &Subject) -> Result<Option<Payment>, NotReceived> {
    if let Some(reference) = &subject.reference
        && let Some(payment) = find(state, reference).await?
    {
        return Ok(Some(payment));
    }
    let Some(id) = &subject.payment_id else { return Ok(None) };
    // Another intent that only carries the same metadata is not this payment.
    Ok(find(state, id).await?.filter(|payment| payment.reference.is_none()))
}

/// Notes the gateway's id where the answer that was to tell it got lost.
async fn attach(state: &AppState, payment: &Payment, subject: Subject) -> Result<(), NotReceived> {
    if payment.gateway != Gateway::Stripe || payment.reference.is_some() {
        return Ok(());
    }
    let Some(reference) = subject.reference else { return Ok(()) };
    let client_secret = subject.client_secret.unwrap_or_default();
    state.desk.run(AttachIntent { payment: payment.id, reference, client_secret }).await?;
    Ok(())
}

async fn receive(state: &AppState, event: String, about: &Payment, news: News) -> Result<(), NotReceived> {
    let (payment, reservation) = (about.id, Some(about.reservation));
    match state.desk.run(ReceiveNews { event, payment, reservation, news }).await {
        // Sent again it would be refused again.
        Ok(()) | Err(Stopped::Refused(Refusal::PaymentUnknown | Refusal::ReservationUnknown)) => Ok(()),
        Err(stopped) => Err(stopped.into()),
    }
}

/// Asks the gateway what became of a payment, for when its webhook is late or lost.
///
/// # Errors
/// [`NotReceived`].
pub async fn poll(state: &AppState, payment: &Payment) -> Result<(), NotReceived> {
    let (Gateway::Stripe, Some(reference)) = (payment.gateway, &payment.reference) else { return Ok(()) };
    let intent = state.gateway.stripe()?.retrieve(reference).await?;
    let Some(news) = intent.news().filter(|_| intent.pays(payment)) else { return Ok(()) };
    let word = if matches!(news, News::Canceled) { "canceled" } else { "succeeded" };
    receive(state, format!("poll:{reference}:{word}"), payment, news).await
}

/// The payment that clients or the gateway call so: by our id, else by the gateway's.
///
/// # Errors
/// [`Unavailable`].
pub async fn find(state: &AppState, name: &str) -> Result<Option<Payment>, Unavailable> {
    if let Some(id) = ids::parse_payment(name)
        && let Some(payment) = state.desk.payment(id).await?
    {
        return Ok(Some(payment));
    }
    // A gateway's id is plain; what is not plain is nobody's, and not every store can be asked for it.
    if name.is_empty() || name.len() > 255 || name.bytes().any(|byte| !byte.is_ascii_graphic()) {
        return Ok(None);
    }
    state.desk.payment_by_reference(name).await
}

/// The id of the payment that is called so, for a command that finds out itself whether there is one. Where no other gateway
/// gives names, what reads as an id of ours is one, and is not looked up.
///
/// # Errors
/// [`Unavailable`].
pub async fn id_of(state: &AppState, name: &str) -> Result<Option<PaymentId>, Unavailable> {
    match ids::parse_payment(name) {
        Some(id) if state.gateway.kind() == Gateway::Sandbox => Ok(Some(id)),
        _ => Ok(find(state, name).await?.map(|payment| payment.id)),
    }
}

/// What clients call a payment: the gateway's id of it, else ours.
#[must_use]
pub fn shown(payment: &Payment) -> String {
    payment.reference.clone().unwrap_or_else(|| ids::payment(payment.id))
}
