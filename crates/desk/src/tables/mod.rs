//! How rows are kept: one description a table, which both drivers read.

mod catalogue;
mod holds;
mod jobs;
mod lanes;
mod messages;
mod money;
mod movie;
mod outbox;
mod people;
mod stream;
mod webhooks;

pub(crate) use catalogue::layout_of;
pub(crate) use jobs::{StoredAnswer, due_of};
pub(crate) use lanes::{LaneNews, places_told};
pub(crate) use outbox::{OutboxRow, entry_of, seats_of};

use crate::value::{Columns, Corrupt, IntoValue, Kind, Value};

/// A table and how its rows become values and back.
pub(crate) trait Table: Sized + Send {
    /// What names a row.
    type Key: Clone + Ord + Send + Sync;
    /// The table's name.
    const NAME: &'static str;
    /// Its columns, those of the key first.
    const COLUMNS: &'static [(&'static str, Kind)];
    /// How many columns the key has.
    const KEYS: usize;
    /// Those besides the key that stay as they were first written. They are not written again: SQLite would put a row anew
    /// into every index over what is written, whether or not it is another value.
    const FIXED: &'static [&'static str] = &[];

    fn key_values(key: &Self::Key) -> Vec<Value>;
    fn key(&self) -> Self::Key;
    fn values(&self) -> Vec<Value>;
    fn read(columns: &mut Columns) -> Result<Self, Corrupt>;
}

/// The names of a table's columns, with commas.
pub(crate) fn columns<T: Table>(prefix: &str) -> String {
    let names: Vec<String> = T::COLUMNS.iter().map(|(name, _)| format!("{prefix}{name}")).collect();
    names.join(", ")
}

/// What an update of a table needs: the columns of the key, then those that may change.
pub(crate) struct Update {
    /// Of all columns, whether it is one of these.
    needed: Vec<bool>,
    /// These.
    pub columns: Vec<(&'static str, Kind)>,
}

impl Update {
    pub(crate) fn of<T: Table>() -> Self {
        let needed: Vec<bool> = T::COLUMNS.iter().map(|(name, _)| !T::FIXED.contains(name)).collect();
        let columns = picked(&needed, T::COLUMNS.iter().copied());
        Self { needed, columns }
    }

    /// The values of a row in the same order.
    pub(crate) fn values<T: Table>(&self, row: &T) -> Vec<Value> {
        picked(&self.needed, row.values().into_iter())
    }
}

fn picked<V>(needed: &[bool], of: impl Iterator<Item = V>) -> Vec<V> {
    of.zip(needed).filter_map(|(own, needed)| needed.then_some(own)).collect()
}

/// Values, each of its own type.
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$($crate::value::IntoValue::value($value)),*] };
}
pub(crate) use values;

fn id_values(id: impl Into<u128>) -> Vec<Value> {
    let raw: u128 = id.into();
    vec![raw.value()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_what_is_there<T: Table>() {
        let there = |name: &&str| T::COLUMNS[T::KEYS..].iter().any(|(column, _)| column == name);
        assert!(!T::FIXED.is_empty() && T::FIXED.iter().all(there), "{}", T::NAME);
    }

    #[test]
    fn what_is_fixed_is_a_column_beside_the_key() {
        names_what_is_there::<engine::holds::Reservation>();
        names_what_is_there::<engine::seats::Stock>();
        names_what_is_there::<engine::payments::Payment>();
        names_what_is_there::<engine::jobs::Job>();
        names_what_is_there::<engine::messages::Message>();
        names_what_is_there::<engine::webhooks::Delivery>();
        names_what_is_there::<engine::movie::MovieTicket>();
    }
}
