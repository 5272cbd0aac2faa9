//! `maepyo import`: events with their seats and ticket types from a file.

mod csv;
mod draft;
mod json;
mod line_ends;
mod locate;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ::desk::{Desk, Stopped};
use clap::Args;
use engine::catalogue::{CreateEvent, Editor};
use engine::people::Role;
use engine::refusal::Refusal;

use crate::cli::{Failure, StoreArgs, runtime};
use crate::config::Config;
use crate::folder;
use draft::{Draft, Fault};

/// Faults printed at most; the rest is counted.
const FAULTS: usize = 50;

/// What a file may look like, for `--help`.
pub const FORMATS: &str = "\
JSON (.json, .jsonl, .ndjson): an array of events, or one event after the other, each with the fields
of POST /api/events:
  {\"title\":\"…\",\"category\":\"concert\",\"venue\":\"…\",\"location\":\"…\",
   \"start_date\":\"2027-03-01T10:30:00Z\",\"end_date\":\"2027-03-01T12:30:00Z\",
   \"seating\":{\"sections\":[{\"name\":\"A\",\"rows\":20,\"seats_per_row\":30,\"price\":99000}]}}

CSV (.csv): a header, then a line for each seat, row of seats or ticket type; the lines of one event stand together.
  about the event   event (what groups its lines; else the title does), title, description, category, venue,
                    location, address, artist_name, start_date, end_date, sale_start, sale_end, image_url,
                    tags (separated by ;), max_per_user, status. Its first line decides; later ones may be empty.
  a seat            section, row, number, price
  a row of seats    section, row, quantity (seats 1 to quantity), price
  a ticket type     ticket_type, quantity, price, ticket_description

  event,title,category,venue,location,start_date,end_date,section,row,number,price
  e1,봄 음악회,concert,세종문화회관,서울,2027-03-01T10:30:00Z,2027-03-01T12:30:00Z,A,1,1,99000
  e1,,,,,,,A,1,2,99000

Dates are RFC 3339 with a zone, prices whole won. An event is imported whole or not at all; one that is
faulty does not keep the others out. Exit status 1: some were.";

/// What to import, and for whom.
#[derive(Debug, Args)]
pub struct ImportArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// The file, .json, .jsonl, .ndjson or .csv.
    file: PathBuf,
    /// Publish every event, whatever its status says.
    #[arg(long)]
    publish: bool,
    /// Whose events they become: an organizer or admin (the admin.email of the settings if left out).
    #[arg(long, value_name = "EMAIL")]
    owner: Option<String>,
}

/// What became of a file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    events: usize,
    places: u64,
    refused: usize,
    faults: usize,
}

/// `maepyo import`.
pub fn run(args: &ImportArgs) -> Result<ExitCode, Failure> {
    let config = args.store.load(&[])?;
    let drafts = open(&args.file)?;
    let _lock = folder::open(&config)?;
    let tally = runtime()?.block_on(async {
        let desk = Desk::open(config.desk()).await.map_err(Failure::new)?;
        let out = std::io::stderr();
        let mut progress = Progress { watched: out.is_terminal(), out };
        let tally = import(&desk, args, &config, drafts, &mut progress).await;
        progress.clear();
        desk.close().await;
        tally
    })?;
    println!("{} events with {} seats and tickets imported, {} refused", tally.events, tally.places, tally.refused);
    Ok(if tally.refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

type Drafts = Box<dyn Iterator<Item = Result<Draft, Vec<Fault>>>>;

fn open(path: &Path) -> Result<Drafts, Failure> {
    let named = |issue: &dyn std::fmt::Display| Failure::new(format!("{}: {issue}", path.display()));
    let file = std::fs::File::open(path).map_err(|error| named(&error))?;
    let reader = std::io::BufReader::with_capacity(1 << 16, file);
    let extension = path.extension().and_then(|own| own.to_str()).unwrap_or_default().to_lowercase();
    match extension.as_str() {
        "json" | "jsonl" | "ndjson" => Ok(Box::new(json::drafts(reader))),
        "csv" => Ok(Box::new(csv::drafts(reader).map_err(|fault| named(&fault))?)),
        _ => Err(named(&"its name has to end in .json, .jsonl, .ndjson or .csv")),
    }
}

async fn import(
    desk: &Desk,
    args: &ImportArgs,
    config: &Config,
    drafts: Drafts,
    progress: &mut Progress<impl Write>,
) -> Result<Tally, Failure> {
    let editor = owner(desk, args, config).await?;
    let mut tally = Tally::default();
    for draft in drafts {
        let created = match draft {
            Ok(draft) => create(desk, editor, args.publish, draft).await?,
            Err(faults) => Err(faults),
        };
        match created {
            Ok(places) => {
                tally.events += 1;
                tally.places += places;
            }
            Err(faults) => {
                tally.refused += 1;
                progress.complain(&mut tally, &faults);
            }
        }
        progress.show(&tally);
    }
    Ok(tally)
}

async fn owner(desk: &Desk, args: &ImportArgs, config: &Config) -> Result<Editor, Failure> {
    let email = args.owner.as_deref().unwrap_or(&config.admin.email);
    if email.is_empty() {
        return Err(Failure::new("whose events are these? Name an organizer or admin with --owner EMAIL"));
    }
    let user = desk.user_by_email(email).await.map_err(Failure::new)?;
    let user =
        user.ok_or_else(|| Failure::new(format!("nobody has the address {email}: see `maepyo admin create`")))?;
    match user.role {
        Role::User => Err(Failure::new(format!("{email} is neither organizer nor admin"))),
        role => Ok(Editor { user: user.id, role }),
    }
}

async fn create(desk: &Desk, editor: Editor, publish: bool, draft: Draft) -> Result<Result<u64, Vec<Fault>>, Failure> {
    let Draft { place, billing, offer, publish: own } = draft;
    match desk.run(CreateEvent { editor, billing, offer, publish: publish || own }).await {
        Ok(event) => Ok(Ok(u64::from(event.offer.total()))),
        Err(Stopped::Refused(Refusal::EventInvalid { field, issue })) => Ok(Err(vec![place.fault(field, &issue)])),
        Err(Stopped::Refused(refusal)) => Ok(Err(vec![place.fault("", &refusal.to_string())])),
        Err(stopped) => Err(Failure::new(stopped)),
    }
}

/// What is printed while it goes on. Whoever cannot be told is no reason to stop.
struct Progress<W> {
    /// Whether it is a terminal, where somebody wants to see how far it is.
    watched: bool,
    out: W,
}

impl<W: Write> Progress<W> {
    fn complain(&mut self, tally: &mut Tally, faults: &[Fault]) {
        self.clear();
        for fault in faults {
            tally.faults += 1;
            let _ = match tally.faults {
                count if count <= FAULTS => writeln!(self.out, "{fault}"),
                count if count == FAULTS + 1 => writeln!(self.out, "more faults are not shown"),
                _ => Ok(()),
            };
        }
    }

    fn show(&mut self, tally: &Tally) {
        if self.watched {
            let _ = write!(self.out, "\r{} events, {} seats and tickets … ", tally.events, tally.places);
            let _ = self.out.flush();
        }
    }

    /// Takes the line that tells how far it is away, so that another can stand there.
    fn clear(&mut self) {
        if self.watched {
            let _ = write!(self.out, "\r\x1b[2K");
            let _ = self.out.flush();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(watched: bool) -> String {
        let mut progress = Progress { watched, out: Vec::new() };
        let mut tally = Tally { events: 1, places: 9, ..Tally::default() };
        progress.show(&tally);
        progress.complain(&mut tally, &[Fault { line: 5, issue: "price: is missing".to_owned() }]);
        progress.show(&tally);
        progress.clear();
        String::from_utf8(progress.out).expect("text")
    }

    #[test]
    fn what_is_printed_on_a_terminal_stands_in_lines_of_its_own() {
        let (progress, clear) = ("\r1 events, 9 seats and tickets … ", "\r\x1b[2K");
        let fault = "line 5: price: is missing\n";
        assert_eq!(printed(true), format!("{progress}{clear}{fault}{progress}{clear}"));
        assert_eq!(printed(false), fault);
    }
}
