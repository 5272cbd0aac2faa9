//! The messages that bookings call for, through whatever dialect they were made.

use std::sync::Arc;
use std::time::Duration;

use desk::{Entry, Happened, Page, Stage, Stopped, Unavailable};
use engine::catalogue::{Event, EventStatus};
use engine::holds::{Reservation, Standing};
use engine::id::{EventId, MessageId, PaymentId, ReservationId};
use engine::messages::{Channel, Content, Draft, Lead, QueueMessages};
use engine::money::Won;
use engine::people::User;
use futures_util::future::try_join_all;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::templates::{self, Template};
use crate::errands::ErrandFailed;
use crate::state::AppState;
use crate::{clock, ids};

/// How many entries of the stream are looked at at a time.
const PAGE: usize = 200;
/// How many such pages are worked off in one go, since most entries call for nothing.
const PAGES: usize = 10;
/// After how many messages the rest is left to the next time.
const MOST: usize = 200;
/// How many people are reminded in one go.
const REMIND_PAGE: usize = 200;

/// Queues what the next part of the event stream calls for. Gives whether there is more, and how long to wait before it.
///
/// # Errors
/// Where the store does not take it.
pub async fn follow(state: &AppState) -> Result<(bool, Duration), Stopped> {
    let Some(mut page) = state.desk.next_page("messages", PAGE).await? else { return Ok((false, Duration::ZERO)) };
    let failed = |Unavailable(why)| Stopped::Unavailable(why);
    let mut drafts = called_for(state, &page).await.map_err(failed)?;
    for _ in 1..PAGES {
        if !page.more || drafts.len() >= MOST {
            break;
        }
        state.desk.turn_page(&mut page, PAGE).await.map_err(failed)?;
        drafts.extend(called_for(state, &page).await.map_err(failed)?);
    }
    let pause = state.settings.carriers.pause_after(drafts.len());
    state.desk.run(QueueMessages { advance: Some(page.advance), drafts }).await?;
    Ok((page.more, pause))
}

/// The messages that the entries of a page call for.
async fn called_for(state: &AppState, page: &Page) -> Result<Vec<Draft>, Unavailable> {
    Ok(try_join_all(page.entries.iter().map(|entry| drafts_of(state, entry))).await?.concat())
}

/// Queues reminders for all who have bought, unless they come too late by now.
///
/// # Errors
/// Where the store does not take them.
pub async fn remind(state: &AppState, event: EventId, lead: Lead) -> Result<(), ErrandFailed> {
    let Some(event) = state.desk.event(event).await? else { return Ok(()) };
    let due = lead.is_due(event.billing.starts_at, state.desk.now());
    if !due || event.status != EventStatus::Published {
        return Ok(());
    }
    // A postponed event is another occasion.
    let occasion = format!("{}:{}", lead.days(), event.billing.starts_at.0);
    for page in state.desk.sold(event.id).await?.chunks(REMIND_PAGE) {
        let drafts = page.iter().map(|id| reminder(state, *id, &event, &occasion));
        let drafts = try_join_all(drafts).await?.concat();
        let pause = state.settings.carriers.pause_after(drafts.len());
        state.desk.run(QueueMessages { advance: None, drafts }).await?;
        tokio::time::sleep(pause).await;
    }
    Ok(())
}

async fn reminder(
    state: &AppState,
    id: ReservationId,
    event: &Arc<Event>,
    occasion: &str,
) -> Result<Vec<Draft>, Unavailable> {
    let Some(reservation) = state.desk.reservation(id).await? else { return Ok(Vec::new()) };
    if !matches!(reservation.standing, Standing::Confirmed { .. }) {
        return Ok(Vec::new());
    }
    let Some(user) = state.desk.user(reservation.user).await? else { return Ok(Vec::new()) };
    let about = About { state, user: &user, event, reservation: &reservation };
    Ok(about.drafts(Template::EventReminder, occasion, Map::new()))
}

async fn drafts_of(state: &AppState, entry: &Entry) -> Result<Vec<Draft>, Unavailable> {
    match &entry.happened {
        Happened::Reservation(told) if matches!(told.stage, Stage::Confirmed | Stage::Cancelled) => {
            of_reservation(state, told.reservation, told.stage).await
        }
        Happened::PaymentReturned(payment) => of_returned(state, *payment).await,
        Happened::Reservation(_) | Happened::EventChanged | Happened::EventDeleted => Ok(Vec::new()),
    }
}

async fn of_reservation(state: &AppState, id: ReservationId, stage: Stage) -> Result<Vec<Draft>, Unavailable> {
    let Some(found) = Found::look(state, id).await? else { return Ok(Vec::new()) };
    let about = found.about(state);
    if stage == Stage::Cancelled {
        let (refund, paid) = match found.reservation.standing {
            Standing::Cancelled { refund, tender, .. } => (refund, tender.is_some()),
            Standing::Pending { .. } | Standing::Confirmed { .. } | Standing::Expired { .. } => (Won::ZERO, false),
        };
        // Who gives a hold up knows, and was told nothing of it before. Otherwise it would be a way of having any number
        // of messages sent, for nothing, to any address that somebody says is theirs.
        if !paid && found.event.status != EventStatus::Cancelled {
            return Ok(Vec::new());
        }
        return Ok(about.drafts(Template::BookingCancelled, "", money("refund_amount", refund)));
    }
    let total = money("amount", found.reservation.total);
    let mut drafts = about.drafts(Template::BookingConfirmation, "", total.clone());
    if found.reservation.total > Won::ZERO {
        let mut data = total;
        data.extend(found.reservation.payment.map(|id| ("payment_id".to_owned(), ids::payment(id).into())));
        drafts.extend(about.drafts(Template::PaymentSuccess, "", data));
    }
    Ok(drafts)
}

/// Money came when the seats were gone, and goes back: the buyer is told that there is no booking.
async fn of_returned(state: &AppState, id: PaymentId) -> Result<Vec<Draft>, Unavailable> {
    let Some(payment) = state.desk.payment(id).await? else { return Ok(Vec::new()) };
    let Some(found) = Found::look(state, payment.reservation).await? else { return Ok(Vec::new()) };
    let data = money("refund_amount", payment.amount);
    Ok(found.about(state).drafts(Template::BookingCancelled, &format!("{:032x}", id.0), data))
}

fn money(field: &str, amount: Won) -> Map<String, Value> {
    Map::from_iter([(field.to_owned(), amount.0.into())])
}

/// A reservation with its person and event.
struct Found {
    user: User,
    event: Arc<Event>,
    reservation: Reservation,
}

impl Found {
    async fn look(state: &AppState, id: ReservationId) -> Result<Option<Self>, Unavailable> {
        let Some(reservation) = state.desk.reservation(id).await? else { return Ok(None) };
        let user = state.desk.user(reservation.user).await?;
        let event = state.desk.event(reservation.event).await?;
        Ok(user.zip(event).map(|(user, event)| Self { user, event, reservation }))
    }

    fn about<'a>(&'a self, state: &'a AppState) -> About<'a> {
        About { state, user: &self.user, event: &self.event, reservation: &self.reservation }
    }
}

/// Whom a message goes to, and what it is about.
#[derive(Clone, Copy)]
struct About<'a> {
    state: &'a AppState,
    user: &'a User,
    event: &'a Arc<Event>,
    reservation: &'a Reservation,
}

impl About<'_> {
    /// The messages of a template: an e-mail, and a text where texts reach telephones and this person has one. There is
    /// one of each template, reservation and occasion.
    fn drafts(&self, template: Template, occasion: &str, more: Map<String, Value>) -> Vec<Draft> {
        let carriers = &self.state.settings.carriers;
        let title = &self.event.billing.title;
        let subject = template.subject(carriers.language, title);
        let mut data = self.data();
        data.extend(more);
        let zone = &self.state.settings.zone;
        let content = match templates::write(template, subject, &data, carriers.language, zone) {
            Ok(content) => content,
            Err(missing) => {
                tracing::warn!(field = missing.field, issue = missing.issue, "a message cannot be written");
                return Vec::new();
            }
        };
        let id = |channel: Channel| {
            let about = format!("{}:{}:{:032x}:{occasion}", channel.word(), template.word(), self.reservation.id.0);
            Some(named(&about))
        };
        let mut drafts = Vec::new();
        let text = Content { subject: String::new(), text: short(&content.text), html: None };
        if self.user.email.parse::<lettre::Address>().is_ok() {
            let recipient = self.user.email.clone();
            drafts.push(Draft { id: id(Channel::Email), channel: Channel::Email, recipient, content });
        }
        let phone = self.user.phone.clone().filter(|_| carriers.texts.reach_telephones());
        if let Some(recipient) = phone.filter(|_| template != Template::PaymentSuccess) {
            drafts.push(Draft { id: id(Channel::Sms), channel: Channel::Sms, recipient, content: text });
        }
        drafts
    }

    fn data(&self) -> Map<String, Value> {
        let billing = &self.event.billing;
        let label = |ordinal| self.event.offer.layout.seat(ordinal).map(|seat| seat.label());
        let seats = self.reservation.seats.iter().filter_map(|seat| label(seat.ordinal));
        let name = |id| self.event.ticket_type(id).map(|own| own.name.as_str()).unwrap_or_default();
        let items = self.reservation.items.iter().map(|item| format!("{} × {}", name(item.ticket_type), item.quantity));
        // As many as a line holds.
        let seats: Vec<String> = seats.chain(items).take(20).map(|text| text.chars().take(24).collect()).collect();
        let values = [
            ("event_title", json!(billing.title)),
            ("event_date", clock::rfc3339(billing.starts_at).into()),
            ("venue", billing.venue.chars().take(200).collect::<String>().into()),
            ("booking_id", ids::booking(self.reservation.id).into()),
            ("seats", seats.into()),
        ];
        values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// What of a message goes into a text: the first language.
fn short(text: &str) -> String {
    let first = text.split("\n\n----\n\n").next().unwrap_or_default();
    first.replace("\n\n", "\n").chars().take(500).collect()
}

/// The id of the message that is about this.
fn named(about: &str) -> MessageId {
    let digest = Sha256::digest(about.as_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    MessageId(u128::from_be_bytes(id))
}
