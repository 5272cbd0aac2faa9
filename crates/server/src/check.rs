//! `maepyo check` and `maepyo migrate`.

use std::process::ExitCode;

use desk::{CheckReport, Desk};

use crate::cli::{Failure, StoreArgs, runtime};
use crate::folder;

/// Lines printed per kind of violation.
const LINES: i64 = 20;

/// Audits the store. It only reads, so it needs no lock and may run beside a server.
pub fn run(args: &StoreArgs) -> Result<ExitCode, Failure> {
    let config = args.load(&[])?;
    if config.database.url.given().is_none() && !config.data.join("maepyo.db").is_file() {
        let folder = config.data.display();
        return Err(Failure::new(format!("there is no store in {folder}: name its folder with --data")));
    }
    let report = runtime()?.block_on(async {
        let desk = Desk::open_to_read(config.desk()).await.map_err(Failure::new)?;
        desk.check(LINES).await.map_err(Failure::new)
    })?;
    print!("{}", render(&report));
    Ok(if violated(&report) == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Brings the tables of the store up to date.
pub fn migrate(args: &StoreArgs) -> Result<ExitCode, Failure> {
    let config = args.load(&[])?;
    let _lock = folder::open(&config)?;
    runtime()?.block_on(async {
        Desk::open(config.desk()).await.map_err(Failure::new)?.close().await;
        Ok::<(), Failure>(())
    })?;
    println!("the store is up to date");
    Ok(ExitCode::SUCCESS)
}

fn violated(report: &CheckReport) -> usize {
    report.checks.iter().filter(|(_, _, lines)| !lines.is_empty()).count()
}

fn render(report: &CheckReport) -> String {
    let mut text = String::new();
    for (name, rows, lines) in &report.checks {
        text += &format!("{} {name} ({rows} rows)\n", if lines.is_empty() { "ok   " } else { "WRONG" });
        text.extend(lines.iter().map(|line| format!("      {line}\n")));
    }
    text + &format!("{} checks, {} violated\n", report.checks.len(), violated(report))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_tells_what_was_looked_at_and_what_is_wrong() {
        let checks = vec![("one claim a seat", 5, vec![]), ("ledger sums to zero", 2, vec!["wallet 7: -1".to_owned()])];
        let report = CheckReport { checks };
        let expected = "ok    one claim a seat (5 rows)\nWRONG ledger sums to zero (2 rows)\n      wallet 7: -1\n\
                        2 checks, 1 violated\n";
        assert_eq!(render(&report), expected);
        assert_eq!(violated(&report), 1);
    }
}
