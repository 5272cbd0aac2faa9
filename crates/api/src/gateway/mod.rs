//! Payment gateways: who takes the money of a card payment, and how word of it comes back.

mod charge;
mod errands;
mod receive;
mod signature;
mod stripe;
mod webhook;

pub use charge::{NotCharged, charge_at_stripe, open, sandbox_outcome};
pub use errands::{cancel_intent, refund, tell};
pub use receive::{NotReceived, deliver, find, id_of, poll, shown};
pub use signature::{BadSignature, TOLERANCE_SECONDS, WebhookSecret};
pub use stripe::{GatewayError, GivenBack, Intent, STRIPE_API_BASE, STRIPE_VERSION, Stripe};
pub use webhook::{Kind, NoEvent, Notice, Subject};

pub(crate) use charge::announce;

use engine::payments::Gateway;

/// Which gateway to use.
#[derive(Clone)]
pub enum GatewayConfig {
    /// The built-in one.
    Sandbox,
    /// Stripe.
    Stripe {
        /// The account's secret key.
        secret_key: String,
        /// The API's address; [`STRIPE_API_BASE`] but for tests.
        api_base: String,
    },
}

/// The gateway at which new payments are opened.
#[derive(Clone)]
pub enum Gateways {
    /// The built-in one: the engine itself plays the bank.
    Sandbox,
    /// Stripe.
    Stripe(Stripe),
}

impl Gateways {
    /// The gateway that is configured.
    ///
    /// # Errors
    /// [`GatewayError`] when the configuration cannot be used.
    pub fn new(config: GatewayConfig) -> Result<Self, GatewayError> {
        Ok(match config {
            GatewayConfig::Sandbox => Self::Sandbox,
            GatewayConfig::Stripe { secret_key, api_base } => Self::Stripe(Stripe::new(&secret_key, &api_base)?),
        })
    }

    /// Which it is.
    #[must_use]
    pub fn kind(&self) -> Gateway {
        match self {
            Self::Sandbox => Gateway::Sandbox,
            Self::Stripe(_) => Gateway::Stripe,
        }
    }

    /// The client of Stripe, where that is the gateway.
    ///
    /// # Errors
    /// [`GatewayError::Unavailable`]: a payment of Stripe's can only be worked on with Stripe's key.
    pub fn stripe(&self) -> Result<&Stripe, GatewayError> {
        match self {
            Self::Stripe(stripe) => Ok(stripe),
            Self::Sandbox => Err(GatewayError::Unavailable("no Stripe key is configured".to_owned())),
        }
    }
}
