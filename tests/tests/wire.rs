//! Every request of the dialects, as data: a test for each file under `wire/`.

use std::path::{Path, PathBuf};

use harness::wire::{Script, run};

macro_rules! files {
    ($dialect:ident: $($name:ident),+ $(,)?) => {
        mod $dialect {
            /// The files that are run.
            pub const NAMES: &[&str] = &[$(stringify!($name)),+];
            $(
                #[tokio::test]
                async fn $name() {
                    super::run(&super::folder(stringify!($dialect)).join(concat!(stringify!($name), ".toml"))).await;
                }
            )+
        }
    };
}

files! {
    ticketing_pro:
    auth, bad_input, bookings, envelope, events, general_admission, idempotency, lapse, notifications, payment, queue,
    queue_lapse, rate_limits, search, selling, staff, tickets, tokens, webhook, webhooks,
}

files! {
    movie: bad_input, holder, idempotency, issue, list, refund,
}

files! {
    tiketi: events, idempotency, lapse, payments, queue, queue_sold_out, reservations, seats,
}

files! {
    sail: auth, closed_top_up, idempotency, lapse, passes, passwords, payment, points, queue, rate_limits, reserve, seats, sold_out, tokens,
}

files! {
    concert: balance, closed_top_up, dates, idempotency, lapse, own_line, payment, required_token, reservation, second_turn, sold_out, token, turns, waiting,
}

/// The dialects with their files.
const DIALECTS: &[(&str, &[&str])] = &[
    ("ticketing_pro", ticketing_pro::NAMES),
    ("movie", movie::NAMES),
    ("tiketi", tiketi::NAMES),
    ("sail", sail::NAMES),
    ("concert", concert::NAMES),
];

fn folder(dialect: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("wire").join(dialect)
}

#[test]
fn every_file_is_run_and_of_the_form() {
    for (dialect, names) in DIALECTS.iter().copied() {
        let files = std::fs::read_dir(folder(dialect)).expect("the folder is there");
        for path in files.map(|entry| entry.expect("it can be read").path()) {
            let name = path.file_stem().expect("it has a name").to_string_lossy().into_owned();
            assert!(names.contains(&name.as_str()), "{dialect}/{name} is not run");
            assert!(!Script::read(&path).step.is_empty(), "{dialect}/{name} has no steps");
        }
    }
}

/// What the server says it answers is asked somewhere.
#[tokio::test]
async fn every_described_operation_is_tried() {
    let store = harness::store::Store::fresh().await;
    let server = harness::server::Server::start(&store).await;
    let answer = server.client().attempt("GET", "/openapi.json", None, None).await.expect("the server answers");
    let described = answer.expect(200);
    let files = DIALECTS.iter().flat_map(|(dialect, names)| names.iter().map(move |name| (dialect, name)));
    let requests: Vec<String> = files.flat_map(|(dialect, name)| requests(dialect, name)).collect();
    let paths = described["paths"].as_object().expect("it describes paths");
    assert!(paths.len() > 10, "{} paths are described", paths.len());
    let mut untried = Vec::new();
    for (path, operations) in paths {
        for method in operations.as_object().expect("a path has operations").keys() {
            let pattern = pattern(&method.to_uppercase(), path);
            if !requests.iter().any(|request| pattern.is_match(request)) {
                untried.push(format!("{method} {path}"));
            }
        }
    }
    assert!(untried.is_empty(), "no wire test asks for {untried:?}");
}

fn requests(dialect: &str, name: &str) -> Vec<String> {
    let script = Script::read(&folder(dialect).join(format!("{name}.toml")));
    script.step.into_iter().map(|step| step.request).collect()
}

/// Whether a request is of an operation: a placeholder stands for one segment.
fn pattern(method: &str, path: &str) -> regex_lite::Regex {
    let segments = path.split('/').map(|segment| match segment.starts_with('{') {
        true => "[^/?]+".to_owned(),
        false => regex_lite::escape(segment),
    });
    let path = segments.collect::<Vec<_>>().join("/");
    regex_lite::Regex::new(&format!(r"^{method} {path}(\?.*)?$")).expect("it is a pattern")
}
