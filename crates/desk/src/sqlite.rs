//! The SQLite driver: one writer, commits flushed to the disk, readers beside it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use parking_lot::Mutex;
use rusqlite::config::DbConfig;
use rusqlite::ffi::SQLITE_IOERR_FSYNC;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, params_from_iter};
use tokio::sync::Semaphore;

use crate::gather::{Shared, torn};
use crate::store::{Lock, StoreError, Tx, Values};
use crate::tables::{OutboxRow, Table, Update, columns};
use crate::value::{Columns, Kind, Value};

/// The file in the data folder.
pub(crate) const FILE: &str = "maepyo.db";

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Conflict(error.to_string()),
            _ if error.sqlite_error().is_some_and(|error| error.extended_code == SQLITE_IOERR_FSYNC) => {
                Self::Torn(error.to_string())
            }
            _ => Self::Lost(error.to_string()),
        }
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
            Self::Bytes(value) => ValueRef::Blob(value),
        }))
    }
}

fn read_row(row: &rusqlite::Row<'_>, width: usize) -> rusqlite::Result<Values> {
    let read = |index| {
        Ok(match row.get_ref(index)? {
            ValueRef::Null | ValueRef::Real(_) => Value::Null,
            ValueRef::Integer(value) => Value::Int(value),
            ValueRef::Text(value) => Value::Text(String::from_utf8_lossy(value).into_owned()),
            ValueRef::Blob(value) => Value::Bytes(value.into()),
        })
    };
    (0..width).map(read).collect()
}

/// The bytes of a page of a store that is new; one that is there keeps its own.
const PAGE: i64 = 2_048;

/// Flushes the write-ahead log to the disk. What is in it is safe from then on: recovery takes every commit up to the
/// first that is torn, so a flush covers all commits before it.
pub(crate) struct Flusher(std::fs::File);

impl Flusher {
    /// The log of an open store. SQLite keeps no locks on it, so a second handle takes none away.
    pub(crate) fn open(folder: &Path) -> Result<Self, StoreError> {
        let log = std::fs::OpenOptions::new().write(true).open(folder.join(format!("{FILE}-wal")));
        log.map(Self).map_err(|error| StoreError::Lost(error.to_string()))
    }

    pub(crate) fn flush(&self) -> Result<(), StoreError> {
        self.0.sync_data().map_err(|error| StoreError::Torn(format!("the log was not flushed: {error}")))
    }
}

/// Held while a batch is worked, and while none may be.
pub(crate) type Turn = Mutex<()>;

/// Copies the write-ahead log back into the database, a bit at a time, in no one's way.
pub(crate) struct Checkpointer {
    connection: Connection,
    /// The bytes of a page of this store.
    page: i64,
}

/// How long the log may get before it is copied to its end, in bytes: the next transaction then begins it anew.
const LONG_LOG: i64 = 256 * 1024 * 1024;
/// What may be left to copy while the writer waits, in pages, and how often it is tried to get there.
const SHORT_REST: i64 = 500;
const MOST_PASSES: u32 = 8;

impl Checkpointer {
    pub(crate) fn open(folder: &Path) -> Result<Self, StoreError> {
        let connection = Connection::open(folder.join(FILE))?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        let page = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        Ok(Self { connection, page })
    }

    /// Copies what nobody reads any more. The end of a log is never reached while somebody writes it, so where it has
    /// become long the writer's turn is taken for the rest, which is short by then: as much as is written during a pass.
    /// What is copied is flushed meanwhile, since the last pass waits for all of it to be on the disk. Nothing is copied of
    /// a log that the disk may have lost something of.
    pub(crate) fn copy(&self, turn: &Turn, shared: &Shared) -> Result<(), StoreError> {
        let (length, mut copied) = self.pass(shared)?;
        if length < LONG_LOG / self.page {
            return Ok(());
        }
        for _ in 0..MOST_PASSES {
            let before = copied;
            pager::flush(&self.connection)?;
            (_, copied) = self.pass(shared)?;
            if copied - before < SHORT_REST {
                break;
            }
        }
        let _turn = turn.lock();
        self.pass(shared).map(drop)
    }

    /// How long the log was, and how much of it is copied now, in pages.
    fn pass(&self, shared: &Shared) -> Result<(i64, i64), StoreError> {
        if shared.is_torn() {
            return Err(torn());
        }
        let copy = "PRAGMA wal_checkpoint(PASSIVE)";
        Ok(self.connection.query_row(copy, [], |row| Ok((row.get(1)?, row.get(2)?)))?)
    }

    /// Leaves the log as it is at the end.
    pub(crate) fn keep_log(&self) {
        keep_log(&self.connection);
    }
}

/// Makes a connection leave the log as it is when it is closed, which usually copies it back and removes it.
fn keep_log(connection: &Connection) {
    if let Err(error) = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true) {
        tracing::error!(%error, "the log may be removed");
    }
}

/// The text of each statement on a table: by the table, how many of its columns, and what is done.
type Texts = HashMap<(&'static str, usize, &'static str), Arc<str>>;

/// The one connection that writes.
pub(crate) struct Writer(Connection, RefCell<Texts>);

impl Writer {
    pub(crate) fn open(folder: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder).map_err(|error| StoreError::Lost(error.to_string()))?;
        let (path, flags) = (folder.join(FILE), OpenFlags::default());
        let connection = match pager::layer() {
            Some(layer) => Connection::open_with_flags_and_vfs(path, flags, layer)?,
            None => Connection::open_with_flags(path, flags)?,
        };
        connection.busy_timeout(Duration::from_secs(10))?;
        // Of a new store. A hold changes few bytes of each page it touches, and pages are what is written.
        connection.pragma_update(None, "page_size", PAGE)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // NORMAL leaves the flush of a commit to us: the flusher does it while the next batch is worked, and nobody
        // is answered before it is done (see `Flusher`).
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        // The checkpointer does it beside us, and hears what the disk says to it.
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        connection.pragma_update(None, "cache_size", -48_000)?;
        // Pages of a transaction that is under way stay in memory: our file layer writes them with the commit.
        connection.execute_batch("PRAGMA cache_spill = 0")?;
        connection.set_prepared_statement_cache_capacity(200);
        Ok(Self(connection, RefCell::default()))
    }

    /// Leaves the log as it is at the end.
    pub(crate) fn keep_log(&self) {
        keep_log(&self.0);
    }

    pub(crate) fn execute(&self, sql: &str) -> Result<(), StoreError> {
        Ok(self.0.execute_batch(sql)?)
    }

    /// Runs a statement that is run often.
    pub(crate) fn run(&self, sql: &str) -> Result<(), StoreError> {
        Ok(self.0.prepare_cached(sql)?.execute([]).map(drop)?)
    }

    /// Prepares a statement, to show that the database understands it.
    #[cfg(test)]
    pub(crate) fn prepare(&self, sql: &str) -> Result<(), StoreError> {
        Ok(self.0.prepare(sql).map(drop)?)
    }
}

/// The outcome of work on a [`Writer`], which answers at once: there is nothing to wait for.
pub(crate) fn at_once<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    work.now_or_never().unwrap_or_else(|| Err(StoreError::Lost("the driver waited".to_owned())))
}

impl Tx for Writer {
    const REMOTE: bool = false;

    async fn find<T: Table>(&self, keys: &[T::Key], _: Lock) -> Result<Vec<T>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let sql = found_by_key::<T>(&mut self.1.borrow_mut());
        let mut statement = self.0.prepare_cached(&sql)?;
        let mut found = Vec::with_capacity(keys.len());
        for key in keys {
            let mut rows = statement.query(params_from_iter(T::key_values(key)))?;
            if let Some(row) = rows.next()? {
                found.push(T::read(&mut Columns::new(read_row(row, T::COLUMNS.len())?))?);
            }
        }
        Ok(found)
    }

    async fn query(&self, sql: &str, params: &[Value], kinds: &[Kind]) -> Result<Vec<Values>, StoreError> {
        query(&self.0, sql, params, kinds.len())
    }

    async fn insert<T: Table>(&self, rows: &[&T]) -> Result<(), StoreError> {
        let sql = self.text::<T>("insert", || {
            let places: Vec<String> = (1..=T::COLUMNS.len()).map(|n| format!("?{n}")).collect();
            format!("INSERT INTO {} ({}) VALUES ({})", T::NAME, columns::<T>(""), places.join(", "))
        });
        self.each(&sql, rows.iter().map(|row| row.values()))
    }

    async fn update<T: Table>(&self, rows: &[&T]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let update = Update::of::<T>();
        let sql = self.text::<T>("update", || {
            let (columns, key) = (&update.columns, 0..T::KEYS);
            let fields = T::KEYS..columns.len();
            format!("UPDATE {} SET {} WHERE {}", T::NAME, equal(columns, fields, ", "), equal(columns, key, " AND "))
        });
        #[cfg(debug_assertions)]
        self.check_fixed(rows).await?;
        self.each(&sql, rows.iter().map(|row| update.values(*row)))
    }

    async fn delete<T: Table>(&self, keys: &[T::Key]) -> Result<(), StoreError> {
        let sql = self.text::<T>("delete", || {
            format!("DELETE FROM {} WHERE {}", T::NAME, equal(T::COLUMNS, 0..T::KEYS, " AND "))
        });
        self.each(&sql, keys.iter().map(T::key_values))
    }

    async fn change(&self, sql: &str, params: &[Value]) -> Result<u64, StoreError> {
        let changed = self.0.prepare_cached(sql)?.execute(params_from_iter(params))?;
        Ok(changed as u64)
    }

    async fn append(&self, rows: &[OutboxRow<'_>]) -> Result<Option<u64>, StoreError> {
        if rows.is_empty() {
            return Ok(None);
        }
        let names: Vec<&str> = OutboxRow::COLUMNS.iter().map(|(name, _)| *name).collect();
        let sql = format!("INSERT INTO outbox ({}) VALUES (?1, ?2, ?3, ?4, ?5, ?6)", names.join(", "));
        self.each(&sql, rows.iter().map(OutboxRow::values))?;
        Ok(Some(self.0.last_insert_rowid().cast_unsigned()))
    }

    async fn commit(&self) -> Result<(), StoreError> {
        self.run("COMMIT")
    }
}

/// `a = ?1, b = ?2` over some of the columns of a row; a column's number is its place there.
fn equal(row: &[(&'static str, Kind)], columns: std::ops::Range<usize>, between: &str) -> String {
    let parts: Vec<String> = columns.map(|n| format!("{} = ?{}", row[n].0, n + 1)).collect();
    parts.join(between)
}

/// The text of a statement on a table, written once.
fn text<T: Table>(texts: &mut Texts, verb: &'static str, write: impl FnOnce() -> String) -> Arc<str> {
    let key = (T::NAME, T::COLUMNS.len(), verb);
    texts.entry(key).or_insert_with(|| write().into()).clone()
}

fn found_by_key<T: Table>(texts: &mut Texts) -> Arc<str> {
    text::<T>(texts, "find", || {
        format!("SELECT {} FROM {} WHERE {}", columns::<T>(""), T::NAME, equal(T::COLUMNS, 0..T::KEYS, " AND "))
    })
}

impl Writer {
    fn text<T: Table>(&self, verb: &'static str, write: impl FnOnce() -> String) -> Arc<str> {
        text::<T>(&mut self.1.borrow_mut(), verb, write)
    }

    /// What is said never to change must not: nobody would write it.
    #[cfg(debug_assertions)]
    async fn check_fixed<T: Table>(&self, rows: &[&T]) -> Result<(), StoreError> {
        for row in rows {
            let found = self.find::<T>(&[row.key()], Lock::None).await?;
            for (column, (is, was)) in row.values().iter().zip(found.iter().flat_map(T::values)).enumerate() {
                let name = T::COLUMNS[column].0;
                assert!(*is == was || !T::FIXED.contains(&name), "{name} of {} changed", T::NAME);
            }
        }
        Ok(())
    }

    fn each(&self, sql: &str, rows: impl ExactSizeIterator<Item = Values>) -> Result<(), StoreError> {
        if rows.len() == 0 {
            return Ok(());
        }
        let mut statement = self.0.prepare_cached(sql)?;
        for row in rows {
            statement.execute(params_from_iter(row))?;
        }
        Ok(())
    }
}

fn query(connection: &Connection, sql: &str, params: &[Value], width: usize) -> Result<Vec<Values>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params_from_iter(params), |row| read_row(row, width))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Connections that only read, each used by one query at a time.
#[derive(Clone)]
pub(crate) struct Readers {
    idle: Arc<Mutex<Vec<Connection>>>,
    places: Arc<Semaphore>,
    texts: Arc<Mutex<Texts>>,
}

impl Readers {
    pub(crate) fn open(folder: &Path, count: usize) -> Result<Self, StoreError> {
        let connect = |_| {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(folder.join(FILE), flags)?;
            connection.busy_timeout(Duration::from_secs(10))?;
            // Else a statement with a range is planned anew whenever its bounds change.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
            connection.set_prepared_statement_cache_capacity(100);
            Ok(connection)
        };
        let idle = (0..count.max(1)).map(connect).collect::<Result<Vec<_>, StoreError>>()?;
        let places = Arc::new(Semaphore::new(idle.len()));
        Ok(Self { idle: Arc::new(Mutex::new(idle)), places, texts: Arc::default() })
    }

    /// The row with a key.
    pub(crate) async fn get<T: Table>(&self, key: &T::Key) -> Result<Option<Values>, StoreError> {
        let (sql, params) = (found_by_key::<T>(&mut self.texts.lock()), T::key_values(key));
        let rows = match self.look_up(&sql, &params, T::COLUMNS.len()) {
            Some(rows) => rows?,
            None => self.query(sql.to_string(), params, T::COLUMNS.len()).await?,
        };
        Ok(rows.into_iter().next())
    }

    /// A look-up by key, on the caller's own thread: it takes less time than handing it over would. `None` when every
    /// connection is in use.
    fn look_up(&self, sql: &str, params: &[Value], width: usize) -> Option<Result<Vec<Values>, StoreError>> {
        let _place = self.places.try_acquire().ok()?;
        let connection = self.idle.lock().pop()?;
        let rows = query(&connection, sql, params, width);
        self.idle.lock().push(connection);
        Some(rows)
    }

    pub(crate) async fn query(&self, sql: String, params: Vec<Value>, width: usize) -> Result<Vec<Values>, StoreError> {
        let lost = |what: &str| StoreError::Lost(what.to_owned());
        let place = self.places.clone().acquire_owned().await.map_err(|_| lost("closed"))?;
        let idle = self.idle.clone();
        let work = move || {
            let connection = idle.lock().pop().ok_or_else(|| lost("no connection is idle"))?;
            let rows = query(&connection, &sql, &params, width);
            idle.lock().push(connection);
            drop(place);
            rows
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| lost(&error.to_string()))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_told_so_leaves_the_log_as_it_is() {
        for kept in [false, true] {
            let folder = std::env::temp_dir().join(format!("maepyo_log_{}_{kept}", std::process::id()));
            let writer = Writer::open(&folder).expect("it opens");
            writer.execute("CREATE TABLE t (k BIGINT)").expect("a table");
            if kept {
                writer.keep_log();
            }
            drop(writer);
            assert_eq!(folder.join(format!("{FILE}-wal")).exists(), kept);
            let _ = std::fs::remove_dir_all(&folder);
        }
    }
}
