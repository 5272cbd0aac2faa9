//! `maepyo bench`: measures this build against a bare echo server in the same run.
//!
//! Ratios of one run are what counts: absolute rates say more about the machine than about the program.

mod child;
mod echo;
mod ground;
mod listing;
mod loader;
mod queue;
mod response;
mod run;
mod scripts;
mod sockets;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::cli::Failure;
pub use echo::{EchoArgs, echo};

/// What to measure, and how long.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Seconds per measurement, after one of warming up.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Connections of the loader, which is one thread.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u16).range(1..=4_096))]
    connections: u16,
    /// Events in the store.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=100))]
    events: u16,
    /// Seats of each.
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(1_000..=200_000))]
    seats: u32,
    /// Sockets in one room. Each takes a file descriptor here and one in the server.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u16).range(1..=20_000))]
    sockets: u16,
    /// An EMPTY PostgreSQL database to measure on; it is left full of test data. Left out: SQLite.
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// A setting of the server under test, as its environment variable without MAEPYO_: LIMITS_GATHERERS=2.
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    set: Vec<(String, String)>,
    /// Only these measurements.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Scene>,
    /// Where the store is made and removed again: the disk that is measured.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
}

/// A measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scene {
    /// Holds answered.
    Holds,
    /// Complete sales: hold, intent, payment, confirmation.
    Sales,
    /// Movie tickets issued, each under an idempotency key.
    Movie,
    /// The seat map of an event against a static answer of the same bytes.
    Map,
    /// The same seat map unchanged, by its ETag.
    Etag,
    /// Holds through `sail`, inside its queue.
    Sail,
    /// Holds through `tiketi`.
    Tiketi,
    /// Thousands of sockets in one room: whether a change reaches all, and the memory of each.
    Sockets,
    /// Lines joined, each by thousands, and places asked for while a hundred thousand wait.
    Queue,
    /// Holds with gathering off.
    Ungathered,
    /// Holds with ten times the seats in the store.
    Scale,
    /// Searches among 100,000 events.
    Search,
    /// Completions of what is typed, among as many.
    Autocomplete,
}

impl BenchArgs {
    fn wants(&self, scene: Scene) -> bool {
        self.only.is_empty() || self.only.contains(&scene)
    }
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a setting is KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// `maepyo bench`.
pub fn run(args: &BenchArgs) -> Result<ExitCode, Failure> {
    let store = if args.database_url.is_some() { "PostgreSQL" } else { "SQLite" };
    eprintln!("measuring on {store}, {} connections, {} s each …", args.connections, args.seconds);
    let table = run::all(args)?;
    println!(
        "\n{store}, {} connections, {} s each, {} × {} seats\n",
        args.connections, args.seconds, args.events, args.seats
    );
    print!("{}", table.render());
    Ok(ExitCode::SUCCESS)
}
