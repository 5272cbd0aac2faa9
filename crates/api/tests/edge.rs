//! The edge on a real store: what a client of the house dialect sees.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use api::gateway::{GatewayConfig, Gateways};
use api::{ApiSettings, AppState};
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use desk::{Desk, DeskConfig, StoreConfig};
use engine::people::{RegisterUser, Role};
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

const SECRET: &[u8] = b"a secret of the tests";

/// A server without a socket, on a store of its own.
struct Edge {
    router: Router,
    state: AppState,
    folder: PathBuf,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {:?}", self.body))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    #[track_caller]
    fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{:?}", self.body);
        self.json()
    }

    /// Checks that it is an error in the envelope, and gives its code and field.
    #[track_caller]
    fn error(&self, status: u16) -> (String, Option<String>) {
        assert_eq!(self.status, status, "{:?}", self.body);
        let body = self.json();
        for there in [&body["error"]["message"], &body["timestamp"], &body["path"]] {
            assert!(there.is_string(), "{body}");
        }
        let text = |value: &Value| value.as_str().map(str::to_owned);
        (text(&body["error"]["code"]).expect("a code"), text(&body["error"]["details"]["field"]))
    }
}

impl Edge {
    async fn open(change: impl FnOnce(&mut ApiSettings)) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("maepyo-edge-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let store = StoreConfig::Sqlite(folder.clone());
        let config = DeskConfig { store, queue: 1024, batch: 64, gatherers: 1, readers: 2 };
        let desk = Desk::open(config).await.expect("a desk");
        let gateway = Gateways::new(GatewayConfig::Sandbox).expect("a gateway");
        let metrics = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder().handle();
        let mut settings = ApiSettings::new("http://127.0.0.1:8000".to_owned(), SECRET.to_vec());
        settings.rate_limits = false;
        change(&mut settings);
        let search = search::Search::in_memory().expect("an index");
        let state = AppState::new(desk, gateway, metrics, search, settings);
        Self { router: api::router(state.clone()), state, folder }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("a body");
        Answer { status: parts.status, headers: parts.headers, body }
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        token: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_owned()));
        self.send(request.body(body).expect("a request")).await
    }

    async fn get(&self, path: &str, token: &str) -> Answer {
        self.ask(Method::GET, path, token, &[], None).await
    }

    async fn post(&self, path: &str, token: &str, body: &Value) -> Answer {
        self.ask(Method::POST, path, token, &[], Some(&body.to_string())).await
    }

    /// An access token of a new person with a role.
    async fn person(&self, email: &str, role: Role) -> String {
        let command =
            RegisterUser {
                email: email.to_owned(), password_hash: None, name: "누군가".to_owned(), phone: None, role
            };
        let user = self.state.desk.run(command).await.expect("a person");
        self.state.tokens.access(&user, self.state.desk.now())
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn event() -> Value {
    json!({
        "title": "Coldplay Live in Seoul", "description": "Music of the Spheres", "category": "concert",
        "venue": "고척 스카이돔", "location": "서울특별시 구로구",
        "start_date": "2030-08-20T19:00:00Z", "end_date": "2030-08-20T22:00:00Z",
        "min_price": 120_000.0, "max_price": 350_000.0, "total_seats": 100,
        "image_url": "https://cdn.example.com/coldplay.jpg",
    })
}

#[tokio::test]
async fn an_account_is_made_signed_in_renewed_and_signed_out() {
    let edge = Edge::open(|_| ()).await;
    let account = json!({"email": "user@example.com", "password": "securePassword123!", "name": "홍길동", "phone_number": "010-1234-5678"});
    let made = edge.post("/api/auth/register", "", &account).await.ok();
    assert!(made["user_id"].as_str().is_some_and(|id| id.starts_with("usr_")));
    assert_eq!(edge.post("/api/auth/register", "", &account).await.error(400).0, "ALREADY_EXISTS");

    let credentials = json!({"email": "User@Example.com", "password": "securePassword123!"});
    let session = edge.post("/api/auth/login", "", &credentials).await.ok();
    let token = |name: &str| session[name].as_str().expect("a token").to_owned();
    assert_eq!((&session["token_type"], &session["expires_in"]), (&json!("bearer"), &json!(3600)));
    assert_eq!(edge.get("/api/auth/me", &token("access_token")).await.ok(), made);
    assert_eq!(edge.get("/api/auth/me", &token("refresh_token")).await.error(401).0, "UNAUTHORIZED");
    assert_eq!(edge.get("/api/auth/me", "").await.error(401).0, "UNAUTHORIZED");

    let wrong = json!({"email": "user@example.com", "password": "wrong"});
    let unknown = json!({"email": "nobody@example.com", "password": "wrong"});
    let text = async |body| edge.post("/api/auth/login", "", body).await.json()["error"].clone();
    assert_eq!(text(&wrong).await, text(&unknown).await);

    let refresh = json!({"refresh_token": token("refresh_token")});
    let renewed = edge.post("/api/auth/refresh", "", &refresh).await.ok();
    edge.get("/api/auth/me", renewed["access_token"].as_str().expect("a token")).await.ok();
    edge.post("/api/auth/logout", "", &refresh).await.ok();
    edge.post("/api/auth/logout", "", &refresh).await.ok();
    edge.post("/api/auth/refresh", "", &refresh).await.error(401);
    edge.post("/api/auth/refresh", "", &json!({"refresh_token": token("access_token")})).await.error(401);
}

#[tokio::test]
async fn bad_input_is_answered_in_the_envelope_and_changes_nothing() {
    let edge = Edge::open(|_| ()).await;
    let register = async |body: &str| edge.ask(Method::POST, "/api/auth/register", "", &[], Some(body)).await;
    for malformed in ["{", "[]", "1", r#"{"a":1,"a":2}"#] {
        assert_eq!(register(malformed).await.error(400).0, "INVALID_REQUEST", "{malformed}");
    }
    for (field, body) in [
        ("email", json!({"email": 1, "password": "12345678", "name": "a"})),
        ("email", json!({"email": "nobody", "password": "12345678", "name": "a"})),
        ("password", json!({"email": "a@example.com", "password": "1234567", "name": "a"})),
        ("name", json!({"email": "a@example.com", "password": "12345678", "name": ""})),
        ("phone_number", json!({"email": "a@example.com", "password": "12345678", "name": "a", "phone_number": "x"})),
        ("email", json!({"password": "12345678", "name": "a"})),
    ] {
        assert_eq!(register(&body.to_string()).await.error(422).1.as_deref(), Some(field), "{body}");
    }
    let long = format!("{{\"email\":\"{}\"}}", "a".repeat(1024 * 1024));
    register(&long).await.error(413);
    let plain = edge.ask(Method::POST, "/api/auth/login", "", &[("content-type", "text/plain")], None).await;
    plain.error(422);
    for (method, path, status) in [
        (Method::GET, "/api/nothing", 404),
        (Method::GET, "/nothing", 404),
        (Method::DELETE, "/api/auth/login", 405),
        (Method::GET, "/api/events/%ff", 400),
        (Method::GET, "/api/events/evt_123", 404),
        (Method::GET, "/api/events?page=0", 422),
        (Method::GET, "/api/events?page=x", 422),
        (Method::GET, "/api/events?page_size=101", 422),
        (Method::GET, "/api/events?status=sold", 422),
        (Method::GET, "/api/events?min_price=cheap", 422),
        (Method::GET, "/api/events?category=%00", 422),
    ] {
        let answer = edge.ask(method, path, "", &[], None).await;
        answer.error(status);
        assert_eq!(answer.json()["path"], path.split('?').next().expect("a path"), "{path}");
    }
    let wrong_method = edge.ask(Method::DELETE, "/api/auth/login", "", &[], None).await;
    assert_eq!(wrong_method.header("allow"), Some("POST"));
}

#[tokio::test]
async fn an_event_goes_from_draft_to_published_to_cancelled() {
    let edge = Edge::open(|_| ()).await;
    let user = edge.person("u@example.com", Role::User).await;
    let organizer = edge.person("o@example.com", Role::Organizer).await;
    let other = edge.person("p@example.com", Role::Organizer).await;
    edge.post("/api/events", "", &event()).await.error(401);
    edge.post("/api/events", &user, &event()).await.error(403);
    let made = edge.post("/api/events", &organizer, &event()).await.ok();
    assert_eq!((&made["status"], &made["available_seats"]), (&json!("draft"), &json!(100)));
    let path = format!("/api/events/{}", made["event_id"].as_str().expect("an id"));
    for hidden in [path.clone(), format!("{path}/seats")] {
        edge.get(&hidden, "").await.error(404);
        edge.get(&hidden, &user).await.error(404);
        edge.get(&hidden, &organizer).await.ok();
    }
    let listed =
        async |query: &str, token: &str| edge.get(&format!("/api/events{query}"), token).await.ok()["total"].clone();
    assert_eq!(listed("", "").await, 0);
    assert_eq!(listed("?status=draft", "").await, 0);
    assert_eq!(listed("?status=draft", &organizer).await, 1);

    let change = json!({"title": "Coldplay", "tags": ["Rock"], "organizer": {"name": "LN"}}).to_string();
    let patch = async |token: &str| edge.ask(Method::PATCH, &path, token, &[], Some(&change)).await;
    patch(&other).await.error(403);
    let changed = patch(&organizer).await.ok();
    assert_eq!((&changed["title"], &changed["tags"]), (&json!("Coldplay"), &json!(["Rock"])));
    assert_eq!(changed["organizer"]["name"], "LN");

    edge.ask(Method::POST, &format!("{path}/publish"), &organizer, &[], None).await.ok();
    assert_eq!(edge.get(&path, "").await.ok()["status"], "published");
    assert_eq!(listed("?category=concert&min_price=100000&sort_by=price&order=desc", "").await, 1);
    assert_eq!(listed("?min_price=120001", "").await, 0);
    edge.ask(Method::DELETE, &path, &organizer, &[], None).await.error(409);
    edge.ask(Method::POST, &format!("{path}/cancel"), &organizer, &[], None).await.ok();
    edge.get(&path, "").await.error(404);
    edge.ask(Method::POST, &format!("{path}/cancel"), &organizer, &[], None).await.error(409);

    let draft = edge.post("/api/events", &organizer, &event()).await.ok();
    let draft = format!("/api/events/{}", draft["event_id"].as_str().expect("an id"));
    assert_eq!(edge.ask(Method::DELETE, &draft, &organizer, &[], None).await.ok()["deleted"], true);
    edge.ask(Method::DELETE, &draft, &organizer, &[], None).await.error(404);
}

#[tokio::test]
async fn an_event_that_breaks_a_rule_names_the_field() {
    let edge = Edge::open(|_| ()).await;
    let admin = edge.person("a@example.com", Role::Admin).await;
    for (field, value) in [
        ("end_date", json!("2030-08-20T18:00:00Z")),
        ("max_price", json!(1000)),
        ("title", json!("")),
        ("total_seats", json!(200_001)),
        ("total_seats", json!(-1)),
        ("start_date", json!("soon")),
        ("status", json!("cancelled")),
    ] {
        let mut wrong = event();
        wrong[field] = value;
        assert_eq!(edge.post("/api/events", &admin, &wrong).await.error(422).1.as_deref(), Some(field));
    }
}

#[tokio::test]
async fn an_unchanged_seat_map_costs_a_tag_and_a_changed_one_shows_at_once() {
    let edge = Edge::open(|_| ()).await;
    let admin = edge.person("a@example.com", Role::Admin).await;
    let mut published = event();
    published["status"] = json!("published");
    let made = edge.post("/api/events", &admin, &published).await.ok();
    let event_id = made["event_id"].as_str().expect("an id");
    let path = format!("/api/events/{event_id}/seats");
    let first = edge.get(&path, "").await;
    assert_eq!(first.header("cache-control"), Some("no-cache"));
    assert_eq!(
        first.json()["sections"][0]["rows"][0]["seats"][0],
        json!({"seat_id": "VIP-1-1", "seat_number": "1", "price": 350_000.0, "status": "available"})
    );
    let tag = first.header("etag").expect("a tag").to_owned();
    let again = async |tag: &str| edge.ask(Method::GET, &path, "", &[("if-none-match", tag)], None).await;
    let unchanged = again(&tag).await;
    assert_eq!((unchanged.status, unchanged.body.len()), (StatusCode::NOT_MODIFIED, 0));
    assert_eq!(edge.get(&path, "").await.body, first.body);

    edge.post("/api/bookings", &admin, &json!({"event_id": event_id, "seat_ids": ["VIP-1-1"]})).await.ok();
    let changed = again(&tag).await;
    assert_eq!(changed.ok()["sections"][0]["rows"][0]["seats"][0]["status"], "reserved");
    assert_ne!(changed.header("etag"), Some(&*tag));
    let detail = edge.get(&format!("/api/events/{event_id}"), "").await.ok();
    assert_eq!(detail["available_seats"], 99);
    assert_eq!(edge.get(&format!("{path}?section=A"), "").await.ok()["sections"].as_array().map(Vec::len), Some(1));
    assert_eq!(edge.get(&format!("{path}?section=없음"), "").await.ok()["sections"], json!([]));
}

#[tokio::test]
async fn a_key_makes_a_request_happen_once() {
    let edge = Edge::open(|_| ()).await;
    let admin = edge.person("a@example.com", Role::Admin).await;
    let create = async |key: &str, body: &Value| {
        edge.ask(Method::POST, "/api/events", &admin, &[("idempotency-key", key)], Some(&body.to_string())).await
    };
    let (first, second) = (create("k1", &event()).await, create("k1", &event()).await);
    assert_eq!((first.header("idempotent-replayed"), second.header("idempotent-replayed")), (None, Some("true")));
    assert_eq!((first.ok(), first.body), (second.ok(), second.body));
    let mut other = event();
    other["title"] = json!("Another");
    assert_eq!(create("k1", &other).await.error(409).0, "CONFLICT");
    create(&"k".repeat(256), &event()).await.error(400);
    assert_ne!(create("", &event()).await.ok()["event_id"], create("", &event()).await.ok()["event_id"]);

    let bare = json!({"email": "x@example.com", "password": "12345678", "name": "x"}).to_string();
    let register =
        async || edge.ask(Method::POST, "/api/auth/register", "", &[("idempotency-key", "r")], Some(&bare)).await;
    assert_eq!(register().await.ok(), register().await.ok());
}

#[tokio::test]
async fn kept_tokens_cannot_be_read_from_the_store() {
    let edge = Edge::open(|_| ()).await;
    let ask = async |path: &str, body: &Value| {
        edge.ask(Method::POST, path, "", &[("idempotency-key", "k")], Some(&body.to_string())).await.json()
    };
    let known = json!({"email": "x@example.com", "password": "a long password", "name": "x"});
    ask("/api/auth/register", &known).await;
    let session = ask("/api/auth/login", &known).await;
    assert_eq!(session, ask("/api/auth/login", &known).await, "it is kept");
    let renewed = ask("/api/auth/refresh", &json!({"refresh_token": session["refresh_token"]})).await;
    let sail = ask("/auth/login", &known).await;
    let tokens = [
        &session["access_token"],
        &session["refresh_token"],
        &renewed["access_token"],
        &sail["accessToken"],
        &sail["refreshToken"],
    ];
    let files = std::fs::read_dir(&edge.folder).expect("the folder of the store");
    let stored: Vec<u8> =
        files.flat_map(|file| std::fs::read(file.expect("a file").path()).expect("its bytes")).collect();
    assert!(stored.windows(13).any(|bytes| bytes == b"x@example.com"), "this is the store");
    for token in tokens.map(|token| token.as_str().expect("a token").as_bytes()) {
        assert!(!stored.windows(token.len()).any(|bytes| bytes == token), "a token is stored in clear");
    }
}

#[tokio::test]
async fn editors_at_once_all_have_their_say() {
    let edge = Edge::open(|_| ()).await;
    let admin = edge.person("a@example.com", Role::Admin).await;
    let made = edge.post("/api/events", &admin, &event()).await.ok();
    let path = format!("/api/events/{}", made["event_id"].as_str().expect("an id"));
    let fields = ["title", "description", "category", "venue", "location", "address", "artist_name", "image_url"];
    let change = async |field: &str| {
        edge.ask(Method::PATCH, &path, &admin, &[], Some(&json!({field: "changed"}).to_string())).await.ok()
    };
    futures_util::future::join_all(fields.map(change)).await;
    let changed = edge.get(&path, &admin).await.ok();
    for field in fields {
        assert_eq!(changed[field], "changed", "{field}");
    }
}

#[tokio::test]
async fn limits_count_down_and_refuse_with_the_time_to_wait() {
    let edge = Edge::open(|settings| settings.rate_limits = true).await;
    let login = async || edge.post("/api/auth/login", "", &json!({"email": "", "password": ""})).await;
    for remaining in (0..10).rev() {
        let answer = login().await;
        answer.error(401);
        assert_eq!(answer.header("x-ratelimit-limit"), Some("10"));
        assert_eq!(answer.header("x-ratelimit-remaining"), Some(&*remaining.to_string()));
    }
    let refused = login().await;
    assert_eq!(refused.error(429).0, "RATE_LIMIT_EXCEEDED");
    let wait = refused.json()["error"]["retry_after"].as_u64().expect("seconds");
    assert_eq!(refused.header("retry-after"), Some(&*wait.to_string()));
    let reset: i64 = refused.header("x-ratelimit-reset").expect("a time").parse().expect("a number");
    // A minute from some moment of a second on is over within the sixty-first.
    assert!((0..=61).contains(&(reset - edge.state.desk.now().seconds())));
    assert_eq!(edge.get("/api/events", "").await.header("x-ratelimit-limit"), Some("100"));
    assert_eq!(edge.get("/health", "").await.header("x-ratelimit-limit"), None);
}

#[tokio::test]
async fn neither_tokens_nor_another_door_give_more_tries_at_a_password() {
    let edge = Edge::open(|settings| {
        settings.rate_limits = true;
        settings.sail_passwordless = false;
    })
    .await;
    let account = json!({"email": "nobody", "password": "a wrong password", "name": "x"});
    for (paths, tries) in [(["/api/auth/login", "/auth/login"], 10), (["/api/auth/register", "/auth/register"], 5)] {
        for number in 0..tries {
            let token = edge.person(&format!("{tries}-{number}@example.com"), Role::User).await;
            let answer = edge.post(paths[number % 2], &token, &account).await;
            assert!(answer.status.is_client_error() && answer.status != 429, "{}", answer.status);
            assert_eq!(answer.header("x-ratelimit-remaining"), Some(&*(tries - number - 1).to_string()));
        }
        let token = edge.person(&format!("{tries}@example.com"), Role::User).await;
        assert_eq!(edge.post(paths[0], &token, &account).await.error(429).0, "RATE_LIMIT_EXCEEDED");
        let refused = edge.post(paths[1], &token, &account).await;
        assert_eq!(refused.json()["statusCode"], 429);
        assert!(refused.header("retry-after").is_some());
    }
}

#[tokio::test]
async fn a_person_of_a_foreign_token_is_made_on_first_sight() {
    let edge = Edge::open(|_| ()).await;
    let id = api::ids::uuid(0x0189_0a5d_ac96_774b_bcce_b302_099a_8057);
    let claims = json!({"userId": id, "email": "guest@example.com", "role": "user", "exp": 4_000_000_000_u64});
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET);
    let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).expect("signs");
    for _ in 0..2 {
        let me = edge.get("/api/auth/me", &token).await.ok();
        assert_eq!(
            (&me["user_id"], &me["email"]),
            (&json!("usr_01h455vb4pex5vsknk084sn02q"), &json!("guest@example.com"))
        );
    }
}

#[tokio::test]
async fn operators_and_readers_find_what_they_need() {
    let edge = Edge::open(|_| ()).await;
    assert_eq!(edge.get("/health", "").await.ok(), json!({"status": "ok", "service": "ticket-service"}));
    edge.get("/ready", "").await.ok();
    assert_eq!(edge.get("/metrics", "").await.status, 200);
    let document = edge.get("/openapi.json", "").await.ok();
    assert_eq!(document["info"]["license"]["identifier"], "Apache-2.0");
    let paths = document["paths"].as_object().expect("paths");
    for path in ["/api/auth/login", "/api/events/{event_id}/seats", "/api/bookings", "/api/payment/create-intent"] {
        assert!(paths.contains_key(path), "{path}");
    }
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().expect("operations") {
            let tag = operation["tags"][0].as_str().and_then(api::Dialect::from_word);
            assert!(tag.is_some(), "{method} {path}");
            let responses = operation["responses"].as_object().expect("responses");
            assert!(responses.keys().any(|status| status.starts_with('4')), "{method} {path}");
        }
    }
    let page = edge.get("/docs/", "").await;
    assert!(page.status == 200 && !String::from_utf8_lossy(&page.body).contains("https://"));
}
