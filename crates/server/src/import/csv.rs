//! Events in CSV: a line a seat, a row of seats or a ticket type.

use std::collections::{HashMap, HashSet};
use std::io::Read;

use api::seat_pages::natural;
use csv::{Reader, ReaderBuilder, StringRecord};
use engine::catalogue::MOST_TICKET_TYPES;
use engine::catalogue::layout::{MOST_SEATS, Numbers, Part, SeatRow};

use super::draft::{Draft, Fault, Moment, Place, Price, Status, Written, WrittenType};
use super::line_ends::LineEnds;

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
pub fn drafts<R: Read>(reader: R) -> Result<impl Iterator<Item = Result<Draft, Vec<Fault>>>, Fault> {
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(LineEnds::new(reader));
    let header = reader.headers().map_err(|error| unreadable(&error))?.clone();
    let columns = columns(&header)?;
    Ok(Events { reader, columns, next: None, seen: HashSet::new(), ended: false })
}

fn columns(header: &StringRecord) -> Result<HashMap<String, usize>, Fault> {
    let wrong = |issue| Fault { line: 1, issue };
    let mut columns = HashMap::new();
    for (index, name) in header.iter().enumerate() {
        let name = name.trim_start_matches('\u{feff}').trim();
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

impl<R: Read> Iterator for Events<R> {
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

impl<R: Read> Events<R> {
    fn line(&mut self) -> Option<Result<Line, Fault>> {
        if self.ended {
            return None;
        }
        let mut cells = StringRecord::new();
        match self.reader.read_record(&mut cells) {
            Ok(false) => None,
            Ok(true) => {
                let number = self.number(&cells);
                Some(Ok(Line { number, cells }))
            }
            Err(error) => {
                // Whose line it was cannot be told: reading on could import an event without it.
                self.ended = true;
                Some(Err(unreadable(&error)))
            }
        }
    }

    /// The number of the line just read, of the first one where its cells go over several. Where the reader began to
    /// look for it does not tell: there may have been empty lines before it.
    fn number(&self, cells: &StringRecord) -> u64 {
        let began = cells.position().map_or(1, csv::Position::line);
        let inside = cells.as_slice().bytes().filter(|byte| *byte == b'\n').count() as u64;
        self.reader.position().line().saturating_sub(1 + inside).max(began)
    }

    fn key<'a>(&self, line: &'a Line) -> &'a str {
        let key = cell(&self.columns, line, "event");
        key.or(cell(&self.columns, line, "title")).unwrap_or_default()
    }
}

/// What a cell says; `None` when it is empty or there is no such column.
fn cell<'a>(columns: &HashMap<String, usize>, line: &'a Line, name: &str) -> Option<&'a str> {
    line.cells.get(*columns.get(name)?).map(str::trim).filter(|text| !text.is_empty())
}

/// An event while its lines are read.
struct Gathering {
    place: Place,
    rows: Vec<SeatRow>,
    /// Which row has the seats whose labels begin with `section-row`.
    by_prefix: HashMap<String, usize>,
    /// The seats listed so far, by row and number.
    listed: HashSet<(usize, String)>,
    /// How many seats the lines so far describe.
    seats: u32,
    types: Vec<WrittenType>,
    faults: Vec<Fault>,
}

impl Gathering {
    fn new(first: &Line) -> Self {
        let place = Place { line: first.number, text: Vec::new() };
        Self {
            place,
            rows: Vec::new(),
            by_prefix: HashMap::new(),
            listed: HashSet::new(),
            seats: 0,
            types: Vec::new(),
            faults: Vec::new(),
        }
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
        let written = WrittenType { name: name.to_owned(), price, quantity, description };
        written.plan().check().map_err(|(field, issue)| {
            let column = if field == "name" { "ticket_type" } else { field };
            format!("{column}: {issue}")
        })?;
        self.types.push(written);
        // Said once, not of every one that follows.
        match self.types.len() == MOST_TICKET_TYPES + 1 {
            true => Err(format!("ticket_type: an event has at most {MOST_TICKET_TYPES} ticket types")),
            false => Ok(()),
        }
    }

    fn take_seats<'a>(&mut self, get: &impl Fn(&str) -> Option<&'a str>) -> Result<(), String> {
        let section = get("section").ok_or("section: is needed for a seat (or ticket_type for counted tickets)")?;
        let label = get("row").ok_or("row: is needed for a seat")?;
        let price = price(get("price"))?.0;
        let numbers = numbers(get("number"), get("quantity"))?;
        check_name(Part::Section, section)?;
        check_name(Part::Row, label)?;
        let count = numbers.count();
        let row = SeatRow { section: section.to_owned(), label: label.to_owned(), price, numbers };
        let prefix = format!("{section}-{label}");
        match self.by_prefix.get(&prefix).copied() {
            Some(index) => self.join(index, row)?,
            None => self.start(prefix, row),
        }
        let before = self.seats;
        self.seats = before.saturating_add(count);
        // Said once, not of every line that follows.
        match before <= MOST_SEATS && self.seats > MOST_SEATS {
            true => Err(format!("an event has at most {MOST_SEATS} seats")),
            false => Ok(()),
        }
    }

    /// Takes a row of which nothing is there yet.
    fn start(&mut self, prefix: String, row: SeatRow) {
        let index = self.rows.len();
        if let Numbers::Named(names) = &row.numbers {
            self.listed.extend(names.iter().map(|name| (index, name.clone())));
        }
        self.by_prefix.insert(prefix, index);
        self.rows.push(row);
    }

    /// Adds the seats of a line to the row at an index, whose seats have the same beginning of their labels.
    fn join(&mut self, index: usize, line: SeatRow) -> Result<(), String> {
        let row = &mut self.rows[index];
        let SeatRow { section, label, price, numbers } = line;
        if row.section != section {
            let (other, of) = (&row.label, &row.section);
            return Err(format!(
                "row: its seats would be called as those of row {other} of section {of}: {section}-{label}-…"
            ));
        }
        if row.price != price {
            return Err(format!("price: the other seats of row {label} of {section} cost {}", row.price.0));
        }
        let (Numbers::Named(there), Numbers::Named(more)) = (&mut row.numbers, numbers) else {
            return Err(format!("row: row {label} of {section} is there twice"));
        };
        for number in more {
            if !self.listed.insert((index, number.clone())) {
                return Err(format!("number: seat {number} of row {label} of {section} is there twice"));
            }
            there.push(number);
        }
        Ok(())
    }

    fn draft(mut self, columns: &HashMap<String, usize>, first: &Line) -> Result<Draft, Vec<Fault>> {
        let types = std::mem::take(&mut self.types);
        match written(columns, first, types) {
            Err(issue) => self.fault(Fault { line: first.number, issue }),
            Ok(written) if self.faults.is_empty() => {
                return written.draft(in_order(self.rows), self.place).map_err(|fault| vec![fault]);
            }
            Ok(_) => {}
        }
        Err(self.faults)
    }
}

/// As people count, whatever the order of the lines: the rows of a section, and the seats of a row. Sections stay in the
/// order in which they first come.
fn in_order(mut rows: Vec<SeatRow>) -> Vec<SeatRow> {
    let mut sections: HashMap<String, usize> = HashMap::new();
    for row in &mut rows {
        let next = sections.len();
        sections.entry(row.section.clone()).or_insert(next);
        if let Numbers::Named(names) = &mut row.numbers {
            names.sort_by(|a, b| natural(a, b));
        }
    }
    let place = |row: &SeatRow| sections.get(&row.section).copied();
    rows.sort_by(|a, b| place(a).cmp(&place(b)).then_with(|| natural(&a.label, &b.label)));
    rows
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
        description: text("description"),
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
        tags: Some(tags(text("tags"))),
        seating: None,
        ticket_types: Some(ticket_types),
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

/// The seats of a line: one that is listed, or a row of so many.
fn numbers(listed: Option<&str>, quantity: Option<&str>) -> Result<Numbers, String> {
    match (listed, quantity) {
        (Some(name), None) => {
            check_name(Part::Number, name)?;
            Ok(Numbers::Named(vec![name.to_owned()]))
        }
        (None, Some(_)) => match count(quantity)? {
            seats if (1..=MOST_SEATS).contains(&seats) => Ok(Numbers::UpTo(seats)),
            _ => Err(format!("quantity: a row has 1 to {MOST_SEATS} seats")),
        },
        _ => Err("number: either it or quantity is needed for seats".to_owned()),
    }
}

fn check_name(part: Part, name: &str) -> Result<(), String> {
    part.check(name).map_err(|issue| format!("{}: {issue}", part.word()))
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
    fn seats_stand_as_people_count_whatever_the_order_of_the_lines() {
        let lines = ["B,2,10", "A,10,1", "B,2,9", "B,1,1", "A,9,2", "A,9,1"];
        let more: String = lines.iter().map(|seat| format!("e1,,,,,,,{seat},5,,\n")).collect();
        let found = all(&format!("e1,{ABOUT_ONE},B,2,1,5,,\n{more}"));
        let rows = &found[0].as_ref().expect("valid").offer.rows;
        let row = |own: &SeatRow| format!("{}-{}: {:?}", own.section, own.label, own.numbers);
        let rows: Vec<String> = rows.iter().map(row).collect();
        let expected = [
            r#"B-1: Named(["1"])"#,
            r#"B-2: Named(["1", "9", "10"])"#,
            r#"A-9: Named(["1", "2"])"#,
            r#"A-10: Named(["1"])"#,
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn what_was_there_before_is_a_fault_of_the_later_line() {
        let seats = |lines: &str| faults(&format!("e1,{ABOUT_ONE},A,1,1,5,,\ne1,,,,,,,A,1,2,5,,\n{lines}"));
        assert_eq!(seats("e1,,,,,,,A,1,1,5,,\n"), ["line 4: number: seat 1 of row 1 of A is there twice"]);
        assert_eq!(seats("e1,,,,,,,A,1,,5,,9\n"), ["line 4: row: row 1 of A is there twice"]);
        let same = "e1,,,,,,,A-1,1,1,5,,\ne1,,,,,,,A,1-1,9,5,,\n";
        let expected = "line 5: row: its seats would be called as those of row 1 of section A-1: A-1-1-…";
        assert_eq!(seats(same), [expected]);
    }

    #[test]
    fn what_the_engine_would_refuse_is_a_fault_of_its_line() {
        let after = |cells: &str| faults(&format!("e1,{ABOUT_ONE},A,1,1,5,,\ne1,,,,,,,{cells}\n")).join("\n");
        assert_eq!(after(",,,5,성인,0"), "line 3: quantity: must be 1 to 1,000,000");
        let long = "t".repeat(101);
        assert_eq!(after(&format!(",,,5,{long},1")), "line 3: ticket_type: must have 1 to 100 characters");
        assert_eq!(after(&format!("{long},1,1,5,,")), "line 3: section: must have 1 to 50 characters");
        assert_eq!(after(&format!("B,{long},1,5,,")), "line 3: row: must have 1 to 20 characters");
        let dashed = "line 3: number: must have 1 to 20 characters, none of them '-'";
        assert_eq!((after("B,1,1-1,5,,").as_str(), after(&format!("B,1,{long},5,,")).as_str()), (dashed, dashed));
        assert_eq!(after("B,1,,5,,0"), "line 3: quantity: a row has 1 to 200000 seats");
        let many = after("B,1,,5,,200000\ne1,,,,,,,B,2,,5,,7");
        assert_eq!(many, "line 3: an event has at most 200000 seats");
        let types = [",,,5,t,1"; 52].join("\ne1,,,,,,,");
        assert_eq!(after(&types), "line 53: ticket_type: an event has at most 50 ticket types");
    }

    #[test]
    fn lines_are_counted_whatever_ends_them_and_whatever_is_empty_or_long() {
        let text = format!("e1,\"봄\n 음악회\",{},A,1,1,5,,\n\n\ne1,,,,,,,A,1,2,x,,", &ABOUT_ONE["봄 음악회,".len()..]);
        for end in ["\n", "\r\n", "\r"] {
            let found = faults(&text.replace('\n', end));
            assert!(found[0].starts_with("line 6: price: "), "{end:?} {found:?}");
            let first = faults(&text.replace(",5,", ",y,").replace('\n', end));
            assert!(first[0].starts_with("line 2: price: "), "{end:?} {first:?}");
        }
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
