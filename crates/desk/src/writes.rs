//! What a batch writes to PostgreSQL: one statement, whatever tables it is about. By itself a statement costs the database
//! and the connection as much as some ten rows of it.

use std::iter;

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
    pub columns: Vec<Column>,
    /// How many columns the key has.
    pub keys: usize,
    /// An array a column.
    pub arrays: Vec<Values>,
}

/// What a statement depends on: two with the same shapes differ in their rows only.
pub(crate) type Shape = (&'static str, Verb, usize);

impl Write {
    pub(crate) fn shape(&self) -> Shape {
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
        let columns = vec![("id", Kind::Bytes), ("count", Kind::Int)];
        Write { verb, table, columns, keys: 1, arrays: Vec::new() }
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
