//! The command line.

use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, DEFAULTS, Wrong};
use crate::{account, bench, check, import, serve};

/// Why a command of the command line did not succeed: what to print, and the exit status.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The way it was called or set up cannot work (exit status 2).
    #[error(transparent)]
    Setup(#[from] Wrong),
    /// It was tried and went wrong (exit status 1).
    #[error("{0}")]
    Failed(String),
}

impl Failure {
    /// A failure with this text.
    pub fn new(text: impl ToString) -> Self {
        Self::Failed(text.to_string())
    }

    fn status(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Setup(_) => 2,
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  maepyo                                     serve on 127.0.0.1:8000, demo data on an empty store
  maepyo serve --listen 127.0.0.1:9000 --data /var/lib/maepyo
  MAEPYO_DATABASE_URL=postgres://me@db/maepyo maepyo serve
  maepyo admin create --email me@example.com
  maepyo import events.csv --publish --owner me@example.com
  maepyo check && echo all is well

Exit status: 0 done, 1 failed or something is wrong, 2 called or set up wrongly.
`maepyo config` prints every setting with its explanation.";

/// A ticketing server: events, seat maps, holds, payments, tickets.
#[derive(Debug, Parser)]
#[command(name = "maepyo", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(flatten)]
    serve: ServeArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM or Ctrl-C; then finish what is under way and stop.
    Serve(ServeArgs),
    /// Accounts that run the server.
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Load events with their seats and ticket types from a JSON or CSV file.
    #[command(after_help = import::FORMATS)]
    Import(import::ImportArgs),
    /// Audit every invariant of a store, live or stopped. Exit status 1: something is wrong.
    Check(StoreArgs),
    /// Bring the tables of a store up to date. `serve` does it by itself.
    Migrate(StoreArgs),
    /// Print every setting with its default and explanation.
    Config,
    /// Measure this build against a bare echo server in the same run.
    Bench(bench::BenchArgs),
    /// Answer a JSON echo and a static body (for `bench`).
    #[command(hide = true)]
    BenchEcho(bench::EchoArgs),
}

#[derive(Debug, Subcommand)]
enum AdminCommand {
    /// Make an administrator, or turn an account into one.
    Create(account::CreateArgs),
}

/// Which store, and where its settings are.
#[derive(Debug, Clone, Args)]
pub struct StoreArgs {
    /// A TOML file with the settings that differ from the defaults.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The folder of the store.
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<String>,
    /// A PostgreSQL database instead (postgres://…).
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
}

impl StoreArgs {
    /// The settings, with these flags and `more` on top.
    pub fn load(&self, more: &[(&'static str, Option<&String>)]) -> Result<Config, Wrong> {
        let own = [("data", self.data.as_ref()), ("database.url", self.database_url.as_ref())];
        let given = own.iter().chain(more).filter_map(|(key, text)| Some((*key, (*text)?.clone())));
        let flags: Vec<(&str, String)> = given.collect();
        let (config, unknown) = Config::load(self.config.as_deref(), std::env::vars(), &flags)?;
        for name in unknown {
            eprintln!("maepyo: {name} is no setting (`maepyo config` lists them); it is ignored");
        }
        Ok(config)
    }
}

/// How to serve.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    #[command(flatten)]
    pub store: StoreArgs,
    /// Where to listen, host:port.
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Put demo accounts and events into the store if it is empty.
    #[arg(long, overrides_with = "no_demo")]
    pub demo: bool,
    /// No demo data (what `serve` does by itself; plain `maepyo` has them).
    #[arg(long)]
    pub no_demo: bool,
}

/// Runs the command line; gives the exit status.
pub fn run() -> ExitCode {
    match dispatch(Cli::parse()) {
        Ok(status) => status,
        Err(failure) => {
            eprintln!("maepyo: {failure}");
            ExitCode::from(failure.status())
        }
    }
}

fn dispatch(cli: Cli) -> Result<ExitCode, Failure> {
    let Some(command) = cli.command else {
        return serve::run(&cli.serve, !cli.serve.no_demo);
    };
    match command {
        Command::Serve(args) => serve::run(&args, false),
        Command::Admin(AdminCommand::Create(args)) => account::create(&args),
        Command::Import(args) => import::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Migrate(args) => check::migrate(&args),
        Command::Config => {
            print!("{DEFAULTS}");
            Ok(ExitCode::SUCCESS)
        }
        Command::Bench(args) => bench::run(&args),
        Command::BenchEcho(args) => bench::echo(&args),
    }
}

/// What runs the asynchronous part of a subcommand.
pub struct Runtime(tokio::runtime::Runtime);

impl Runtime {
    /// Runs a piece of work to its end.
    ///
    /// In a box, its result left beside it: else all of tokio's scheduler would be compiled again for every piece.
    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        let mut result = None;
        let boxed: Pin<Box<dyn Future<Output = ()> + '_>> = Box::pin(async { result = Some(work.await) });
        self.0.block_on(boxed);
        result.expect("the work leaves its result when it ends")
    }
}

/// A runtime of as many threads as there are cores.
pub fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map(Runtime).map_err(Failure::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_a_subcommand_the_flags_are_those_of_serve() {
        let cli = Cli::try_parse_from(["maepyo", "--listen", "127.0.0.1:1", "--no-demo"]).expect("parses");
        assert_eq!(cli.serve.listen.as_deref(), Some("127.0.0.1:1"));
        assert!(cli.command.is_none() && cli.serve.no_demo);
        assert!(Cli::try_parse_from(["maepyo", "serve", "--demo"]).is_ok());
    }
}
