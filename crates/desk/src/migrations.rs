//! Bringing a store up to date. Each migration runs once, in a transaction of its own.

use crate::store::{StoreError, Tx};
use crate::value::{Kind, Value};

/// The migrations, oldest first. Landed ones are never edited.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_start.sql"),
    include_str!("../migrations/0002_rooms.sql"),
    include_str!("../migrations/0003_movie.sql"),
    include_str!("../migrations/0004_outward.sql"),
    // The number 0005 was never used. What counts is the place in this list.
    include_str!("../migrations/0006_event_rows.sql"),
    include_str!("../migrations/0007_message_batches.sql"),
    include_str!("../migrations/0008_node_news.sql"),
    include_str!("../migrations/0009_withdrawn.sql"),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{postgres, sqlite};

    /// An event as the first schema keeps it, with a layout longer than a page.
    fn event() -> String {
        format!(
            "INSERT INTO events (id, owner, title, category, venue, location, starts_at, ends_at, tags, min_price, \
             max_price, status, version, created_at, updated_at, description, ticket_types, layout) \
             SELECT id, id, '제목', 'concert', 'v', 'l', 1, 2, '[]', 3, 4, 'published', 5, 6, 7, 'd', '[]', '{}' \
             FROM (SELECT CAST('0123456789abcdef' AS BYTEA) AS id) AS one",
            "x".repeat(50_000)
        )
    }

    const KEPT: &str = "SELECT version, CAST(LENGTH(layout) AS BIGINT), max_price FROM events WHERE title = '제목'";

    fn is_kept(rows: &[Vec<Value>]) {
        assert_eq!(rows, [[5, 50_000, 4].map(Value::Int)], "the event outlives the rebuilding of its table");
    }

    #[tokio::test]
    async fn sqlite_keeps_what_an_older_store_has() {
        let folder = std::env::temp_dir().join(format!("maepyo_migrations_{}", std::process::id()));
        let writer = sqlite::Writer::open(&folder).expect("the folder is writable");
        writer.execute(SCHEMA).expect("the first table");
        let texts = pending(&writer, Spelling::Sqlite).await.expect("an empty store");
        writer.execute(&texts[0]).expect("the first migration");
        writer.execute(&event().replace("BYTEA", "BLOB")).expect("an event");
        texts[1..].iter().for_each(|text| writer.execute(text).expect("a migration"));
        let rows = writer.query(KEPT, &[], &[Kind::Int, Kind::Int, Kind::Int]).await.expect("the table is there");
        is_kept(&rows);
        std::fs::remove_dir_all(folder).expect("it is ours");
    }

    #[tokio::test]
    async fn postgres_keeps_what_an_older_store_has() {
        let Ok(url) = std::env::var("MAEPYO_TEST_DATABASE_URL") else { return };
        let address = postgres::Address::parse(&url).expect("an address");
        let session = postgres::Session::open(&address).await.expect("it is reached");
        let schema = format!("migrations_{}", std::process::id());
        let first = format!("CREATE SCHEMA {schema}; SET search_path = {schema}; {SCHEMA}");
        session.execute(&first).await.expect("a schema");
        let texts = pending(&session, Spelling::Postgres).await.expect("an empty schema");
        session.execute(&texts[0]).await.expect("the first migration");
        session.execute(&event()).await.expect("an event");
        for text in &texts[1..] {
            session.execute(text).await.expect("a migration");
        }
        is_kept(&session.query(KEPT, &[], &[Kind::Int, Kind::Int, Kind::Int]).await.expect("the table is there"));
        session.execute(&format!("DROP SCHEMA {schema} CASCADE")).await.expect("it is ours");
    }
}
