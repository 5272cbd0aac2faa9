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
    /// Those besides the key that stay as they were first written. They are not written again: a database would put a row
    /// anew into every index over what is written, whether or not it is another value.
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

/// Whether a column is never written again: it is of the key, or fixed.
pub(crate) fn is_fixed<T: Table>(column: usize) -> bool {
    column < T::KEYS || T::FIXED.contains(&T::COLUMNS[column].0)
}

/// The columns that an update needs: those of the key, then those that may change.
pub(crate) fn columns_to_update<T: Table>() -> Vec<(&'static str, Kind)> {
    of_update::<T, _>(T::COLUMNS.iter().copied())
}

/// The values that an update needs, in the same order.
pub(crate) fn values_to_update<T: Table>(row: &T) -> Vec<Value> {
    of_update::<T, _>(row.values().into_iter())
}

fn of_update<T: Table, V>(of_columns: impl Iterator<Item = V>) -> Vec<V> {
    let needed = |(column, _): &(usize, V)| *column < T::KEYS || !is_fixed::<T>(*column);
    of_columns.enumerate().filter(needed).map(|(_, own)| own).collect()
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
