//! The steps of a run: each shows what it is doing, how long it took and what its tests said.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A step that was run.
struct Step {
    name: &'static str,
    passed: bool,
    took: Duration,
    /// Names of the tests that passed, and how many did not.
    tests: Vec<String>,
    failed: Vec<String>,
}

/// The steps so far.
#[derive(Default)]
pub struct Steps(Vec<Step>);

impl Steps {
    /// Runs a program, its output shown as it comes, with the address of the PostgreSQL to use if there is one.
    pub fn run(&mut self, name: &'static str, program: &str, arguments: &[&str], database: Option<&str>) {
        println!("\n=== {name}: {program} {}", arguments.join(" "));
        let mut command = Command::new(program);
        command.args(arguments).env_remove(crate::DATABASE_URL).stdout(Stdio::piped());
        if let Some(url) = database {
            command.env(crate::DATABASE_URL, url);
        }
        let start = now();
        let mut step = Step { name, passed: false, took: Duration::ZERO, tests: Vec::new(), failed: Vec::new() };
        match command.spawn() {
            Err(error) => println!("{program} cannot be run: {error}"),
            Ok(mut child) => {
                let output = child.stdout.take().map(BufReader::new);
                for line in output.into_iter().flat_map(BufReader::lines).map_while(Result::ok) {
                    println!("{line}");
                    step.note(&line);
                }
                step.passed = child.wait().is_ok_and(|status| status.success());
            }
        }
        step.took = start.elapsed();
        println!("=== {step}");
        self.0.push(step);
    }

    /// Whether all passed.
    pub fn passed(&self) -> bool {
        self.0.iter().all(|step| step.passed)
    }

    /// How many tests passed in the steps of one name, of those whose own names contain a word.
    pub fn tests(&self, step: &str, word: &str) -> usize {
        let steps = self.0.iter().filter(|own| own.name == step);
        steps.flat_map(|own| &own.tests).filter(|test| test.contains(word)).count()
    }
}

impl Step {
    /// Takes note of a line of a test program: `test name ... ok`.
    fn note(&mut self, line: &str) {
        let Some((name, verdict)) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ")) else {
            return;
        };
        match verdict {
            "ok" => self.tests.push(name.to_owned()),
            "FAILED" => self.failed.push(name.to_owned()),
            _ => {}
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.passed { "passed" } else { "FAILED" };
        write!(f, "{:<20} {verdict:<8} {:>5} s", self.name, self.took.as_secs())?;
        if !self.tests.is_empty() {
            write!(f, "   {} tests", self.tests.len())?;
        }
        if !self.failed.is_empty() {
            write!(f, ", failed: {}", self.failed.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

#[expect(clippy::disallowed_methods, reason = "the steps are timed for whoever waits for them")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}
