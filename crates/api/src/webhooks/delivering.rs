//! One delivery: sent, signed, and what came of it noted.

use std::sync::Arc;
use std::time::Duration;

use engine::id::{DeliveryId, UserId};
use engine::webhooks::{Delivery, DeliveryState, SettleDelivery, Tried, Webhook};
use reqwest::redirect::Policy;

use super::address::{Outside, check};
use crate::errands::ErrandFailed;
use crate::gateway::WebhookSecret;
use crate::ids;
use crate::shares::Shares;
use crate::state::AppState;

/// How long a receiver may take to answer: well within the time for which a job is one node's.
const ALL: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);
/// How much one person is told at once, at all its webhooks: a fraction of what is told at once, so that others hear of
/// theirs while its receivers take their time.
const MOST_OF_ONE: usize = 16;

/// Sends deliveries. It follows no redirects and reads nothing of an answer but its status.
#[derive(Clone)]
pub struct Messenger {
    client: reqwest::Client,
    private_too: bool,
    under_way: Arc<Shares<UserId>>,
}

impl Default for Messenger {
    /// One that stays out of private networks.
    fn default() -> Self {
        Self::new(false).expect("a client needs nothing that can be missing")
    }
}

impl Messenger {
    /// A messenger; whether it goes into private networks too.
    ///
    /// # Errors
    /// Where no client can be made.
    pub fn new(private_too: bool) -> Result<Self, String> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("maepyo/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(Outside { private_too }))
            .connect_timeout(CONNECT)
            .timeout(ALL);
        let client = client.build().map_err(|error| error.without_url().to_string())?;
        Ok(Self { client, private_too, under_way: Arc::new(Shares::new(MOST_OF_ONE)) })
    }

    /// Whether it goes into private networks too.
    #[must_use]
    pub fn private_too(&self) -> bool {
        self.private_too
    }

    async fn send(&self, webhook: &Webhook, delivery: &Delivery, signature: String) -> Tried {
        let url = match check(&webhook.url, self.private_too) {
            Ok(url) => url,
            Err(bad) => return Tried::Failed(bad.to_string()),
        };
        let request = self
            .client
            .post(url)
            .header("content-type", "application/json")
            .header("maepyo-event", format!("booking.{}", delivery.kind.word()))
            .header("maepyo-delivery", ids::delivery(delivery.id))
            .header("maepyo-signature", signature)
            .body(delivery.body.clone());
        match request.send().await {
            Ok(response) => Tried::Answered(response.status().as_u16()),
            Err(error) => Tried::Failed(reason(&error).to_owned()),
        }
    }
}

/// Why there was no answer, in words that give nothing away of the network.
fn reason(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "no answer"
    }
}

/// Tells a webhook what it was queued for, unless it has it.
///
/// # Errors
/// Where it is to be tried again.
pub async fn deliver(state: &AppState, id: DeliveryId) -> Result<(), ErrandFailed> {
    let Some(delivery) = state.desk.delivery(id).await? else { return Ok(()) };
    if !matches!(delivery.state, DeliveryState::Waiting { .. }) {
        return Ok(());
    }
    let tried = match state.desk.webhook(delivery.webhook).await? {
        Some(webhook) => {
            let messenger = &state.settings.messenger;
            let _place = messenger.under_way.take(webhook.owner).ok_or(ErrandFailed::Crowded)?;
            let signature = WebhookSecret::new(&webhook.secret).sign(delivery.body.as_bytes(), state.desk.now())?;
            messenger.send(&webhook, &delivery, signature).await
        }
        None => Tried::Gone,
    };
    let why = match &tried {
        Tried::Answered(status) => status.to_string(),
        Tried::Failed(why) => why.clone(),
        Tried::Gone => String::new(),
    };
    match state.desk.run(SettleDelivery { delivery: id, tried }).await? {
        true => Ok(()),
        false => Err(ErrandFailed::NotDelivered(why)),
    }
}
