//! The walks of the README do what they say, as they are written there.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use harness::server::{maepyo, said};
use harness::store::Store;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
/// Where a server that is started by hand listens.
const USUAL: &str = "http://127.0.0.1:8000";

/// A server with demo data, as a newcomer starts it: limits are on. Killed when dropped.
struct Demo {
    child: Child,
    base: String,
    /// Kept open: a server does not expect its output to be closed.
    _output: BufReader<ChildStdout>,
}

impl Demo {
    fn start(store: &Store) -> Self {
        let log = File::create(store.folder().join("server.log")).expect("the store's folder can be written");
        let mut command = maepyo(store);
        command.args(["serve", "--demo", "--listen", "127.0.0.1:0"]).env("MAEPYO_RATE_LIMITS", "on");
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn();
        let mut child = child.expect("the server can be started");
        let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
        let base = address(&mut output).unwrap_or_else(|| {
            let log = std::fs::read_to_string(store.folder().join("server.log"));
            panic!("the server does not say where it is open:\n{}", log.unwrap_or_default())
        });
        Self { child, base, _output: output }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address in the words by which a server with demo data welcomes.
fn address(output: &mut impl BufRead) -> Option<String> {
    let mut lines = output.lines().map_while(Result::ok);
    lines.find_map(|line| Some(line.split_once("is open: ")?.1.trim().to_owned()))
}

/// The mark before a shell block of the README, by the walk's name; the first walk has none.
fn mark(name: &str) -> String {
    if name.is_empty() { "<!-- walk -->".to_owned() } else { format!("<!-- walk: {name} -->") }
}

fn readme() -> String {
    std::fs::read_to_string(README).expect("there is a README")
}

/// Walks through a marked block on a server of its own; what is `shown` has to come in this order.
async fn walk(name: &str, shown: &[&str]) {
    let (store, readme) = (Store::fresh().await, readme());
    let demo = Demo::start(&store);
    let (_, marked) = readme.split_once(&format!("{}\n```sh\n", mark(name))).expect("the walk is marked");
    let script = marked.split_once("\n```").expect("the block ends").0;
    assert!(script.contains(USUAL), "the walk goes to where a server usually is");
    // Where a step fails it stops, where a human would see it and stop too; and it must not go on for ever.
    let mut shell = Command::new("timeout");
    shell.args(["120", "bash", "-eu", "-c", &script.replace(USUAL, &demo.base)]).current_dir(store.folder());
    let output = shell.output().expect("there is a shell");
    let text = said(&output);
    assert!(output.status.success(), "{}\n{text}", output.status);
    let mut rest = text.as_str();
    for step in shown {
        rest = rest.split_once(step).unwrap_or_else(|| panic!("{step} does not come in its turn:\n{text}")).1;
    }
}

macro_rules! walks {
    ($($test:ident: $name:literal => [$($shown:literal),+ $(,)?];)+) => {
        /// The walks that are taken.
        const WALKS: &[&str] = &[$($name),+];
        $(
            #[tokio::test]
            async fn $test() {
                walk($name, &[$($shown),+]).await;
            }
        )+
    };
}

walks! {
    a_newcomer_buys_two_seats_and_gives_them_back: "" => [
        r#""email":"buyer@example.com""#,
        r#""title":""#,
        "VIP-1-1 and VIP-1-2 are free",
        r#""status":"reserved""#,
        r#""status":"succeeded""#,
        r#""status":"confirmed""#,
        "ticket.svg",
        "<svg ",
        r#""status":"cancelled""#,
        r#""refund_status":"succeeded""#,
    ];
    the_house_is_searched_queued_for_and_sends_messages: "ticketing_pro" => [
        r#""total":"#,
        r#""suggestions":[{"text":""#,
        r#""position":0"#,
        r#""status":"ready""#,
        r#""status":"left""#,
        r#""code":"FORBIDDEN""#,
        r#"{"status":"queued","type":"sms"}"#,
        r#"{"status":"queued","type":"email"}"#,
    ];
    movie_tickets_are_issued_once_found_and_refunded: "movie" => [
        r#""count":2"#,
        "idempotent-replayed: true",
        r#"{"detail":"this idempotency key"#,
        r#""user_id":"anonymous""#,
        r#""status":"issued""#,
        r#""total":"#,
        r#""already_canceled":[],"not_found":["no-such-ticket"]"#,
        r#"{"refunded":[],"#,
        r#""status":"canceled""#,
        r#"{"detail":[{"loc":["body","price_krw"]"#,
    ];
    sail_points_buy_two_seats_out_of_the_queue: "sail" => [
        r#"{"points":100000,"chargeAmount":100000}"#,
        r#"{"availableDates":[{"date":""#,
        r#""queuePosition":1}"#,
        r#""estimatedWaitTime":"0 minutes""#,
        r#""status":"PENDING""#,
        r#""totalAmount":100000,"status":"COMPLETED""#,
        r#""seatNumber":"A1","status":"CONFIRMED""#,
    ];
    concert_tokens_have_their_turn_and_the_balance_pays: "concert" => [
        r#"{"isTurn":true,"#,
        r#"{"dates":[""#,
        "seat 1 on ",
        r#""status":"Reserved""#,
        r#""newBalance":50000"#,
        r#""status":"Completed""#,
        r#""currentBalance":0"#,
    ];
    tiketi_seats_are_chosen_paid_and_given_back: "tiketi" => [
        r#""service":"ticket-service""#,
        r#""title":""#,
        r#""has_seats":true},"ticketTypes":[]"#,
        r#""name":"1700석 ("#,
        r#"{"queued":false,"threshold":1000,"currentUsers":1}"#,
        r#""status":"active""#,
        r#"{"message":"좌석이 선택되었습니다.""#,
        r#""paymentStatus":"pending""#,
        r#"{"success":true,"payment":{"#,
        r#"{"message":"예매가 취소되었습니다.""#,
        r#""payment_status":"refunded""#,
        r#"{"message":"예매가 완료되었습니다.""#,
        r#"{"available_quantity":118,"total_quantity":120}"#,
        r#""ticketTypeName":"도슨트 투어","quantity":2"#,
        r#"{"message":"대기열에서 나왔습니다."}"#,
    ];
}

#[test]
fn every_marked_walk_is_taken() {
    let readme = readme();
    let marks: Vec<&str> = readme.lines().filter(|line| line.starts_with("<!-- walk")).collect();
    let taken: Vec<String> = WALKS.iter().map(|name| mark(name)).collect();
    assert_eq!(marks, taken, "in the order of the README");
}
