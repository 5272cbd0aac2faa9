//! What every handler has at hand.

use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use desk::Desk;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::dialects::Dialect;
use crate::gateway::Gateways;
use crate::limits::Limits;
use crate::observe::Meters;
use crate::passwords::Passwords;
use crate::ticketing_pro::SeatPages;
use crate::tickets::TicketKey;
use crate::tokens::Tokens;

/// How the HTTP edge is set up. Holds secrets: it is not printable.
#[derive(Clone)]
pub struct ApiSettings {
    /// Which dialects are spoken.
    pub dialects: Vec<Dialect>,
    /// Where clients reach this server, without a slash at the end: `http://127.0.0.1:8000`.
    pub base_url: String,
    /// The secret under which tokens are signed.
    pub jwt_secret: Vec<u8>,
    /// How long an access token lasts, in seconds.
    pub access_seconds: i64,
    /// How long a refresh token lasts, in seconds.
    pub refresh_seconds: i64,
    /// How long a hold of `ticketing_pro` lasts, in seconds.
    pub ticketing_pro_hold_seconds: i64,
    /// Whether rate limits are enforced.
    pub rate_limits: bool,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// The secret of the sandbox gateway's webhook; `None` refuses all of them.
    pub sandbox_webhook_secret: Option<String>,
    /// The secret of Stripe's webhook; `None` refuses all of them.
    pub stripe_webhook_secret: Option<String>,
    /// On how many threads passwords are hashed at once.
    pub password_threads: usize,
    /// How many bytes of rendered seat maps are kept.
    pub seat_page_bytes: usize,
}

impl ApiSettings {
    /// The defaults of a server at an address, with this secret.
    #[must_use]
    pub fn new(base_url: String, jwt_secret: Vec<u8>) -> Self {
        Self {
            dialects: Dialect::ALL.to_vec(),
            base_url,
            jwt_secret,
            access_seconds: 3600,
            refresh_seconds: 7 * 24 * 3600,
            ticketing_pro_hold_seconds: 600,
            rate_limits: true,
            trusted_proxies: Vec::new(),
            sandbox_webhook_secret: None,
            stripe_webhook_secret: None,
            password_threads: 2,
            seat_page_bytes: 96 * 1024 * 1024,
        }
    }
}

/// What every handler has at hand. Cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

/// The parts of an [`AppState`].
pub struct Shared {
    /// The store's one door.
    pub desk: Desk,
    /// How the edge is set up.
    pub settings: ApiSettings,
    /// Signs and reads tokens.
    pub tokens: Tokens,
    /// Hashes and checks passwords.
    pub passwords: Passwords,
    /// Those who take money.
    pub gateway: Gateways,
    /// Signs and checks admission codes.
    pub tickets: TicketKey,
    /// How often what may be asked.
    pub limits: Limits,
    /// What was counted and measured.
    pub metrics: PrometheusHandle,
    /// The meters of requests.
    pub meters: Meters,
    /// Rendered seat maps.
    pub seat_pages: SeatPages,
}

impl AppState {
    /// Puts the parts together.
    #[must_use]
    pub fn new(desk: Desk, gateway: Gateways, metrics: PrometheusHandle, settings: ApiSettings) -> Self {
        Self(Arc::new(Shared {
            tokens: Tokens::new(&settings.jwt_secret, settings.access_seconds, settings.refresh_seconds),
            passwords: Passwords::new(settings.password_threads),
            tickets: TicketKey::derive(&settings.jwt_secret),
            limits: Limits::new(settings.dialects.iter().flat_map(|dialect| dialect.limits())),
            meters: Meters::default(),
            seat_pages: SeatPages::new(settings.seat_page_bytes),
            desk,
            settings,
            gateway,
            metrics,
        }))
    }
}

impl Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
