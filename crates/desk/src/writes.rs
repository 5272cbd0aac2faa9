//! What a batch writes to PostgreSQL. By itself a statement costs the database and the connection as much as some ten rows
//! of it, so what is often written together is one statement. It takes a while to plan, and some memory: what is seldom
//! written together is a statement a table.

use std::borrow::Cow;
use std::collections::HashMap;
use std::iter;

use tokio_postgres::Statement;

use crate::store::Values;
use crate::value::Kind;

/// The name of a column and what is in it.
pub(crate) type Column = (&'static str, Kind);

/// What is done with rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Verb {
    Insert,
    Update,
    Delete,
}

/// Rows of a table that are written in one way.
pub(crate) struct Write {
    pub verb: Verb,
    pub table: &'static str,
    /// The columns that are sent, those of the key first.
    pub columns: Cow<'static, [Column]>,
    /// How many columns the key has.
    pub keys: usize,
    /// An array a column.
    pub arrays: Vec<Values>,
}

/// What a statement depends on: two with the same shapes differ in their rows only.
type Shape = (&'static str, Verb, usize);

impl Write {
    fn shape(&self) -> Shape {
        (self.table, self.verb, self.columns.len())
    }

    /// Its part of a statement; the first so many parameters belong to others.
    fn sql(&self, before: usize) -> String {
        let (table, columns) = (self.table, &self.columns[..]);
        let (key, fields) = columns.split_at(self.keys);
        let (rows, same) = (stepped(columns, before), same_key(key));
        match self.verb {
            Verb::Insert => format!("INSERT INTO {table} ({}) SELECT {rows}", names(columns)),
            Verb::Update => {
                let fields: Vec<String> = fields.iter().map(|(name, _)| format!("{name} = k.{name}")).collect();
                format!("UPDATE {table} AS t SET {} FROM (SELECT {rows}) AS k WHERE {same}", fields.join(", "))
            }
            Verb::Delete => format!("DELETE FROM {table} AS t USING (SELECT {rows}) AS k WHERE {same}"),
        }
    }
}

/// The statements that write, by what they write.
#[derive(Default)]
pub(crate) struct Prepared {
    alone: HashMap<Shape, Statement>,
    together: HashMap<Vec<Shape>, Statement>,
    /// How often tables were written together that are not by one statement yet.
    seen: HashMap<Vec<Shape>, u32>,
    /// How many times that is in all.
    counted: u32,
}

/// How many statements are kept for tables that are written together. Beyond these it is begun anew.
const MOST_TOGETHER: usize = 64;
/// How often these have to be until there is a statement for them, …
const OFTEN: u32 = 20;
/// … among so many batches.
const AMONG: u32 = 2_000;
/// The most statements of a batch: all are sent before any answer is waited for, in order, and beyond thirty futures that are
/// joined nobody promises that.
const MOST_PARTS: usize = 24;

impl Prepared {
    /// What is written by one statement each: all of it, or a table at a time.
    pub(crate) fn divide<'a>(&mut self, writes: &'a [Write]) -> Vec<&'a [Write]> {
        let together = writes.len() > MOST_PARTS || writes.len() > 1 && self.is_often(shapes(writes));
        if together { vec![writes] } else { writes.chunks(1).collect() }
    }

    fn is_often(&mut self, shapes: Vec<Shape>) -> bool {
        if self.together.contains_key(&shapes) {
            return true;
        }
        if self.counted >= AMONG {
            self.counted = 0;
            self.seen.clear();
        }
        self.counted += 1;
        let seen = self.seen.entry(shapes).or_default();
        *seen += 1;
        *seen >= OFTEN
    }

    /// The statement for what [`Prepared::divide`] gave, if it is there already.
    pub(crate) fn get(&self, writes: &[Write]) -> Option<Statement> {
        match writes {
            [write] => self.alone.get(&write.shape()).cloned(),
            _ => self.together.get(&shapes(writes)).cloned(),
        }
    }

    pub(crate) fn put(&mut self, writes: &[Write], statement: Statement) {
        if let [write] = writes {
            self.alone.insert(write.shape(), statement);
            return;
        }
        if self.together.len() >= MOST_TOGETHER {
            self.together.clear();
        }
        self.together.insert(shapes(writes), statement);
    }
}

fn shapes(writes: &[Write]) -> Vec<Shape> {
    writes.iter().map(Write::shape).collect()
}

/// All of it as one statement, with the parameters in the order of the writes. No row may be in it twice, since none of the
/// parts sees what the others do.
pub(crate) fn statement(writes: &[Write]) -> String {
    let before = writes.iter().scan(0, |sent, write| Some(std::mem::replace(sent, *sent + write.columns.len())));
    let mut parts: Vec<String> = writes.iter().zip(before).map(|(write, before)| write.sql(before)).collect();
    let last = parts.pop().unwrap_or_default();
    if parts.is_empty() {
        return last;
    }
    let named: Vec<String> = parts.iter().enumerate().map(|(nth, part)| format!("w{nth} AS ({part})")).collect();
    format!("WITH {} {last}", named.join(", "))
}

/// `$1::bigint[]`, an array for each of these columns, behind the first so many parameters.
pub(crate) fn placeholders(columns: &[Column], before: usize) -> Vec<String> {
    let part = |((_, kind), place): (&Column, usize)| {
        let name = match kind {
            Kind::Int => "bigint",
            Kind::Text => "text",
            Kind::Bytes => "bytea",
        };
        format!("${place}::{name}[]")
    };
    columns.iter().zip(before + 1..).map(part).collect()
}

/// Arrays as a list of columns: these are stepped side by side, while of a table of arrays (`FROM unnest($1, $2)`) each is
/// written down whole before the first row, which takes three times as long.
fn stepped(columns: &[Column], before: usize) -> String {
    let parts = iter::zip(placeholders(columns, before), columns);
    parts.map(|(array, (name, _))| format!("unnest({array}) AS {name}")).collect::<Vec<_>>().join(", ")
}

/// `a, b`.
pub(crate) fn names(columns: &[Column]) -> String {
    columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// `t.a = k.a AND t.b = k.b` over the columns of a key.
pub(crate) fn same_key(key: &[Column]) -> String {
    let parts: Vec<String> = key.iter().map(|(name, _)| format!("t.{name} = k.{name}")).collect();
    parts.join(" AND ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(verb: Verb, table: &'static str) -> Write {
        let columns = vec![("id", Kind::Bytes), ("count", Kind::Int)].into();
        Write { verb, table, columns, keys: 1, arrays: Vec::new() }
    }

    #[test]
    fn only_what_is_often_written_together_is_one_statement() {
        let mut prepared = Prepared::default();
        let writes = [write(Verb::Update, "a"), write(Verb::Insert, "b")];
        for _ in 1..OFTEN {
            assert_eq!(prepared.divide(&writes).len(), 2);
        }
        assert_eq!(prepared.divide(&writes).len(), 1);
        assert_eq!(prepared.divide(&[write(Verb::Insert, "a"), write(Verb::Insert, "b")]).len(), 2);
        assert_eq!(prepared.divide(&writes[..1]).len(), 1);
        assert!(prepared.divide(&[]).is_empty());
        let many: Vec<Write> = (0..=MOST_PARTS).map(|_| write(Verb::Insert, "a")).collect();
        assert_eq!(prepared.divide(&many).len(), 1);
        // What comes now and then over days is not often.
        for _ in 0..OFTEN {
            assert_eq!(prepared.divide(&[write(Verb::Delete, "a"), write(Verb::Delete, "b")]).len(), 2);
            prepared.counted = AMONG;
        }
    }

    #[test]
    fn writes_are_one_statement_whose_parameters_are_counted_on() {
        assert_eq!(
            statement(&[write(Verb::Insert, "a")]),
            "INSERT INTO a (id, count) SELECT unnest($1::bytea[]) AS id, unnest($2::bigint[]) AS count"
        );
        assert_eq!(
            statement(&[write(Verb::Update, "a"), write(Verb::Insert, "b")]),
            "WITH w0 AS (UPDATE a AS t SET count = k.count \
             FROM (SELECT unnest($1::bytea[]) AS id, unnest($2::bigint[]) AS count) AS k WHERE t.id = k.id) \
             INSERT INTO b (id, count) SELECT unnest($3::bytea[]) AS id, unnest($4::bigint[]) AS count"
        );
    }
}
