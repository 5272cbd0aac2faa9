//! Bringing a store up to date. Each migration runs once, in a transaction of its own.

use crate::store::{StoreError, Tx};
use crate::value::{Kind, Value};

/// The migrations, oldest first. Landed ones are never edited.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_start.sql"),
    include_str!("../migrations/0002_rooms.sql"),
    include_str!("../migrations/0003_movie.sql"),
    include_str!("../migrations/0004_outward.sql"),
];

/// The schema that this program knows.
pub(crate) const KNOWN: i64 = MIGRATIONS.len() as i64;

/// How far the store is.
pub(crate) const VERSION: &str = "SELECT COALESCE(MAX(version), 0) FROM schema_version";

/// How the two databases spell the few words they do not share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    Sqlite,
    Postgres,
}

impl Spelling {
    fn of(self, text: &str) -> String {
        let (rowid, serial) = match self {
            Self::Sqlite => ("WITHOUT ROWID", "INTEGER"),
            Self::Postgres => ("", "BIGINT GENERATED ALWAYS AS IDENTITY"),
        };
        text.replace("/*without rowid*/", rowid).replace("/*serial*/", serial)
    }
}

/// The table that says how far the store is, made where there is none.
pub(crate) const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL PRIMARY KEY)";

/// The texts still to run on a store, each followed by the mark that it ran.
///
/// # Errors
/// Where the store is newer than this program.
pub(crate) async fn pending<T: Tx>(tx: &T, spelling: Spelling) -> Result<Vec<String>, StoreError> {
    let rows = tx.query(VERSION, &[], &[Kind::Int]).await?;
    let done = match rows.first().and_then(|row| row.first()) {
        Some(Value::Int(version)) => usize::try_from(*version).unwrap_or(0),
        _ => 0,
    };
    if done > MIGRATIONS.len() {
        let known = MIGRATIONS.len();
        return Err(StoreError::Lost(format!(
            "the store has schema {done}, this program knows {known}: run the newer maepyo it was made by"
        )));
    }
    let text = |(index, text): (usize, &&str)| {
        format!("{}\nINSERT INTO schema_version (version) VALUES ({});", spelling.of(text), index + 1)
    };
    Ok(MIGRATIONS.iter().enumerate().skip(done).map(text).collect())
}
