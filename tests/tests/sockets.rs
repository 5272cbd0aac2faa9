//! The sockets of `tiketi`, by the official client: `tests/socketio/sockets.js` against a real server, or two of them
//! where the store can be shared.

use std::path::{Path, PathBuf};

use harness::forge;
use harness::server::{ADMIN, JWT_SECRET, Server, said};
use harness::stalled::{Stalled, stop_reading};
use harness::store::Store;
use serde_json::json;
use tokio::process::Command;

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/socketio");
const FILES: [&str; 4] = ["package.json", "package-lock.json", "stage.js", "sockets.js"];
/// The house's holds lapse while somebody watches; a sale takes less.
const SETTINGS: [(&str, &str); 1] = [("MAEPYO_TICKETING_PRO_HOLD_SECONDS", "3")];

/// A copy of the scripts with what they need; `None`, saying why, where that cannot be had.
async fn installed() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("socketio");
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    for file in FILES {
        std::fs::copy(Path::new(SCRIPTS).join(file), folder.join(file)).expect("the scripts can be copied");
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--prefer-offline", "--no-audit", "--no-fund"]).current_dir(&folder);
    let output = match npm.output().await {
        Ok(output) => output,
        Err(error) => {
            eprintln!("SKIPPED: the sockets are tested with Node.js, and npm cannot be run: {error}");
            return None;
        }
    };
    if !output.status.success() {
        eprintln!("SKIPPED: socket.io-client cannot be installed:\n{}", said(&output));
        return None;
    }
    Some(folder)
}

/// A token as another service with the same secret signs it.
fn foreign_token() -> String {
    let claims = json!({
        "userId": "0190aaaa-ac96-774b-bcce-b30209900001", "email": "elsewhere@example.com", "role": "user",
        "exp": forge::unix_time() + 600,
    });
    forge::token("HS256", JWT_SECRET, &claims)
}

#[tokio::test]
async fn the_official_client_sees_what_happens() {
    let Some(folder) = installed().await else { return };
    let store = Store::fresh().await;
    let server = Server::start_with(&store, &SETTINGS).await;
    let other = match store.database() {
        Some(_) => Some(Server::start_with(&store, &SETTINGS).await),
        None => None,
    };
    let base = |server: &Server| format!("http://127.0.0.1:{}", server.port());
    let mut node = Command::new("node");
    node.arg("sockets.js").current_dir(&folder).kill_on_drop(true);
    node.env("BASE", base(&server)).env("OTHER_BASE", other.as_ref().map(base).unwrap_or_default());
    node.env("ADMIN_EMAIL", ADMIN.0).env("ADMIN_PASSWORD", ADMIN.1).env("FOREIGN_TOKEN", foreign_token());
    node.env("JWT_SECRET", JWT_SECRET);
    let output = node.output().await.expect("npm comes with Node.js");
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    println!("{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stops_reading_while_seats_change_is_hung_up_on_and_costs_no_memory() {
    stop_reading(|port, who, event| async move { Stalled::socket(port, &who.buyer, &event).await }).await;
}
