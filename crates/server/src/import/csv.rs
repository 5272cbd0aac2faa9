//! Events in CSV: a line a seat, a row of seats or a ticket type.

use std::collections::{HashMap, HashSet};
use std::io::BufRead;

use csv::{Reader, ReaderBuilder, StringRecord};
use engine::catalogue::layout::{Numbers, SeatRow};

use super::draft::{Draft, Fault, Moment, Place, Price, Status, Written, WrittenType};

/// The columns that say something about the event.
const ABOUT: [&str; 15] = [
    "title",
    "description",
    "category",
    "venue",
    "location",
    "address",
    "artist_name",
    "start_date",
    "end_date",
    "sale_start",
    "sale_end",
    "image_url",
    "tags",
    "max_per_user",
    "status",
];

/// The columns that say what a line puts on sale, and the one that groups lines.
const OTHERS: [&str; 8] =
    ["event", "section", "row", "number", "price", "ticket_type", "quantity", "ticket_description"];

/// Faults told of one event.
const FAULTS: usize = 20;

/// The events of a CSV file, in order.
///
/// # Errors
/// When the header names a column there is not, or lacks one that is needed.
pub fn drafts<R: BufRead>(reader: R) -> Result<impl Iterator<Item = Result<Draft, Vec<Fault>>>, Fault> {
    let mut reader = ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(reader);
    let header = reader.headers().map_err(|error| unreadable(&error))?.clone();
    let columns = columns(&header)?;
    Ok(Events { reader, columns, next: None, seen: HashSet::new(), ended: false })
}

fn columns(header: &StringRecord) -> Result<HashMap<String, usize>, Fault> {
    let wrong = |issue| Fault { line: 1, issue };
    let mut columns = HashMap::new();
    for (index, name) in header.iter().enumerate() {
        let name = name.trim_start_matches('\u{feff}');
        if !ABOUT.contains(&name) && !OTHERS.contains(&name) {
            let known = [ABOUT.as_slice(), OTHERS.as_slice()].concat().join(", ");
            return Err(wrong(format!("there is no column {name:?}; there are {known}")));
        }
        if columns.insert(name.to_owned(), index).is_some() {
            return Err(wrong(format!("the column {name} is there twice")));
        }
    }
    match ["title", "category", "venue", "location", "start_date", "end_date", "price"]
        .into_iter()
        .find(|name| !columns.contains_key(*name))
    {
        Some(name) => Err(wrong(format!("the column {name} is missing"))),
        None => Ok(columns),
    }
}

fn unreadable(error: &csv::Error) -> Fault {
    let line = error.position().map_or(1, csv::Position::line);
    Fault { line, issue: format!("cannot be read, and nothing after it was: {error}") }
}

struct Events<R> {
    reader: Reader<R>,
    columns: HashMap<String, usize>,
    /// The first line of the event to come.
    next: Option<Line>,
    seen: HashSet<String>,
    ended: bool,
}

/// A line and where it stands.
struct Line {
    number: u64,
    cells: StringRecord,
}

impl<R: BufRead> Iterator for Events<R> {
    type Item = Result<Draft, Vec<Fault>>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = match self.next.take().map(Ok).or_else(|| self.line())? {
            Ok(first) => first,
            Err(fault) => return Some(Err(vec![fault])),
        };
        let key = self.key(&first).to_owned();
        let mut gathering = Gathering::new(&first);
        if !self.seen.insert(key.clone()) {
            gathering.fault(Fault { line: first.number, issue: "event: its lines must stand together".to_owned() });
        }
        gathering.take(&self.columns, &first, &first);
        while let Some(line) = self.line() {
            match line {
                Ok(line) if [key.as_str(), ""].contains(&self.key(&line)) => {
                    gathering.take(&self.columns, &first, &line);
                }
                Ok(line) => {
                    self.next = Some(line);
                    break;
                }
                Err(fault) => gathering.fault(fault),
            }
        }
        Some(gathering.draft(&self.columns, &first))
    }
}

impl<R: BufRead> Events<R> {
    fn line(&mut self) -> Option<Result<Line, Fault>> {
        if self.ended {
            return None;
        }
        let mut cells = StringRecord::new();
        match self.reader.read_record(&mut cells) {
            Ok(false) => None,
            Ok(true) => {
                let number = cells.position().map_or(0, csv::Position::line);
                Some(Ok(Line { number, cells }))
            }
            Err(error) => {
                // Whose line it was cannot be told: reading on could import an event without it.
                self.ended = true;
                Some(Err(unreadable(&error)))
            }
        }
    }

    fn key<'a>(&self, line: &'a Line) -> &'a str {
        let key = cell(&self.columns, line, "event");
        key.or(cell(&self.columns, line, "title")).unwrap_or_default()
    }
}

/// What a cell says; `None` when it is empty or there is no such column.
fn cell<'a>(columns: &HashMap<String, usize>, line: &'a Line, name: &str) -> Option<&'a str> {
    line.cells.get(*columns.get(name)?).filter(|text| !text.is_empty())
}

/// An event while its lines are read.
struct Gathering {
    place: Place,
    rows: Vec<SeatRow>,
    by_name: HashMap<(String, String), usize>,
    types: Vec<WrittenType>,
    faults: Vec<Fault>,
}

impl Gathering {
    fn new(first: &Line) -> Self {
        let place = Place { line: first.number, text: Vec::new() };
        Self { place, rows: Vec::new(), by_name: HashMap::new(), types: Vec::new(), faults: Vec::new() }
    }

    fn fault(&mut self, fault: Fault) {
        if self.faults.len() < FAULTS {
            self.faults.push(fault);
        }
    }

    fn take(&mut self, columns: &HashMap<String, usize>, first: &Line, line: &Line) {
        let differs =
            |name: &&&str| cell(columns, line, name).is_some_and(|own| cell(columns, first, name) != Some(own));
        if let Some(name) = ABOUT.iter().find(|name| differs(name)) {
            let issue = format!("{name}: differs from line {}", first.number);
            self.fault(Fault { line: line.number, issue });
        }
        let get = |name: &str| cell(columns, line, name);
        let taken = match get("ticket_type") {
            _ if line.cells.len() != columns.len() => {
                Err(format!("has {} cells under {} columns", line.cells.len(), columns.len()))
            }
            Some(name) => self.take_type(name, &get),
            None => self.take_seats(&get),
        };
        if let Err(issue) = taken {
            self.fault(Fault { line: line.number, issue });
        }
    }

    fn take_type<'a>(&mut self, name: &str, get: &impl Fn(&str) -> Option<&'a str>) -> Result<(), String> {
        if let Some(column) = ["section", "row", "number"].into_iter().find(|column| get(column).is_some()) {
            return Err(format!("{column}: a ticket type has none"));
        }
        let (price, quantity) = (price(get("price"))?, count(get("quantity"))?);
        let description = get("ticket_description").map(str::to_owned);
        self.types.push(WrittenType { name: name.to_owned(), price, quantity, description });
        Ok(())
    }

    fn take_seats<'a>(&mut self, get: &impl Fn(&str) -> Option<&'a str>) -> Result<(), String> {
        let section = get("section").ok_or("section: is needed for a seat (or ticket_type for counted tickets)")?;
        let label = get("row").ok_or("row: is needed for a seat")?;
        let price = price(get("price"))?.0;
        let numbers = match (get("number"), get("quantity")) {
            (Some(number), None) => Numbers::Named(vec![number.to_owned()]),
            (None, quantity @ Some(_)) => Numbers::UpTo(count(quantity)?),
            _ => return Err("number: either it or quantity is needed for seats".to_owned()),
        };
        let name = (section.to_owned(), label.to_owned());
        let Some(index) = self.by_name.get(&name) else {
            self.by_name.insert(name, self.rows.len());
            self.rows.push(SeatRow { section: section.to_owned(), label: label.to_owned(), price, numbers });
            return Ok(());
        };
        let row = &mut self.rows[*index];
        if row.price != price {
            return Err(format!("price: the other seats of row {label} of {section} cost {}", row.price.0));
        }
        match (&mut row.numbers, numbers) {
            (Numbers::Named(all), Numbers::Named(one)) => all.extend(one),
            _ => return Err(format!("row: row {label} of {section} is there twice")),
        }
        Ok(())
    }

    fn draft(mut self, columns: &HashMap<String, usize>, first: &Line) -> Result<Draft, Vec<Fault>> {
        let types = std::mem::take(&mut self.types);
        match written(columns, first, types) {
            Err(issue) => self.fault(Fault { line: first.number, issue }),
            Ok(written) if self.faults.is_empty() => {
                return written.draft(self.rows, self.place).map_err(|fault| vec![fault]);
            }
            Ok(_) => {}
        }
        Err(self.faults)
    }
}

fn written(columns: &HashMap<String, usize>, first: &Line, ticket_types: Vec<WrittenType>) -> Result<Written, String> {
    let text = |name: &str| cell(columns, first, name).map(str::to_owned);
    let needed = |name: &str| text(name).ok_or_else(|| format!("{name}: is missing"));
    let moment = |name: &str| {
        let found = cell(columns, first, name).map(Moment::parse).transpose();
        found.map_err(|issue| format!("{name}: {issue}"))
    };
    let needed_moment = |name: &str| moment(name)?.ok_or_else(|| format!("{name}: is missing"));
    Ok(Written {
        title: needed("title")?,
        description: text("description").unwrap_or_default(),
        category: needed("category")?,
        venue: needed("venue")?,
        location: needed("location")?,
        start_date: needed_moment("start_date")?,
        end_date: needed_moment("end_date")?,
        min_price: None,
        max_price: None,
        total_seats: None,
        image_url: text("image_url"),
        artist_name: text("artist_name"),
        address: text("address"),
        sale_start: moment("sale_start")?,
        sale_end: moment("sale_end")?,
        organizer: None,
        tags: tags(text("tags")),
        seating: None,
        ticket_types,
        waiting_room: None,
        max_per_user: text("max_per_user").map(|own| number("max_per_user", &own)).transpose()?,
        status: text("status").map(|own| status(&own)).transpose()?,
    })
}

fn tags(cell: Option<String>) -> Vec<String> {
    let cell = cell.unwrap_or_default();
    cell.split(';').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
}

fn status(text: &str) -> Result<Status, String> {
    match text {
        "draft" => Ok(Status::Draft),
        "published" => Ok(Status::Published),
        _ => Err(format!("status: {text:?} is neither draft nor published")),
    }
}

fn price(cell: Option<&str>) -> Result<Price, String> {
    Price::parse(cell.ok_or("price: is missing")?).map_err(|issue| format!("price: {issue}"))
}

fn count(cell: Option<&str>) -> Result<u32, String> {
    number("quantity", cell.ok_or("quantity: is missing")?)
}

fn number(name: &str, text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("{name}: {text:?} is not a whole number"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    const HEADER: &str =
        "event,title,category,venue,location,start_date,end_date,section,row,number,price,ticket_type,quantity";
    const ABOUT_ONE: &str = "봄 음악회,concert,홀,서울,2027-03-01T10:30:00Z,2027-03-01T12:30:00Z";

    fn all(lines: &str) -> Vec<Result<Draft, Vec<Fault>>> {
        drafts(format!("{HEADER}\n{lines}").as_bytes()).expect("a good header").collect()
    }

    fn faults(lines: &str) -> Vec<String> {
        let found = all(lines).into_iter().filter_map(Result::err).flatten();
        found.map(|fault| fault.to_string()).collect()
    }

    #[test]
    fn seats_rows_and_ticket_types_become_events() {
        let text = format!(
            "e1,{ABOUT_ONE},A,1,1,99000,,\ne1,,,,,,,A,1,2,99000,,\n,,,,,,,B,1,,55000,,30\n\
             e2,{ABOUT_ONE},,,,18000.0,성인,500\n"
        );
        let drafts: Vec<Draft> = all(&text).into_iter().map(|draft| draft.expect("valid")).collect();
        assert_eq!(drafts.len(), 2);
        let rows = &drafts[0].offer.rows;
        assert_eq!(rows[0].numbers, Numbers::Named(vec!["1".into(), "2".into()]));
        assert_eq!((&rows[1].numbers, rows[1].price.0), (&Numbers::UpTo(30), 55_000));
        assert_eq!((drafts[1].offer.types[0].price.0, drafts[1].offer.types[0].quantity), (18_000, 500));
        assert_eq!(drafts[1].place.line, 5);
    }

    #[test]
    fn faults_name_their_line_and_only_their_event_fails() {
        let text = format!(
            "e1,{ABOUT_ONE},A,1,1,99000,,\ne1,,,,,,,A,1,2,1.5,,\ne1,,,,,,,A,1,3,1000,,\ne1,다른 제목,,,,,,A,1,4,99000,,\n\
             e2,{ABOUT_ONE},A,1,1,99000,,\ne3,{},A,1,1,1,,\n",
            ABOUT_ONE.replace("2027-03-01T10:30:00Z", "soon")
        );
        let found = faults(&text);
        assert!(found[0].starts_with("line 3: price: \"1.5\" is not whole won"), "{found:?}");
        assert_eq!(found[1], "line 4: price: the other seats of row 1 of A cost 99000");
        assert_eq!(found[2], "line 5: title: differs from line 2");
        assert!(found[3].starts_with("line 7: start_date: \"soon\" is not a date"), "{found:?}");
        assert_eq!((found.len(), all(&text).iter().filter(|draft| draft.is_ok()).count()), (4, 1));
    }

    #[test]
    fn lines_that_make_no_sense_are_faults() {
        let one = |cells: &str| faults(&format!("e1,{ABOUT_ONE},{cells}\n")).join("\n");
        assert!(one(",,,5,,").starts_with("line 2: section: is needed"));
        assert!(one("A,,1,5,,").starts_with("line 2: row: is needed"));
        assert!(one("A,1,1,,,").starts_with("line 2: price: is missing"));
        assert!(one("A,1,1,5,,3").starts_with("line 2: number: either"));
        assert!(one("A,1,,5,,many").starts_with("line 2: quantity: "));
        assert!(one("A,,,5,성인,3").starts_with("line 2: section: a ticket type has none"));
        assert!(one("A,1").contains("line 2: has 9 cells under 13 columns"));
        let split = format!("e1,{ABOUT_ONE},A,1,1,5,,\ne2,{ABOUT_ONE},A,1,1,5,,\ne1,{ABOUT_ONE},A,1,2,5,,\n");
        assert_eq!(faults(&split), ["line 4: event: its lines must stand together"]);
    }

    #[test]
    fn what_is_no_utf_8_ends_the_reading_and_refuses_the_event_it_may_belong_to() {
        let text = format!("{HEADER}\ne1,{ABOUT_ONE},A,1,1,5,,\n?,,,,,,,A,1,2,5,,\ne2,{ABOUT_ONE},A,1,1,5,,\n");
        let bytes: Vec<u8> = text.bytes().map(|byte| if byte == b'?' { 0xff } else { byte }).collect();
        let all: Vec<_> = drafts(bytes.as_slice()).expect("a good header").collect();
        let fault = all[0].as_ref().expect_err("refused")[0].to_string();
        assert!(fault.starts_with("line 3: cannot be read, and nothing after it was"), "{fault}");
        assert_eq!(all.len(), 1);
    }

    #[test]
    fn a_header_has_known_columns_and_the_needed_ones() {
        let header = |text: &str| drafts(text.as_bytes()).err().expect("refused").to_string();
        assert!(header("titel,price").starts_with("line 1: there is no column \"titel\"; there are title, "));
        assert_eq!(header("title,title"), "line 1: the column title is there twice");
        assert_eq!(header("title,category"), "line 1: the column venue is missing");
    }

    #[test]
    fn two_hundred_thousand_seats_are_one_event() {
        let mut text = format!("e1,{ABOUT_ONE},S,0,0,9,,\n");
        for seat in 1..200_000 {
            writeln!(text, "e1,,,,,,,S,{},{},9,,", seat / 50, seat % 50).expect("memory");
        }
        let drafts = all(&text);
        let draft = drafts[0].as_ref().expect("valid");
        assert_eq!(draft.offer.rows.iter().map(|row| row.numbers.count()).sum::<u32>(), 200_000);
        assert_eq!(drafts.len(), 1);
    }
}
