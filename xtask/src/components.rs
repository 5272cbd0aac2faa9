//! Which parts of the world were real in a run, by the tests that passed with them.

use std::fmt;

use crate::steps::Steps;

/// A part of the world: its name, what stood in for it, and how many tests passed with it.
struct Component {
    name: &'static str,
    stand_in: String,
    tests: usize,
}

/// All parts of the world that tests have to do with.
pub struct Components(Vec<Component>);

impl Components {
    /// What the tests of a run were made with.
    pub fn seen_in(steps: &Steps) -> Self {
        let (sqlite, postgres) = ("tests, SQLite", "tests, PostgreSQL");
        let version = crate::postgres::version().unwrap_or_default();
        let part = |name, stand_in: String, tests| Component { name, stand_in, tests };
        let real = || "real".to_owned();
        Self(vec![
            part("SQLite", "real, built in".to_owned(), steps.tests(sqlite, "")),
            part("PostgreSQL", format!("real, {version}"), steps.tests(postgres, "")),
            part("two servers on one database", real(), steps.tests(postgres, "two_servers")),
            part("kill -9", real(), steps.tests(sqlite, "kill") + steps.tests(postgres, "kill")),
            part("sandbox gateway", real(), steps.tests(sqlite, "payment")),
            part("Stripe", "a stand-in that checks what it is sent".to_owned(), steps.tests(sqlite, "stripe")),
            part("fuzzed by its description", real(), steps.tests(crate::FUZZ, "")),
            part("simulation", real(), steps.tests(sqlite, "a_million_commands")),
        ])
    }
}

impl fmt::Display for Components {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<30} {:<42} tests passed", "component", "was")?;
        for part in &self.0 {
            let was = if part.tests == 0 { "absent" } else { &part.stand_in };
            writeln!(f, "{:<30} {was:<42} {}", part.name, part.tests)?;
        }
        Ok(())
    }
}
