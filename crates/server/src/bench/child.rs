//! The servers that are measured: children of this process, gone when it is.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::cli::Failure;

/// Linux counts processor time in hundredths of a second.
const MICROS_PER_TICK: u64 = 10_000;

/// A child process that serves HTTP.
pub struct Server {
    child: Child,
    /// Where.
    pub address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// An echo server that also answers a file as it is.
    pub async fn echo(file: Option<&Path>) -> Result<Self, Failure> {
        let address = free()?;
        let mut command = own()?;
        command.arg("bench-echo").arg("--listen").arg(address.to_string());
        if let Some(file) = file {
            command.arg("--file").arg(file);
        }
        Self::start(command, address).await
    }

    /// This server, with these settings.
    pub async fn maepyo(settings: &[(&str, String)]) -> Result<Self, Failure> {
        let address = free()?;
        let mut command = own()?;
        command.arg("serve").envs(settings.iter().map(|(name, text)| (format!("MAEPYO_{name}"), text)));
        command.env("MAEPYO_LISTEN", address.to_string());
        Self::start(command, address).await
    }

    async fn start(mut command: Command, address: SocketAddr) -> Result<Self, Failure> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().map_err(Failure::new)?;
        let mut server = Self { child, address };
        for _ in 0..1_200 {
            if TcpStream::connect(address).is_ok() {
                return Ok(server);
            }
            if let Some(status) = server.child.try_wait().map_err(Failure::new)? {
                return Err(Failure::new(format!("the server to be measured ended at once: {status}")));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(Failure::new("the server to be measured does not listen"))
    }

    /// The processor time it has used so far, in microseconds: less at the mercy of the machine's other work than a
    /// rate is.
    pub fn processor(&self) -> Option<u64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        // The name may hold spaces; after it come the state and ten other fields, then user and system time.
        let times = stat.rsplit_once(')')?.1.split_whitespace().skip(11).take(2);
        let ticks = times.map(|ticks| ticks.parse::<u64>().ok()).sum::<Option<u64>>()?;
        Some(ticks * MICROS_PER_TICK)
    }

    /// The most memory it has had resident, in MiB.
    pub fn peak_memory(&self) -> Option<f64> {
        self.kib("VmHWM:").map(|kib| kib / 1_024.0)
    }

    /// The memory it has resident, in KiB.
    pub fn memory(&self) -> Option<f64> {
        self.kib("VmRSS:")
    }

    fn kib(&self, what: &str) -> Option<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(what))?;
        line.trim().trim_end_matches("kB").trim().parse().ok()
    }
}

/// This program, without the settings of whoever calls it.
fn own() -> Result<Command, Failure> {
    let mut command = Command::new(std::env::current_exe().map_err(Failure::new)?);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MAEPYO_")) {
        command.env_remove(name);
    }
    Ok(command)
}

fn free() -> Result<SocketAddr, Failure> {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).map_err(Failure::new)
}
