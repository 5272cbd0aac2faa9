//! The real server as a child process.

use std::fs::File;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use crate::client::Client;
use crate::store::Store;

/// The first admin of every test server.
pub const ADMIN: (&str, &str) = ("admin@maepyo.test", "an-admin-for-tests-1");
/// Signs the tokens of every test server.
pub const JWT_SECRET: &str = "a secret of the tests, thirty-two bytes and more";
/// Signs the webhooks of every test server.
pub const WEBHOOK_SECRET: &str = "whsec_of_the_tests";

/// A running server. Killed when dropped.
pub struct Server {
    child: Child,
    port: u16,
    log: PathBuf,
    client: Client,
}

impl Server {
    /// Starts a server with limits off and waits until it is ready.
    pub async fn start(store: &Store) -> Self {
        Self::start_with(store, &[]).await
    }

    /// Starts a server with further settings and waits until it is ready.
    ///
    /// # Panics
    /// With the server's log when it does not get ready.
    pub async fn start_with(store: &Store, settings: &[(&str, &str)]) -> Self {
        // Another process may take the free port first: then the server ends at once, and the next port is tried.
        for _ in 0..5 {
            let mut server = Self::spawn(store, settings);
            if server.wait().await {
                return server;
            }
        }
        panic!("the server does not start; its log is printed above");
    }

    /// What to talk to it with.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends it as a power cut would: SIGKILL, nothing is finished.
    pub fn kill(mut self) {
        self.end();
    }

    /// Asks it to end (SIGTERM); it has until [`Stopping::ended`] to finish what is under way.
    ///
    /// # Panics
    /// When there is no `kill`.
    #[must_use]
    pub fn stop(self) -> Stopping {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(told.is_ok_and(|status| status.success()), "it can be told");
        Stopping(self)
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// How much of the machine's memory it has, in megabytes.
    ///
    /// # Panics
    /// Where there is no `/proc`.
    #[must_use]
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("Linux tells");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has memory");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1_024
    }

    fn spawn(store: &Store, settings: &[(&str, &str)]) -> Self {
        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|socket| socket.local_addr());
        let port = port.expect("loopback has a free port").port();
        let log = store.folder().join(format!("server-{port}.log"));
        let file = File::create(&log).expect("the store's folder can be written");
        let mut command = maepyo(store);
        command.args(["serve", "--no-demo"]).env("MAEPYO_LISTEN", format!("127.0.0.1:{port}"));
        command.envs(settings.iter().copied()).stdin(Stdio::null());
        command.stdout(file.try_clone().expect("a file can be shared")).stderr(file);
        let child = command.spawn().expect("the server can be started");
        Self { child, port, log, client: Client::new(&format!("http://127.0.0.1:{port}")) }
    }

    /// Whether it got ready, within 30 seconds.
    async fn wait(&mut self) -> bool {
        for _ in 0..600 {
            if let Some(answer) = self.client.attempt("GET", "/ready", None, None).await
                && answer.status == 200
            {
                return true;
            }
            if let Ok(Some(_)) = self.child.try_wait() {
                eprintln!("{}", self.log());
                return false;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        eprintln!("{}", self.log());
        false
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server that was told to end.
pub struct Stopping(Server);

impl Stopping {
    /// Whether it ended by itself with everything finished, within 30 seconds.
    pub async fn ended(mut self) -> bool {
        for _ in 0..300 {
            if let Ok(Some(status)) = self.0.child.try_wait() {
                return status.success();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        false
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("--- the end of the server's log\n{}", lines[lines.len().saturating_sub(40)..].join("\n"));
        }
    }
}

/// Runs `maepyo check` on a store and gives what it printed.
///
/// # Errors
/// The same, when it found something wrong.
pub fn check(store: &Store) -> Result<String, String> {
    let output = maepyo(store).arg("check").output().expect("the program can be run");
    let text = said(&output);
    if output.status.success() { Ok(text) } else { Err(text) }
}

/// The program, set up for a store.
#[must_use]
pub fn maepyo(store: &Store) -> Command {
    let mut command = Command::new(program());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MAEPYO_")) {
        command.env_remove(name);
    }
    command.env("MAEPYO_DATA", store.folder()).current_dir(store.folder());
    if let Some(url) = store.database() {
        command.env("MAEPYO_DATABASE_URL", url);
    }
    command.env("MAEPYO_ADMIN_EMAIL", ADMIN.0).env("MAEPYO_ADMIN_PASSWORD", ADMIN.1);
    command.env("MAEPYO_JWT_SECRET", JWT_SECRET).env("MAEPYO_WEBHOOK_SECRET", WEBHOOK_SECRET);
    command.env("MAEPYO_RATE_LIMITS", "off");
    command
}

/// What a program printed, both ways.
#[must_use]
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// The server under test: `MAEPYO_TEST_PROGRAM`, or the one next to the tests.
fn program() -> PathBuf {
    if let Ok(path) = std::env::var("MAEPYO_TEST_PROGRAM") {
        return path.into();
    }
    let own = std::env::current_exe().expect("a test knows its own path");
    // …/release/deps/storm-0123 → …/release/maepyo
    let path = own.ancestors().nth(2).expect("tests are built two folders deep").join("maepyo");
    assert!(path.exists(), "{} is missing: build it with `cargo build --release --workspace`", path.display());
    path
}
