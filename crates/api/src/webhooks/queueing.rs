//! What of the event stream is told to whom.

use std::collections::HashMap;

use desk::{Stopped, Unavailable};
use engine::catalogue::Event;
use engine::id::UserId;
use engine::people::Role;
use engine::webhooks::{NewDelivery, QueueDeliveries, Webhook};

use crate::state::AppState;
use crate::ticketing_pro::announce;

/// How many entries of the stream are looked at at a time.
const PAGE: usize = 2_000;
/// After how many deliveries the rest is left to the next time.
const MOST: usize = 1_000;

/// Queues what the next part of the event stream has to tell. Gives whether there is more.
///
/// # Errors
/// Where the store does not take it.
pub async fn follow(state: &AppState) -> Result<bool, Stopped> {
    let Some(mut page) = state.desk.next_page("webhooks", PAGE).await? else { return Ok(false) };
    let failed = |Unavailable(why)| Stopped::Unavailable(why);
    let webhooks = state.desk.webhooks(None).await.map_err(failed)?;
    let roles = roles(state, &webhooks).await.map_err(failed)?;
    let mut new = Vec::new();
    let mut worked = if webhooks.is_empty() { page.entries.len() } else { 0 };
    while let Some(entry) = page.entries.get(worked)
        && new.len() < MOST
    {
        worked += 1;
        let Some(event) = state.desk.event(entry.event).await.map_err(failed)? else { continue };
        let Some(told) = announce(entry, &event) else { continue };
        let wants = |own: &&Webhook| {
            own.kinds.contains(&told.kind) && own.created_at <= entry.at && concerns(own, &event, &roles)
        };
        let delivery =
            |own: &Webhook| NewDelivery { webhook: own.id, event: event.id, kind: told.kind, body: told.body.clone() };
        new.extend(webhooks.iter().filter(wants).map(delivery));
    }
    page.cut(worked);
    state.desk.run(QueueDeliveries { advance: page.advance, new }).await?;
    Ok(page.more)
}

/// What the owners of webhooks may do today.
async fn roles(state: &AppState, webhooks: &[Webhook]) -> Result<HashMap<UserId, Role>, Unavailable> {
    let mut roles = HashMap::new();
    for own in webhooks {
        if !roles.contains_key(&own.owner)
            && let Some(user) = state.desk.user(own.owner).await?
        {
            roles.insert(user.id, user.role);
        }
    }
    Ok(roles)
}

/// Whether its owner may know of the event: an admin of every one, an organizer of its own.
fn concerns(webhook: &Webhook, event: &Event, roles: &HashMap<UserId, Role>) -> bool {
    match roles.get(&webhook.owner) {
        Some(Role::Admin) => webhook.of_all || event.owner == webhook.owner,
        Some(Role::Organizer) => event.owner == webhook.owner,
        Some(Role::User) | None => false,
    }
}
