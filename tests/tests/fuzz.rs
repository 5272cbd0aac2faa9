//! The interface against its own description: whatever the described requests are filled with, no answer is a 5xx, of a
//! status that is not described, or of another shape than described. `cargo xtask fuzz` runs it.

use std::path::{Path, PathBuf};
use std::process::Command;

use harness::box_office::{Buyer, put_seats_on_sale, put_tickets_on_sale};
use harness::client::{Client, Login};
use harness::random::Random;
use harness::server::{Server, check, said};
use harness::store::Store;
use serde_json::Value;

/// What is asked of every answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance";
/// Made-up requests per operation, besides the examples and the limits of every field.
const EXAMPLES: &str = "20";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_gets_an_answer_that_is_not_described() {
    let random = Random::announced();
    let store = Store::fresh().await;
    let server = Server::start(&store).await;
    let client = server.client();
    let admin = client.admin().await;
    let buyer = client.register("fuzzed").await;
    let known = store.folder().join("known.toml");
    std::fs::write(&known, things_that_are_there(client, &admin, &buyer).await).expect("the folder can be written");
    let seed = random.branch(0).below(1_000_000).to_string();
    // Once with ids made up, as somebody who may do everything; once with ids of things that are there.
    let nothing = store.folder().join("nothing.toml");
    std::fs::write(&nothing, "").expect("the folder can be written");
    for (who, config) in [(&admin, &nothing), (&buyer, &known)] {
        fuzz(config, &format!("http://127.0.0.1:{}", server.port()), who, &seed);
    }
    check(&store).expect("the store is in order");
}

fn fuzz(config: &Path, base: &str, who: &Login, seed: &str) {
    let mut command = Command::new(schemathesis());
    command.arg("--config-file").arg(config).args(["run", &format!("{base}/openapi.json"), "--no-color"]);
    command.args(["--phases", "examples,coverage,fuzzing", "--checks", CHECKS, "--max-examples", EXAMPLES]);
    // A stream of events has no end.
    command.args(["--exclude-path", "/api/events/stream"]);
    command.args(["--seed", seed, "--header", &format!("Authorization: Bearer {}", who.token)]);
    let output = command.current_dir(config.parent().expect("a file has a folder")).output();
    let output = output.expect("the program can be run");
    let text = said(&output);
    assert!(output.status.success(), "{}\n{text}", output.status);
    let tested = text.lines().find_map(|line| line.trim().strip_prefix("Tested:")).map(str::trim);
    let tested: usize = tested.and_then(|count| count.parse().ok()).unwrap_or_default();
    assert!(tested > 20, "hardly anything was tested:\n{text}");
    println!("{tested} operations as {}", who.user);
}

/// Values for the parameters of paths: an event, a booking and a payment that are there.
async fn things_that_are_there(client: &Client, admin: &Login, login: &Login) -> String {
    let event = put_seats_on_sale(client, admin, 20, 20).await;
    let counted = put_tickets_on_sale(client, admin, 1_000).await;
    let buyer = Buyer::new(client, login);
    let booking = buyer.hold(&event.id, &["A-1-1", "A-1-2"]).await.expect("the server answers").expect(200);
    let intent = buyer.intent(&booking).await.expect("the server answers").expect(200);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let booking = text(&booking["booking_id"]);
    let values = [
        ("event_id", event.id.clone()),
        ("eventId", event.id.clone()),
        ("concertId", event.id),
        ("ticketTypeId", counted.ticket_type),
        ("booking_id", booking),
        ("payment_intent_id", text(&intent["payment_intent_id"])),
        ("user_id", login.user.clone()),
    ];
    let lines = values.map(|(name, value)| format!("\"path.{name}\" = {}", Value::from(value)));
    format!("[parameters]\n{}\n", lines.join("\n"))
}

/// Where `cargo xtask` puts it.
fn schemathesis() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/python/bin/schemathesis")
}
