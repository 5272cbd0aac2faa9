//! How the seats of an event stand: sections of rows of numbered seats, each seat an ordinal.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::money::Won;
use crate::refusal::Refusal;

/// The most seats one event may have.
pub const MOST_SEATS: u32 = 200_000;

/// A row of a section as it is described: everything in it costs the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatRow {
    /// The section it stands in.
    pub section: String,
    /// What the row is called.
    pub label: String,
    /// What a seat in it costs.
    pub price: Won,
    /// The seats, from left to right.
    pub numbers: Numbers,
}

/// The seat numbers of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Numbers {
    /// 1, 2, 3 … this many.
    UpTo(u32),
    /// As listed.
    Named(Vec<String>),
}

impl Numbers {
    /// How many seats.
    #[must_use]
    pub fn count(&self) -> u32 {
        match self {
            Self::UpTo(count) => *count,
            Self::Named(names) => u32::try_from(names.len()).unwrap_or(u32::MAX),
        }
    }

    fn name(&self, index: u32) -> Cow<'_, str> {
        match self {
            Self::UpTo(_) => Cow::Owned((index + 1).to_string()),
            Self::Named(names) => Cow::Borrowed(&names[index as usize]),
        }
    }

    fn index(&self, name: &str) -> Option<u32> {
        match self {
            Self::UpTo(count) => {
                let number: u32 = name.parse().ok()?;
                // "01" and "+1" parse too, but no seat is called that.
                let plain = name.bytes().all(|b| b.is_ascii_digit()) && !name.starts_with('0');
                (plain && (1..=*count).contains(&number)).then(|| number - 1)
            }
            Self::Named(names) => names.iter().position(|own| own == name).and_then(|n| u32::try_from(n).ok()),
        }
    }
}

/// What a seat is called by: each has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Its section.
    Section,
    /// Its row in the section.
    Row,
    /// Its number in the row.
    Number,
}

impl Part {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Section => "section",
            Self::Row => "row",
            Self::Number => "number",
        }
    }

    /// Checks the name of one.
    ///
    /// # Errors
    /// What it must be instead.
    pub fn check(self, name: &str) -> Result<(), &'static str> {
        let (most, issue) = match self {
            Self::Section => (50, "must have 1 to 50 characters"),
            Self::Row => (20, "must have 1 to 20 characters"),
            Self::Number => (20, "must have 1 to 20 characters, none of them '-'"),
        };
        // What stands behind the last '-' of a label is the number.
        let dashed = self == Self::Number && name.contains('-');
        if name.trim().is_empty() || name.chars().count() > most || dashed { Err(issue) } else { Ok(()) }
    }
}

/// One seat, looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat<'a> {
    /// Its place in the event, from zero.
    pub ordinal: u32,
    /// Its section.
    pub section: &'a str,
    /// Its row.
    pub row: &'a str,
    /// Its number in the row.
    pub number: Cow<'a, str>,
    /// What it costs.
    pub price: Won,
}

impl Seat<'_> {
    /// `{section}-{row}-{number}`: what the seat is called in a request.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{}-{}-{}", self.section, self.row, self.number)
    }
}

/// All seats of an event. Made once, looked up often.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    rows: Vec<SeatRow>,
    /// The ordinal of the first seat of each row, and at the end the number of seats.
    starts: Vec<u32>,
    by_name: HashMap<String, u32>,
    /// What comes before each row in its section.
    before: Vec<Stretch>,
    /// All there is of each section.
    sections: HashMap<String, Stretch>,
}

/// Some rows of a section.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stretch {
    /// How many rows.
    pub rows: u32,
    /// How many seats they have.
    pub seats: u32,
}

impl PartialEq for Layout {
    fn eq(&self, other: &Self) -> bool {
        self.rows == other.rows
    }
}

impl Eq for Layout {}

impl Layout {
    /// A layout of these rows, in this order.
    ///
    /// # Errors
    /// [`Refusal::EventInvalid`] for too many seats, an empty or repeated name, or a price out of range.
    pub fn new(rows: Vec<SeatRow>) -> Result<Self, Refusal> {
        let mut starts = Vec::with_capacity(rows.len() + 1);
        let mut by_name = HashMap::with_capacity(rows.len());
        let mut before = Vec::with_capacity(rows.len());
        let mut sections = HashMap::<String, Stretch>::new();
        let mut total: u32 = 0;
        for (index, row) in rows.iter().enumerate() {
            check_row(row)?;
            starts.push(total);
            total = total.saturating_add(row.numbers.count());
            if total > MOST_SEATS {
                return Err(too_many());
            }
            let section = sections.entry(row.section.clone()).or_default();
            before.push(*section);
            *section = Stretch { rows: section.rows + 1, seats: section.seats + row.numbers.count() };
            let name = format!("{}-{}", row.section, row.label);
            if by_name.insert(name, u32::try_from(index).unwrap_or(u32::MAX)).is_some() {
                return Err(invalid(format!("row {} of section {} is there twice", row.label, row.section)));
            }
        }
        starts.push(total);
        Ok(Self { rows, starts, by_name, before, sections })
    }

    /// The layout an event gets that describes none: VIP a tenth at the highest price, A three tenths
    /// at the middle, B the rest at the lowest, twenty seats a row.
    ///
    /// # Errors
    /// As [`Layout::new`].
    pub fn standard(total: u32, lowest: Won, highest: Won) -> Result<Self, Refusal> {
        let (vip, a) = (total / 10, u32::try_from(u64::from(total) * 3 / 10).unwrap_or(0));
        let middle = Won(lowest.plus(highest)?.0 / 2);
        if total > MOST_SEATS {
            return Err(too_many());
        }
        let sections = [("VIP", vip, highest), ("A", a, middle), ("B", total - vip - a, lowest)];
        let rows = sections.into_iter().flat_map(|(name, seats, price)| section(name, seats, 20, price));
        Self::new(rows.collect())
    }

    /// The rows, in order.
    #[must_use]
    pub fn rows(&self) -> &[SeatRow] {
        &self.rows
    }

    /// How many seats there are.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.starts.last().copied().unwrap_or(0)
    }

    /// How many rows a section has.
    #[must_use]
    pub fn rows_of(&self, section: &str) -> u32 {
        self.sections.get(section).map_or(0, |own| own.rows)
    }

    /// What comes before the row at an index in its section.
    #[must_use]
    pub fn before(&self, row: usize) -> Stretch {
        self.before[row]
    }

    /// The ordinal of the first seat of the row at an index.
    #[must_use]
    pub fn start(&self, row: usize) -> u32 {
        self.starts[row]
    }

    /// The index of the row in which the seat with an ordinal is.
    #[must_use]
    pub fn row_of(&self, ordinal: u32) -> Option<usize> {
        (ordinal < self.total()).then(|| self.starts.partition_point(|start| *start <= ordinal) - 1)
    }

    /// The seat with an ordinal.
    #[must_use]
    pub fn seat(&self, ordinal: u32) -> Option<Seat<'_>> {
        let index = self.row_of(ordinal)?;
        let row = &self.rows[index];
        let number = row.numbers.name(ordinal - self.starts[index]);
        Some(Seat { ordinal, section: &row.section, row: &row.label, number, price: row.price })
    }

    /// The ordinal of the seat called `{section}-{row}-{number}`.
    #[must_use]
    pub fn find(&self, label: &str) -> Option<u32> {
        let (row, number) = label.rsplit_once('-')?;
        let index = *self.by_name.get(row)? as usize;
        Some(self.starts[index] + self.rows[index].numbers.index(number)?)
    }

    /// The lowest and the highest price of a seat.
    #[must_use]
    pub fn prices(&self) -> Option<(Won, Won)> {
        let prices = || self.rows.iter().map(|row| row.price);
        Some((prices().min()?, prices().max()?))
    }
}

/// The rows of a section of equal rows, the last one shorter where it does not come out even.
pub fn section(name: &str, seats: u32, per_row: u32, price: Won) -> impl Iterator<Item = SeatRow> + use<> {
    let name = name.to_owned();
    (0..seats.div_ceil(per_row.max(1))).map(move |row| SeatRow {
        section: name.clone(),
        label: (row + 1).to_string(),
        price,
        numbers: Numbers::UpTo(per_row.min(seats - row * per_row)),
    })
}

fn check_row(row: &SeatRow) -> Result<(), Refusal> {
    let named = |part: Part, name: &str| {
        part.check(name).map_err(|issue| invalid(format!("the name of a {} {issue}", part.word())))
    };
    named(Part::Section, &row.section)?;
    named(Part::Row, &row.label)?;
    if row.price < Won::ZERO || row.price > Won::MOST {
        return Err(invalid("a price is out of range".to_owned()));
    }
    if row.numbers.count() == 0 {
        return Err(invalid(format!("row {} of section {} has no seats", row.label, row.section)));
    }
    let Numbers::Named(names) = &row.numbers else { return Ok(()) };
    let mut seen = std::collections::HashSet::new();
    for name in names {
        Part::Number.check(name).map_err(|issue| invalid(format!("seat number {name:?} {issue}")))?;
        if !seen.insert(name.as_str()) {
            let issue = format!("seat {name} of row {} of section {} is there twice", row.label, row.section);
            return Err(invalid(issue));
        }
    }
    Ok(())
}

fn too_many() -> Refusal {
    invalid(format!("an event has at most {MOST_SEATS} seats"))
}

fn invalid(issue: String) -> Refusal {
    Refusal::EventInvalid { field: "seating", issue }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_layout_is_a_tenth_three_tenths_and_the_rest() {
        let layout = Layout::standard(25_000, Won(120_000), Won(350_000)).expect("valid");
        assert_eq!(layout.total(), 25_000);
        let seat = |label| layout.seat(layout.find(label).expect(label)).expect(label);
        assert_eq!(seat("VIP-125-20").price, Won(350_000));
        assert_eq!(layout.find("VIP-126-1"), None);
        assert_eq!(seat("A-375-20").price, Won(235_000));
        assert_eq!(seat("B-750-20").price, Won(120_000));
        assert_eq!(layout.find("B-751-1"), None);
    }

    #[test]
    fn every_seat_leads_to_its_label_and_back() {
        let layout = Layout::standard(133, Won(1), Won(2)).expect("valid");
        for ordinal in 0..133 {
            let seat = layout.seat(ordinal).expect("in range");
            assert_eq!(layout.find(&seat.label()), Some(ordinal));
        }
        assert_eq!(layout.seat(133), None);
        for wrong in ["VIP-1-0", "VIP-1-01", "VIP-1-+1", "VIP-1-14", "VIP-1", "", "-", "없음-1-1"] {
            assert_eq!(layout.find(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_layout_with_a_fault_is_refused() {
        let row = |label: &str, numbers| SeatRow { section: "A".into(), label: label.into(), price: Won(1), numbers };
        let named = |names: &[&str]| Numbers::Named(names.iter().map(|n| (*n).to_owned()).collect());
        for rows in [
            vec![row("1", Numbers::UpTo(MOST_SEATS + 1))],
            vec![row("1", Numbers::UpTo(2)), row("1", Numbers::UpTo(2))],
            vec![row("", Numbers::UpTo(2))],
            vec![row(&"r".repeat(21), Numbers::UpTo(2))],
            vec![SeatRow { section: " ".into(), ..row("1", Numbers::UpTo(2)) }],
            vec![row("1", Numbers::UpTo(0))],
            vec![row("1", named(&["1", "1"]))],
            vec![row("1", named(&["1-2"]))],
            vec![SeatRow { price: Won(-1), ..row("1", Numbers::UpTo(1)) }],
        ] {
            assert!(matches!(Layout::new(rows), Err(Refusal::EventInvalid { field: "seating", .. })));
        }
        let twice = Layout::new(vec![row("2", named(&["1", "7", "7"]))]).expect_err("refused");
        assert_eq!(twice.to_string(), "seating: seat 7 of row 2 of section A is there twice");
    }

    #[test]
    fn only_the_number_of_a_seat_may_have_no_dash() {
        assert_eq!([Part::Section, Part::Row].map(|part| part.check("1-1")), [Ok(()), Ok(())]);
        assert!(Part::Number.check("1-1").is_err() && Part::Number.check("11").is_ok());
        for (part, most) in [(Part::Section, 50), (Part::Row, 20), (Part::Number, 20)] {
            assert!(part.check(&"석".repeat(most)).is_ok() && part.check(&"석".repeat(most + 1)).is_err());
            assert!(part.check(" ").is_err());
        }
    }
}
