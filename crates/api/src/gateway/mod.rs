//! Payment gateways: who takes the money of a card payment, and how word of it comes back.

mod errands;
mod receive;
mod signature;
mod stripe;
mod webhook;

pub use errands::{ErrandFailed, perform};
pub use receive::{NotReceived, deliver, find, poll, shown};
pub use signature::{BadSignature, TOLERANCE_SECONDS, WebhookSecret};
pub use stripe::{GatewayError, Intent, STRIPE_API_BASE, STRIPE_VERSION, Stripe};
pub use webhook::{NoEvent, Notice, Subject};

use engine::payments::Gateway;

/// Which gateway to use, and the secret its webhooks are signed with.
#[derive(Clone)]
pub enum GatewayConfig {
    /// The built-in one.
    Sandbox {
        /// An empty one refuses every webhook.
        webhook_secret: String,
    },
    /// Stripe.
    Stripe {
        /// The account's secret key.
        secret_key: String,
        /// The API's address; [`STRIPE_API_BASE`] but for tests.
        api_base: String,
        /// The endpoint's signing secret, `whsec_…`.
        webhook_secret: String,
    },
}

/// The gateway at which new payments are opened.
#[derive(Clone)]
pub enum Gateways {
    /// The built-in one: the engine itself plays the bank.
    Sandbox(WebhookSecret),
    /// Stripe.
    Stripe(Stripe, WebhookSecret),
}

impl Gateways {
    /// The gateway that is configured.
    ///
    /// # Errors
    /// [`GatewayError`] when the configuration cannot be used.
    pub fn new(config: GatewayConfig) -> Result<Self, GatewayError> {
        Ok(match config {
            GatewayConfig::Sandbox { webhook_secret } => Self::Sandbox(WebhookSecret::new(&webhook_secret)),
            GatewayConfig::Stripe { secret_key, api_base, webhook_secret } => {
                Self::Stripe(Stripe::new(&secret_key, &api_base)?, WebhookSecret::new(&webhook_secret))
            }
        })
    }

    /// Which it is.
    #[must_use]
    pub fn kind(&self) -> Gateway {
        match self {
            Self::Sandbox(_) => Gateway::Sandbox,
            Self::Stripe(..) => Gateway::Stripe,
        }
    }

    /// The secret of its webhooks.
    #[must_use]
    pub fn webhook_secret(&self) -> &WebhookSecret {
        match self {
            Self::Sandbox(secret) | Self::Stripe(_, secret) => secret,
        }
    }

    /// The client of Stripe, where that is the gateway.
    ///
    /// # Errors
    /// [`GatewayError::Unavailable`]: a payment of Stripe's can only be worked on with Stripe's key.
    pub fn stripe(&self) -> Result<&Stripe, GatewayError> {
        match self {
            Self::Stripe(stripe, _) => Ok(stripe),
            Self::Sandbox(_) => Err(GatewayError::Unavailable("no Stripe key is configured".to_owned())),
        }
    }
}
