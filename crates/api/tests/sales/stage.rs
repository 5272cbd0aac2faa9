//! A server without a socket, an event on sale and people who buy.

use futures_util::future::join_all;
use std::sync::Arc;

use api::errands::perform;
use api::gateway::{GatewayConfig, Gateways, WebhookSecret};
use api::messages::{Carriers, Language, Mail, Texts};
use api::{ApiSettings, AppState};
use axum::Router;
use axum::body::{Body, to_bytes};
use desk::{Desk, DeskConfig, StoreConfig};
use engine::catalogue::{Billing, CreateEvent, Editor, Event, NewOffer, NewTicketType};
use engine::jobs::{Duty, FinishJobs, Job, TakeJobs};
use engine::money::Won;
use engine::people::{RegisterUser, Role, User};
use http::{HeaderMap, Request, StatusCode};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

const WEBHOOK_SECRET: &str = "whsec_stage";

/// The server and what is on sale.
pub struct Stage {
    /// What its handlers have at hand.
    pub state: AppState,
    /// 133 seats in three sections (VIP at 300,000 won) and 10 standing tickets.
    pub event: Arc<Event>,
    /// An admin's token.
    pub admin: String,
    app: Router,
    folder: TempDir,
}

/// An answer.
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body as it is.
    pub bytes: Vec<u8>,
}

impl Answer {
    /// The body of an answer that must have this status.
    pub fn expect(&self, status: u16) -> Value {
        let body = String::from_utf8_lossy(&self.bytes);
        assert_eq!(self.status.as_u16(), status, "{body}");
        serde_json::from_str(&body).unwrap_or_default()
    }

    /// Checks status and code of an error.
    pub fn refused(&self, status: u16, code: &str) {
        assert_eq!(self.expect(status)["error"]["code"], code);
    }
}

impl Stage {
    /// A stage whose payments go through the sandbox.
    pub async fn sandbox() -> Self {
        Self::new(GatewayConfig::Sandbox).await
    }

    /// A stage whose payments go through a gateway.
    pub async fn new(gateway: GatewayConfig) -> Self {
        Self::with_secret(gateway, Some(WEBHOOK_SECRET.to_owned())).await
    }

    /// As [`Stage::new`], with this secret of Stripe's webhooks, if any.
    pub async fn with_secret(gateway: GatewayConfig, stripe: Option<String>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = StoreConfig::Sqlite(folder.path().to_owned());
        let config = DeskConfig { store, queue: 4096, batch: 256, gatherers: 1, readers: 2 };
        let desk = Desk::open(config).await.expect("opens");
        let mut settings = ApiSettings::new("http://box.office".to_owned(), b"a secret of the stage".to_vec());
        settings.rate_limits = false;
        settings.sandbox_webhook_secret = Some(WEBHOOK_SECRET.to_owned());
        settings.stripe_webhook_secret = stripe;
        settings.carriers = into_files(&folder);
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        let gateway = Gateways::new(gateway).expect("a gateway");
        let search = search::Search::in_memory().expect("an index");
        let state = AppState::new(desk, gateway, metrics, search, settings);
        let admin = person(&state, "admin@box.office", Role::Admin).await;
        let event = on_sale(&state, &admin).await;
        let token = state.tokens.access(&admin, state.desk.now());
        Self { app: api::router(state.clone()), state, event, admin: token, folder }
    }

    /// The token of a new buyer.
    pub async fn buyer(&self, name: &str) -> String {
        let user = person(&self.state, &format!("{name}@buyers"), Role::User).await;
        self.state.tokens.access(&user, self.state.desk.now())
    }

    /// The event's id as clients have it.
    pub fn event_id(&self) -> String {
        api::ids::event(self.event.id)
    }

    /// Sends a request.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.app.clone().oneshot(request).await.expect("answers");
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.expect("a body").to_vec();
        Answer { status: parts.status, headers: parts.headers, bytes }
    }

    /// Reads something.
    pub async fn get(&self, path: &str, token: &str) -> Answer {
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        self.send(request.body(Body::empty()).expect("a request")).await
    }

    /// Asks for something.
    pub async fn post(&self, path: &str, token: &str, body: Value) -> Answer {
        self.post_once(path, token, body, "").await
    }

    /// Asks for something that must happen once.
    pub async fn post_once(&self, path: &str, token: &str, body: Value, key: &str) -> Answer {
        let request = Request::post(path)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .header("idempotency-key", key);
        self.send(request.body(Body::from(body.to_string())).expect("a request")).await
    }

    /// Changes something.
    pub async fn patch(&self, path: &str, token: &str, body: Value) -> Answer {
        let request = Request::patch(path)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).expect("a request")).await
    }

    /// How many letters were written.
    pub fn letters(&self) -> usize {
        let files = std::fs::read_dir(self.folder.path().join("outbox")).expect("a folder");
        let texts = files.map(|file| std::fs::read_to_string(file.expect("a file").path()).expect("a text"));
        texts.map(|text| text.lines().filter(|line| line.starts_with("From ")).count()).sum()
    }

    /// Holds seats and gives the booking.
    pub async fn hold(&self, token: &str, seats: &[&str]) -> Value {
        let body = serde_json::json!({"event_id": self.event_id(), "seat_ids": seats});
        self.post("/api/bookings", token, body).await.expect(200)
    }

    /// Opens the payment of a booking.
    pub async fn open(&self, token: &str, booking: &Value) -> Answer {
        let body = serde_json::json!({
            "booking_id": booking["booking_id"], "amount": booking["total_amount"], "currency": "krw",
        });
        self.post("/api/payment/create-intent", token, body).await
    }

    /// Delivers a webhook, signed.
    pub async fn deliver(&self, event: &Value) -> Answer {
        let body = event.to_string();
        let signature = WebhookSecret::new(WEBHOOK_SECRET).sign(body.as_bytes(), self.state.desk.now());
        self.deliver_as(&signature.expect("has a secret"), body).await
    }

    /// Delivers a webhook with any signature.
    pub async fn deliver_as(&self, signature: &str, body: String) -> Answer {
        let request = Request::post("/api/payment/webhook").header("stripe-signature", signature);
        self.send(request.body(Body::from(body)).expect("a request")).await
    }

    /// Whether the audit finds nothing.
    pub async fn in_order(&self) -> bool {
        let report = self.state.desk.check(5).await.expect("reads");
        report.checks.iter().all(|(name, _, broken)| {
            if !broken.is_empty() {
                eprintln!("{name}: {broken:?}");
            }
            broken.is_empty()
        })
    }

    /// Performs every job that is due, each twice, as after a crash; gives what failed.
    pub async fn run_jobs(&self) -> Vec<String> {
        let mut failures = Vec::new();
        loop {
            let desk = &self.state.desk;
            let due = join_all(Duty::ALL.map(|duty| desk.due_jobs(duty, 100))).await;
            let jobs = due.into_iter().flat_map(|due| due.expect("reads")).collect();
            let lease = engine::time::Span::seconds(3_600);
            let taken = desk.run(TakeJobs { jobs, lease }).await.expect("taken");
            if taken.is_empty() {
                return failures;
            }
            for job in taken {
                failures.extend(self.perform_twice(job).await);
            }
        }
    }

    async fn perform_twice(&self, job: Job) -> Option<String> {
        let jobs = vec![job.id];
        for _ in 0..2 {
            if let Err(error) = perform(&self.state, job.clone()).await {
                return Some(error.to_string());
            }
        }
        self.state.desk.run(FinishJobs { jobs }).await.expect("finished");
        None
    }
}

/// Letters and texts go into files of a folder.
fn into_files(folder: &TempDir) -> Carriers {
    let outbox = folder.path().join("outbox");
    let mail = Mail::folder(outbox.clone(), "no-reply@box.office").expect("an address");
    Carriers::new(mail, Texts::folder(outbox), Language::Both, 0)
}

async fn person(state: &AppState, email: &str, role: Role) -> User {
    let command =
        RegisterUser { email: email.to_owned(), password_hash: None, name: "Somebody".to_owned(), phone: None, role };
    state.desk.run(command).await.expect("registered")
}

async fn on_sale(state: &AppState, admin: &User) -> Arc<Event> {
    let text = str::to_owned;
    let start = state.desk.now() + engine::time::Span::seconds(86_400);
    let billing = Billing {
        title: text("A concert"),
        category: text("concert"),
        venue: text("Hall"),
        location: text("Seoul"),
        starts_at: start,
        ends_at: start + engine::time::Span::seconds(7_200),
        ..Billing::default()
    };
    let seats = engine::catalogue::Layout::standard(133, Won(100_000), Won(300_000)).expect("a layout");
    let standing = NewTicketType { name: text("Standing"), price: Won(50_000), quantity: 10, description: None };
    let offer = NewOffer { rows: seats.rows().to_vec(), types: vec![standing], total: None, prices: None };
    let editor = Editor { user: admin.id, role: admin.role };
    state.desk.run(CreateEvent { editor, billing, offer, publish: true }).await.expect("created")
}
