//! Chores of the project: `cargo xtask test` runs every check, `wire`, `storm`, `kill`, `fuzz` and `tidy` one group.

mod components;
mod prerequisites;
mod steps;

// The cluster is started here once for all test programs; the tests' crate is too big to be a dependency of this.
#[path = "../../tests/src/postgres.rs"]
mod postgres;

use std::process::ExitCode;

use components::Components;
use postgres::Cluster;
use steps::Steps;

/// The variable by which tests learn of the PostgreSQL to use.
const DATABASE_URL: &str = "MAEPYO_TEST_DATABASE_URL";

/// The step that needs a fuzzer.
const FUZZ: &str = "fuzz";

const USAGE: &str = "\
cargo xtask test    everything: format, lints, all tests on SQLite, and on PostgreSQL those that have a store
cargo xtask wire    the requests of the dialects
cargo xtask storm   many at once
cargo xtask kill    killed in the middle of it
cargo xtask fuzz    the interface against its own description
cargo xtask tidy    the rules about the project's own text
The groups run on SQLite, then on PostgreSQL where there is one. What follows a group's name goes to its tests.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let passed = match arguments.first().map(String::as_str) {
        Some("test") => everything(),
        Some(group @ ("wire" | "storm" | "kill" | "fuzz" | "tidy")) => one_group(group, &arguments[1..]),
        _ => {
            println!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Every check there is; tells whether all passed.
fn everything() -> bool {
    let missing = prerequisites::install();
    let mut steps = Steps::default();
    steps.run("format", "cargo", &["fmt", "--all", "--check"], None);
    steps.run("lints", "cargo", &["clippy", "--release", "--workspace", "--all-targets"], None);
    steps.run("build", "cargo", &["build", "--release", "--workspace"], None);
    steps.run("tests, SQLite", "cargo", &["test", "--release", "--workspace", "--no-fail-fast"], None);
    // All of the workspace: for one package alone, others would be built again with fewer features.
    steps.run(FUZZ, "cargo", &["test", "--release", "--workspace", "--test", "fuzz"], None);
    let cluster = start_cluster();
    if let Ok(cluster) = &cluster {
        let targets = with_a_store();
        let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
        let test = ["test", "--release", "--workspace", "--no-fail-fast", "--lib"];
        steps.run("tests, PostgreSQL", "cargo", &[&test[..], &targets].concat(), Some(&cluster.url()));
    }
    drop(cluster);
    let components = Components::seen_in(&steps);
    println!("\n{steps}\n{components}");
    for lack in missing {
        println!("missing: {lack}");
    }
    steps.passed()
}

/// The test programs that work on a store, as arguments for cargo: those of the desk and the end-to-end ones.
fn with_a_store() -> Vec<String> {
    let names = ["crates/desk/tests", "tests/tests"].iter().flat_map(|folder| test_programs(folder));
    names
        .filter(|name| !["tidy", "fuzz"].contains(&name.as_str()))
        .flat_map(|name| ["--test".to_owned(), name])
        .collect()
}

fn test_programs(folder: &str) -> Vec<String> {
    let paths = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let sources = paths.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let mut names: Vec<String> =
        sources.filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).collect();
    names.sort();
    names
}

/// One group of tests, on each store there is.
fn one_group(group: &str, more: &[String]) -> bool {
    let mut steps = Steps::default();
    steps.run("build", "cargo", &["build", "--release", "--workspace"], None);
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    if group == "fuzz" {
        prerequisites::install();
    }
    let test = ["test", "--release", "--workspace", "--test", group, "--", "--nocapture"];
    let test = [&test[..], &more].concat();
    steps.run("SQLite", "cargo", &test, None);
    if group != "tidy"
        && let Ok(cluster) = start_cluster()
    {
        steps.run("PostgreSQL", "cargo", &test, Some(&cluster.url()));
    }
    println!("\n{steps}");
    steps.passed()
}

fn start_cluster() -> std::io::Result<Cluster> {
    let cluster = Cluster::start();
    if let Err(error) = &cluster {
        println!("no tests on PostgreSQL: {error}");
    }
    cluster
}
