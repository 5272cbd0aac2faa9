//! What every handler has at hand.

use std::net::IpAddr;
use std::ops::Deref;
use std::sync::{Arc, Weak};

use desk::Desk;
use metrics_exporter_prometheus::PrometheusHandle;
use search::Search;
use tokio::sync::watch;
use waiting_room::WaitingRoom;

use crate::dialects::Dialect;
use crate::gateway::Gateways;
use crate::limits::{Limits, PerMinute};
use crate::messages::Carriers;
use crate::observe::Meters;
use crate::passwords::Passwords;
use crate::seal::Seal;
use crate::seat_pages::SeatPages;
use crate::tickets::TicketKey;
use crate::tiketi::LayoutTexts;
use crate::tiketi::socket::Sockets;
use crate::tokens::Tokens;
use crate::webhooks::Messenger;

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
    /// How each dialect is set up, in the order of [`Dialect::ALL`].
    pub each: [DialectSettings; Dialect::ALL.len()],
    /// Whether people may add money to their wallets as they like.
    pub open_top_up: bool,
    /// Whether `concert` wants a token to recharge or to see a balance.
    pub concert_require_token: bool,
    /// How long a request of `concert` waits for its turn, in milliseconds.
    pub concert_turn_wait: u64,
    /// Whether `sail` lets people in by their e-mail address alone.
    pub sail_passwordless: bool,
    /// The front ends that browsers may call from (CORS, Socket.IO); empty allows none but our own.
    pub front_ends: Vec<String>,
    /// Whose calendar the dates of `concert` and `sail` are in.
    pub zone: jiff::tz::TimeZone,
    /// Whether rate limits are enforced.
    pub rate_limits: bool,
    /// The rate limits.
    pub per_minute: PerMinute,
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
    /// Who carries messages to people.
    pub carriers: Carriers,
    /// Who tells webhooks.
    pub messenger: Messenger,
    /// What other programs of the house show instead of an admin's token, to have messages sent; `None` for nobody.
    pub service_token: Option<String>,
}

/// How one dialect is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DialectSettings {
    /// How long a hold lasts, in seconds; 0 where the dialect holds nothing.
    pub hold_seconds: i64,
    /// How many of its lane may be inside at once.
    pub inside: u32,
    /// How long a pass lasts, in seconds.
    pub pass_seconds: i64,
    /// After how many seconds without a sign of life a waiter is dropped.
    pub absent_seconds: i64,
}

impl DialectSettings {
    /// What the dialect is known for.
    #[must_use]
    pub fn usual(dialect: Dialect) -> Self {
        let (hold_seconds, inside, pass_seconds, absent_seconds) = match dialect {
            Dialect::Movie => (0, 0, 0, 0),
            Dialect::Concert => (300, 1, 60, 1800),
            Dialect::Sail => (300, 5, 300, 1800),
            Dialect::Tiketi => (300, 1000, 300, 300),
            Dialect::TicketingPro => (600, 1000, 300, 300),
        };
        Self { hold_seconds, inside, pass_seconds, absent_seconds }
    }
}

impl ApiSettings {
    /// How a dialect is set up.
    #[must_use]
    pub fn of(&self, dialect: Dialect) -> &DialectSettings {
        &self.each[dialect as usize]
    }

    /// The defaults of a server at an address, with this secret.
    #[must_use]
    pub fn new(base_url: String, jwt_secret: Vec<u8>) -> Self {
        Self {
            dialects: Dialect::ALL.to_vec(),
            base_url,
            jwt_secret,
            access_seconds: 3600,
            refresh_seconds: 7 * 24 * 3600,
            each: Dialect::ALL.map(DialectSettings::usual),
            open_top_up: true,
            concert_require_token: false,
            concert_turn_wait: 500,
            sail_passwordless: true,
            front_ends: Vec::new(),
            zone: jiff::tz::TimeZone::fixed(jiff::tz::offset(9)),
            rate_limits: true,
            per_minute: PerMinute::USUAL,
            trusted_proxies: Vec::new(),
            sandbox_webhook_secret: None,
            stripe_webhook_secret: None,
            password_threads: 2,
            seat_page_bytes: 96 * 1024 * 1024,
            carriers: Carriers::default(),
            messenger: Messenger::default(),
            service_token: None,
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
    /// Seals the answers that are kept.
    pub seal: Seal,
    /// Who waits for what.
    pub rooms: WaitingRoom,
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
    /// The search index.
    pub search: Search,
    /// Rendered seat maps.
    pub seat_pages: SeatPages,
    /// What `tiketi` tells of layouts.
    pub layouts: LayoutTexts,
    /// Turns true when the server stops: what would go on for ever ends then.
    pub stopping: watch::Sender<bool>,
    /// The sockets of `tiketi`.
    pub sockets: Sockets,
}

impl AppState {
    /// Puts the parts together, and starts the waiting room: it needs a runtime to run in.
    #[must_use]
    pub fn new(
        desk: Desk,
        gateway: Gateways,
        metrics: PrometheusHandle,
        search: Search,
        settings: ApiSettings,
    ) -> Self {
        Self(Arc::new(Shared {
            tokens: Tokens::new(&settings.jwt_secret, settings.access_seconds, settings.refresh_seconds),
            passwords: Passwords::new(settings.password_threads),
            seal: Seal::derive(&settings.jwt_secret),
            tickets: TicketKey::derive(&settings.jwt_secret),
            limits: Limits::new(settings.dialects.iter().flat_map(|dialect| dialect.limits(&settings.per_minute))),
            meters: Meters::default(),
            seat_pages: SeatPages::new(settings.seat_page_bytes),
            layouts: LayoutTexts::default(),
            rooms: WaitingRoom::start(desk.clone(), crate::queues::policies(&settings)),
            search,
            stopping: watch::Sender::new(false),
            sockets: Sockets::default(),
            desk,
            settings,
            gateway,
            metrics,
        }))
    }
}

/// The same for what lives inside it, which must not keep it alive.
#[derive(Clone)]
pub struct WeakState(Weak<Shared>);

impl WeakState {
    /// The state, unless it is gone.
    #[must_use]
    pub fn upgrade(&self) -> Option<AppState> {
        self.0.upgrade().map(AppState)
    }
}

impl AppState {
    /// A handle that does not keep it alive.
    #[must_use]
    pub fn downgrade(&self) -> WeakState {
        WeakState(Arc::downgrade(&self.0))
    }
}

impl Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
