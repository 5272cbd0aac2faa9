//! What a driver does: a transaction that finds and writes rows of described tables.

use std::fmt;

use crate::tables::{OutboxRow, Table};
use crate::value::{Corrupt, Kind, Value};

/// How found rows are locked until the end of the transaction. SQLite has one writer and needs none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lock {
    /// Others may change them.
    None,
    /// Others may read and share-lock them, but not change them.
    Share,
    /// They are ours.
    Update,
}

/// Why a store did not do it.
#[derive(Debug)]
pub(crate) enum StoreError {
    /// Another transaction was in the way: the same again may work.
    Conflict(String),
    /// The store cannot be reached or written.
    Lost(String),
    /// The disk failed to keep what was written. It may say so once and lose what it was about, so nothing may follow until
    /// a new process has read what is there.
    Torn(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict(why) | Self::Lost(why) | Self::Torn(why) => f.write_str(why),
        }
    }
}

impl From<Corrupt> for StoreError {
    fn from(corrupt: Corrupt) -> Self {
        Self::Lost(corrupt.to_string())
    }
}

/// A row of values.
pub(crate) type Values = Vec<Value>;

/// A transaction. Calls that are polled together are sent together.
pub(crate) trait Tx {
    /// Whether other nodes may work on the same store, and so have to be told what changed in the waiting room.
    const REMOTE: bool;

    /// The rows that have one of these keys, which are sorted.
    async fn find<T: Table>(&self, keys: &[T::Key], lock: Lock) -> Result<Vec<T>, StoreError>;
    /// The rows of a query; `?1` is the first parameter.
    async fn query(&self, sql: &str, params: &[Value], kinds: &[Kind]) -> Result<Vec<Values>, StoreError>;
    /// Runs a statement; gives how many rows it changed.
    async fn change(&self, sql: &str, params: &[Value]) -> Result<u64, StoreError>;
    /// Writes rows that were not there; a conflict where one is by now. This and what follows may be put off until the
    /// commit, and no row may be written twice.
    async fn insert<T: Table>(&self, rows: &[&T]) -> Result<(), StoreError>;
    /// Writes rows over those that were there.
    async fn update<T: Table>(&self, rows: &[&T]) -> Result<(), StoreError>;
    /// Removes rows.
    async fn delete<T: Table>(&self, keys: &[T::Key]) -> Result<(), StoreError>;
    /// Appends to the event stream. Gives the last position, where nothing before it can come later.
    async fn append(&self, rows: &[OutboxRow<'_>]) -> Result<Option<u64>, StoreError>;
    /// Ends the transaction: all that was written holds, or nothing.
    async fn commit(&self) -> Result<(), StoreError>;
}
