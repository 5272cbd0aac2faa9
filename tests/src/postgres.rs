//! A private PostgreSQL cluster in a temporary folder, gone when dropped. Only the standard library, because
//! `xtask` builds this file too.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A running cluster. Anyone on this machine may connect as `maepyo`; it listens on loopback only.
pub struct Cluster {
    folder: PathBuf,
    postmaster: Child,
    port: u16,
}

/// The newest installed PostgreSQL's folder of programs, where Debian keeps them.
#[must_use]
pub fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let folders = versions.map(|entry| entry.path().join("bin")).filter(|bin| bin.join("initdb").exists());
    folders.max_by_key(|bin| version_number(bin))
}

/// What `postgres --version` says, such as "15.14".
#[must_use]
pub fn version() -> Option<String> {
    let output = Command::new(programs()?.join("postgres")).arg("--version").output().ok()?;
    let line = String::from_utf8_lossy(&output.stdout).into_owned();
    line.split_whitespace().nth(2).map(str::to_owned)
}

impl Cluster {
    /// Makes a cluster and waits until it takes connections.
    ///
    /// # Errors
    /// When PostgreSQL is not installed, or a program of it fails: what it said.
    pub fn start() -> io::Result<Self> {
        let programs = programs().ok_or_else(|| io::Error::other("PostgreSQL is not installed"))?;
        let folder = std::env::temp_dir().join(format!("maepyo-postgres-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        let data = folder.join("data");
        let owner = owner();
        if let Some(owner) = owner {
            said(Command::new("chown").arg(owner).arg(&folder).output()?)?;
        }
        let mut init = unprivileged(&programs.join("initdb"), owner);
        init.arg("-D").arg(&data).args(["-U", "maepyo", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]);
        said(init.current_dir(&folder).output()?)?;
        let port = free_port()?;
        let log = fs::File::create(folder.join("log"))?;
        let mut postmaster = unprivileged(&programs.join("postgres"), owner);
        postmaster.arg("-D").arg(&data).arg("-p").arg(port.to_string()).args(SETTINGS);
        let postmaster = postmaster.current_dir(&folder).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let cluster = Self { postmaster: postmaster.spawn()?, port, folder };
        cluster.wait(&programs)?;
        Ok(cluster)
    }

    /// Where to connect to make databases.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://maepyo@127.0.0.1:{}/postgres", self.port)
    }

    fn wait(&self, programs: &Path) -> io::Result<()> {
        let port = self.port.to_string();
        // Each question waits up to a second, so this gives up after about a minute.
        for _ in 0..300 {
            let mut ready = Command::new(programs.join("pg_isready"));
            ready.args(["-q", "-h", "127.0.0.1", "-t", "1", "-U", "maepyo", "-p", &port]);
            if ready.status()?.success() {
                return Ok(());
            }
            Command::new("sleep").arg("0.2").status()?;
        }
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        Err(io::Error::other(format!("PostgreSQL did not start:\n{log}")))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // SIGINT is the fast shutdown: connections are cut and the files are left clean.
        let _ = Command::new("kill").arg("-INT").arg(self.postmaster.id().to_string()).status();
        let _ = self.postmaster.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Durable as in production, since the tests kill things; and enough connections for tests side by side.
const SETTINGS: &[&str] = &[
    "-c",
    "listen_addresses=127.0.0.1",
    "-c",
    "unix_socket_directories=",
    "-c",
    "fsync=on",
    "-c",
    "synchronous_commit=on",
    "-c",
    "max_connections=400",
];

/// Whom to run the cluster as: PostgreSQL refuses to be run by root.
fn owner() -> Option<&'static str> {
    let id = Command::new("id").arg("-u").output().ok()?;
    if id.stdout != b"0\n" {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    Some(if users.lines().any(|line| line.starts_with("postgres:")) { "postgres" } else { "nobody" })
}

fn unprivileged(program: &Path, owner: Option<&str>) -> Command {
    let Some(owner) = owner else { return Command::new(program) };
    let mut command = Command::new("setpriv");
    command.args(["--reuid", owner, "--clear-groups", "--pdeathsig", "INT"]);
    command.arg(format!("--regid={}", group_of(owner))).arg("--").arg(program);
    command
}

fn group_of(owner: &str) -> String {
    let output = Command::new("id").args(["-g", owner]).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

fn said(output: Output) -> io::Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    Err(io::Error::other(String::from_utf8_lossy(&text).into_owned()))
}

fn version_number(bin: &Path) -> u32 {
    let version = bin.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    version.and_then(|name| name.parse().ok()).unwrap_or(0)
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
