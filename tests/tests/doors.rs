//! The doors of a server: the common address, those that single dialects have for themselves, who may not come in, and
//! how one may speak there.

use std::net::TcpListener;
use std::time::Duration;

use futures_util::future::join_all;
use harness::client::{Answer, Client, read};
use harness::server::{ADMIN, Server, maepyo, said};
use harness::store::Store;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A port on loopback that nobody has.
fn free_port() -> u16 {
    let socket = TcpListener::bind(("127.0.0.1", 0)).and_then(|socket| socket.local_addr());
    socket.expect("loopback has a free port").port()
}

fn at(port: u16) -> Client {
    Client::new(&format!("http://127.0.0.1:{port}"))
}

async fn get(client: &Client, path: &str) -> Answer {
    client.attempt("GET", path, None, None).await.expect("the server answers")
}

/// The paths that a door describes.
async fn described(client: &Client) -> Vec<String> {
    let document = get(client, "/openapi.json").await.expect(200);
    document["paths"].as_object().expect("paths").keys().cloned().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dialect_has_a_door_of_its_own_and_nothing_else_is_behind_it() {
    let store = Store::fresh().await;
    let (movie, tiketi, house) = (free_port(), free_port(), free_port());
    let address = |port| format!("127.0.0.1:{port}");
    let settings = [
        ("MAEPYO_MOVIE_LISTEN", address(movie)),
        ("MAEPYO_TIKETI_LISTEN", address(tiketi)),
        ("MAEPYO_TICKETING_PRO_LISTEN", format!("localhost:{house}")),
    ];
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let server = Server::start_with(&store, &settings).await;
    let (common, movie, tiketi, house) = (server.client(), at(movie), at(tiketi), at(house));
    for door in [common, &movie, &tiketi, &house] {
        assert_eq!(get(door, "/health").await.expect(200)["status"], "ok");
        assert_eq!(get(door, "/ready").await.status, 200);
        assert_eq!(get(door, "/docs/").await.status, 200);
    }
    let (all, of_movie, of_house) = (described(common).await, described(&movie).await, described(&house).await);
    assert!(of_house.contains(&"/api/events".to_owned()) && of_house.iter().all(|path| all.contains(path)));
    assert!(of_movie.iter().all(|path| all.contains(path) && !of_house.contains(path)), "{of_movie:?}");
    assert_eq!(get(&house, "/api/events").await.status, 200);
    assert_eq!(get(&tiketi, "/api/v1/events").await.status, 200);
    for (door, path) in [
        (&movie, "/api/events"),
        (&house, "/tickets"),
        (&house, "/api/v1/events"),
        (&tiketi, "/api/events"),
        (&movie, "/metrics"),
        (&house, "/metrics"),
    ] {
        assert_eq!(get(door, path).await.status, 404, "{path}");
    }
    // Each in its own words.
    assert_eq!(get(&house, "/api/nowhere").await.code(), "NOT_FOUND");
    let nowhere = get(&tiketi, "/api/v1/nowhere").await.expect(404);
    assert!(nowhere["error"].is_string() && nowhere["timestamp"].is_null(), "{nowhere}");
    let nowhere = get(&movie, "/nowhere").await.expect(404);
    assert!(nowhere["detail"].is_string(), "{nowhere}");
    // One store behind all of them.
    let admin = house.login(ADMIN.0, ADMIN.1).await;
    assert_eq!(common.get("/api/auth/me", &admin).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_door_finishes_what_is_under_way() {
    let store = Store::fresh().await;
    let own = free_port();
    let server = Server::start_with(&store, &[("MAEPYO_TICKETING_PRO_LISTEN", &format!("127.0.0.1:{own}"))]).await;
    let mut under_way = Vec::new();
    for port in [server.port(), own] {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("somebody listens");
        let body = json!({"email": ADMIN.0, "password": ADMIN.1}).to_string();
        let head =
            "POST /api/auth/login HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n";
        let head = format!("{head}content-length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await.expect("sent");
        under_way.push((stream, body));
    }
    // The heads are read by the time that somebody else is answered there.
    assert_eq!(get(&at(own), "/health").await.status, 200);
    let stopping = server.stop();
    for (mut stream, body) in under_way {
        stream.write_all(body.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("answered");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    assert!(stopping.ended().await, "all was finished");
}

#[tokio::test]
async fn others_are_not_let_in_by_accident() {
    let store = Store::sqlite();
    let start = |settings: &[(&str, &str)]| {
        let mut program = maepyo(&store);
        program.args(["serve", "--no-demo"]).envs(settings.iter().copied());
        let output = program.output().expect("it can be run");
        (output.status.code(), said(&output))
    };
    let outside = ("MAEPYO_LISTEN", "0.0.0.0:0");
    let (status, text) = start(&[outside]);
    assert!(status == Some(2) && text.contains("\"movie\"") && text.contains("MAEPYO_DIALECTS"), "{text}");
    let (status, text) = start(&[outside, ("MAEPYO_DIALECTS", "sail"), ("MAEPYO_JWT_SECRET", "")]);
    assert!(status == Some(2) && text.contains("MAEPYO_JWT_SECRET"), "{text}");
    let inside = ("MAEPYO_LISTEN", "127.0.0.1:0");
    let (status, text) = start(&[inside, ("MAEPYO_MOVIE_LISTEN", "0.0.0.0:0")]);
    assert!(status == Some(2) && text.contains("\"movie\""), "{text}");
    let (status, text) = start(&[inside, ("MAEPYO_CONCERT_LISTEN", "0.0.0.0:0")]);
    assert!(status == Some(2) && text.contains("\"concert\""), "a token of it is anybody's: {text}");
    let (status, text) = start(&[inside, ("MAEPYO_MOVIE_LISTEN", "127.0.0.1:0"), ("MAEPYO_DIALECTS", "sail")]);
    assert!(status == Some(2) && text.contains("movie.listen"), "{text}");
    let (status, text) = start(&[inside, ("MAEPYO_FRONT_ENDS", "*")]);
    assert!(status == Some(2) && text.contains("front_ends"), "{text}");
}

/// A door that others can reach is a door of the whole server: an e-mail address alone lets nobody in at any of them,
/// and nobody makes money, unless that was asked for by name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_others_can_come_nobody_is_let_in_without_a_password_or_makes_money() {
    let open = |more: &'static [(&'static str, &'static str)]| async move {
        let (store, port) = (Store::fresh().await, free_port());
        let address = format!("0.0.0.0:{port}");
        let settings = [&[("MAEPYO_SAIL_LISTEN", address.as_str())], more].concat();
        let server = Server::start_with(&store, &settings).await;
        let (client, buyer) = (server.client(), server.client().register("buyer").await);
        let account = json!({"email": "somebody@maepyo.test"});
        let entered = client.attempt("POST", "/auth/register", None, Some(&account)).await;
        let topped_up = at(port).attempt("PATCH", "/points/charge", Some(&buyer), Some(&json!({"amount": 1000}))).await;
        [entered, topped_up].map(|answer| answer.expect("the server answers").status)
    };
    let [entered, topped_up] = open(&[]).await;
    assert_eq!((entered, topped_up), (400, 403));
    let [entered, topped_up] = open(&[("MAEPYO_SAIL_PASSWORDLESS", "on"), ("MAEPYO_WALLET_OPEN_TOP_UP", "on")]).await;
    assert_eq!((entered, topped_up), (201, 200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dialect_that_is_off_is_neither_described_nor_there() {
    let store = Store::fresh().await;
    let server = Server::start_with(&store, &[("MAEPYO_DIALECTS", "movie")]).await;
    let document = get(server.client(), "/openapi.json").await.expect(200);
    let tags: Vec<&str> =
        document["tags"].as_array().expect("tags").iter().filter_map(|tag| tag["name"].as_str()).collect();
    assert_eq!(tags, ["movie"]);
    assert!(!described(server.client()).await.iter().any(|path| path.starts_with("/api/events")));
    assert_eq!(get(server.client(), "/api/events").await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browsers_may_call_from_the_front_ends_and_from_nowhere_else() {
    const FRONT: &str = "https://tickets.example";
    let store = Store::fresh().await;
    let server = Server::start_with(&store, &[("MAEPYO_FRONT_ENDS", FRONT), ("MAEPYO_RATE_LIMITS", "on")]).await;
    let client = server.client();
    let allowed = |answer: &Answer| {
        let origin = answer.headers.get("access-control-allow-origin");
        origin.map(|origin| origin.to_str().expect("text").to_owned())
    };
    let preflight = |origin: &'static str, path: &'static str| {
        let request = client.request("OPTIONS", path).header("origin", origin);
        let request = request.header("access-control-request-method", "POST");
        read(request.header("access-control-request-headers", "authorization,content-type,idempotency-key"))
    };
    // A path of each dialect; whether it is there matters to nobody before the request itself.
    for path in ["/api/bookings", "/api/v1/concerts", "/api/events", "/tickets", "/reservations"] {
        let asked = preflight(FRONT, path).await.expect("the server answers");
        assert_eq!((asked.status, allowed(&asked).as_deref()), (200, Some(FRONT)), "{path}");
        let header = |name: &str| asked.headers[name].to_str().expect("text").to_lowercase();
        assert!(header("access-control-allow-methods").contains("post"), "{path}");
        assert!(header("access-control-allow-headers").contains("idempotency-key"), "{path}");
        for origin in ["https://evil.example", "null", "https://tickets.example.evil", "http://tickets.example"] {
            let asked = preflight(origin, path).await.expect("the server answers");
            assert_eq!(allowed(&asked), None, "{origin} {path}");
        }
    }
    // Errors can be read there too, and what tells of limits.
    for (path, status) in [("/api/events", 200), ("/api/nowhere", 404), ("/api/auth/me", 401), ("/health", 200)] {
        let answer = read(client.request("GET", path).header("origin", FRONT)).await.expect("the server answers");
        assert_eq!((answer.status, allowed(&answer).as_deref()), (status, Some(FRONT)), "{path}");
        let told = answer.headers["access-control-expose-headers"].to_str().expect("text");
        assert!(told.contains("x-ratelimit-remaining") && told.contains("retry-after"), "{told}");
        assert!(answer.headers.get_all("vary").iter().any(|own| own.to_str().is_ok_and(|own| own.contains("origin"))));
        let answer = read(client.request("GET", path).header("origin", "https://evil.example")).await;
        assert_eq!(allowed(&answer.expect("the server answers")), None, "{path}");
        // Who has no origin gets the same from a cache as who has one, unless it is told.
        let answer = read(client.request("GET", path)).await.expect("the server answers");
        assert_eq!(
            (answer.status, allowed(&answer), &answer.headers["vary"]),
            (status, None, &"origin".parse().expect("a value"))
        );
    }
}

/// A connection is a place that others may need.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_say_what_they_want_is_hung_up_on() {
    let store = Store::fresh().await;
    let server = Server::start(&store).await;
    let port = server.port();
    let mute = |said: &'static str| async move {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("somebody listens");
        stream.write_all(said.as_bytes()).await.expect("sent");
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await;
        assert!(ended.is_ok(), "after {said:?} it is still there");
    };
    let half = "POST /api/auth/login HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    join_all(["", "P", "PRI * HTTP/2.0\r\n\r\nS", "GET /health HTTP/1.1\r\nhost: x\r\n", half].map(mute)).await;
}

/// An address that somebody else registered first becomes an administrator's, without them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_password_ends_what_was_begun_with_the_old_one() {
    let store = Store::fresh().await;
    let server = Server::start(&store).await;
    let account = json!({"email": "boss@maepyo.test", "password": "a-squatters-password", "name": "Squatter"});
    let register = server.client().attempt("POST", "/api/auth/register", None, Some(&account)).await;
    assert_eq!(register.expect("the server answers").status, 200);
    let login = server.client().attempt("POST", "/api/auth/login", None, Some(&account)).await;
    let old = login.expect("the server answers").json()["refresh_token"].as_str().expect("a token").to_owned();
    server.kill();
    let mut create = maepyo(&store);
    create.args(["admin", "create", "--email", "boss@maepyo.test", "--password", "a-password-of-the-boss"]);
    let made = create.output().expect("the program can be run");
    assert!(made.status.success(), "{}", said(&made));
    let server = Server::start(&store).await;
    let body = json!({ "refresh_token": old });
    let house = server.client().attempt("POST", "/api/auth/refresh", None, Some(&body)).await;
    assert_eq!(house.expect("the server answers").status, 401);
    let sail = server.client().request("POST", "/auth/refresh").bearer_auth(&old);
    assert_eq!(read(sail).await.expect("the server answers").status, 401);
    let login = json!({"email": "boss@maepyo.test", "password": "a-password-of-the-boss"});
    let login = server.client().attempt("POST", "/api/auth/login", None, Some(&login)).await;
    let body = json!({"refresh_token": login.expect("the server answers").json()["refresh_token"]});
    let renewed = server.client().attempt("POST", "/api/auth/refresh", None, Some(&body)).await;
    assert_eq!(renewed.expect("the server answers").status, 200);
}
