//! The walk of the README does what it says, as it is written there.

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

/// The shell block of the README that follows the mark.
fn walk() -> String {
    let readme = std::fs::read_to_string(README).expect("there is a README");
    let (_, marked) = readme.split_once("<!-- walk -->\n```sh\n").expect("the walk is marked");
    marked.split_once("\n```").expect("the block ends").0.to_owned()
}

#[tokio::test]
async fn a_newcomer_buys_two_seats_and_gives_them_back() {
    let store = Store::fresh().await;
    let demo = Demo::start(&store);
    let script = walk();
    assert!(script.contains(USUAL), "the walk goes to where a server usually is");
    // Where a step fails it stops, where a human would see it and stop too; and it must not go on for ever.
    let mut shell = Command::new("timeout");
    shell.args(["120", "bash", "-eu", "-c", &script.replace(USUAL, &demo.base)]).current_dir(store.folder());
    let output = shell.output().expect("there is a shell");
    let text = said(&output);
    assert!(output.status.success(), "{}\n{text}", output.status);
    let shown = [
        r#""email":"buyer@example.com""#,
        r#""title":""#,
        "VIP-1-1 and VIP-1-2 are free",
        r#""status":"reserved""#,
        r#""status":"succeeded""#,
        r#""status":"confirmed""#,
        "ticket.svg",
        r#""status":"cancelled""#,
        r#""refund_status":"succeeded""#,
    ];
    // Each after the one before: the steps are shown in their order.
    let mut rest = text.as_str();
    for step in shown {
        rest = rest.split_once(step).unwrap_or_else(|| panic!("{step} does not come in its turn:\n{text}")).1;
    }
    let ticket = std::fs::read_to_string(store.folder().join("ticket.svg")).expect("the ticket was fetched");
    assert!(ticket.starts_with("<svg "), "{ticket}");
}
