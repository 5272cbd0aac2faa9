//! The PostgreSQL driver: set-based loads and writes, locks in the order of keys.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::FutureExt as _;
use futures_util::future::try_join_all;
use parking_lot::Mutex;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Config, Row, Statement, error::SqlState};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::gather::QueueGuard;
use crate::lookups::{Lookups, TableShape};
use crate::store::{Lock, StoreError, Tx, Values};
use crate::tables::{OutboxRow, Table, Update, columns};
use crate::value::{Columns, IntoValue as _, Kind, Value};
use crate::writes::{self, Column, Prepared, Verb, Write, names, placeholders, same_key};

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let text = causes(&error);
        let conflicts = [
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::UNIQUE_VIOLATION,
            SqlState::LOCK_NOT_AVAILABLE,
            // What was sent behind a statement that failed. It may be read before the failure itself, which is the same
            // again when the batch is tried again, and then counts.
            SqlState::IN_FAILED_SQL_TRANSACTION,
        ];
        match error.code() {
            Some(code) if conflicts.contains(code) => Self::Conflict(text),
            _ => Self::Lost(text),
        }
    }
}

/// An error and what it came from.
fn causes(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(error.source(), |source| source.source());
    sources.fold(error.to_string(), |text, source| format!("{text}: {source}"))
}

impl ToSql for Value {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            // A parameter whose kind the database guessed otherwise would be read as something else.
            Self::Int(_) if *kind != Type::INT8 => Err(format!("a number was sent as {kind}").into()),
            Self::Int(value) => value.to_sql(kind, out),
            Self::Text(value) => value.to_sql(kind, out),
            Self::Bytes(value) => (&value[..]).to_sql(kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        [Type::INT8, Type::TEXT, Type::VARCHAR, Type::BYTEA].contains(kind)
    }

    to_sql_checked!();
}

/// Rows of values turned into an array a column.
fn arrays(columns: usize, rows: impl ExactSizeIterator<Item = Values>) -> Vec<Values> {
    let mut by_column: Vec<Values> = (0..columns).map(|_| Vec::with_capacity(rows.len())).collect();
    for row in rows {
        by_column.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
    }
    by_column
}

/// `unnest($1::bigint[], …)` over the columns of a key.
fn unnest(key: &[Column]) -> String {
    format!("unnest({})", placeholders(key, 0).join(", "))
}

/// Joins what has one of these keys. By one column an index is gone through in its order, so that nothing is to be sorted.
fn with_keys(key: &[Column]) -> String {
    match key {
        [(name, _)] => format!("WHERE t.{name} = ANY({})", placeholders(key, 0).join("")),
        _ => format!("JOIN {} AS k({}) ON {}", unnest(key), names(key), same_key(key)),
    }
}

pub(crate) fn read_row(row: &Row, kinds: impl Iterator<Item = Kind>) -> Result<Values, StoreError> {
    let read = |(index, kind)| {
        Ok(match kind {
            Kind::Int => row.try_get::<_, Option<i64>>(index)?.map_or(Value::Null, Value::Int),
            Kind::Text => row.try_get::<_, Option<String>>(index)?.map_or(Value::Null, Value::Text),
            Kind::Bytes => row.try_get::<_, Option<&[u8]>>(index)?.map_or(Value::Null, |bytes| bytes.value()),
        })
    };
    kinds.enumerate().map(read).collect()
}

/// The text of a query with PostgreSQL's placeholders.
pub(crate) fn spelled(sql: &str) -> String {
    sql.replace('?', "$")
}

/// A connection of a gatherer, with its prepared statements.
pub(crate) struct Session {
    client: Client,
    statements: Mutex<HashMap<String, Statement>>,
    /// Those on a table: by the table, how many of its columns, and what is done.
    on_tables: Mutex<HashMap<(&'static str, usize, &'static str), Statement>>,
    /// Those that write.
    writing: Mutex<Prepared>,
    /// What is written with the commit.
    writes: Mutex<Vec<Write>>,
    /// What is told of it, written after all that: the positions of the event stream are drawn when all locks are held.
    told: Mutex<Option<Write>>,
    /// The queue, where this is a gatherer's and its batch is worked.
    queue: Mutex<Option<QueueGuard>>,
}

/// What is needed to connect: the address, and how to speak TLS.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) config: Config,
    pub(crate) tls: MakeRustlsConnect,
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
        }
        Host::Unix(_) => true,
    }
}

/// How long a database may take to be reached.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a database may be silent on the wire before it counts as gone: a machine that failed says no goodbye, and
/// without this every connection to it would wait for a quarter of an hour.
const SILENCE: Duration = Duration::from_secs(15);

impl Address {
    pub(crate) fn parse(url: &str) -> Result<Self, StoreError> {
        let lost = |what: String| StoreError::Lost(what);
        let mut config: Config = url
            .parse()
            .map_err(|_| lost("the database address is not one: postgres://user:password@host/name".into()))?;
        // Nobody listens in on loopback, and Debian's own certificate is signed by nobody.
        if !url.contains("sslmode=") && config.get_hosts().iter().all(is_this_machine) {
            config.ssl_mode(SslMode::Disable);
        }
        config.application_name("maepyo").connect_timeout(CONNECT_TIMEOUT).tcp_user_timeout(SILENCE);
        // What waits for an answer has nothing to send: somebody has to ask whether the other end is still there.
        config.keepalives_idle(SILENCE).keepalives_interval(SILENCE / 3).keepalives_retries(3);
        let mut roots = rustls::RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        for certificate in rustls_native_certs::load_native_certs().certs {
            // A certificate of the machine that cannot be used is passed over; the others still count.
            let _ = roots.add(certificate);
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| lost(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { config, tls: MakeRustlsConnect::new(tls) })
    }
}

impl Session {
    pub(crate) async fn open(address: &Address) -> Result<Self, StoreError> {
        let opened = tokio::time::timeout(SILENCE, Self::connect(address)).await;
        opened.unwrap_or_else(|_| Err(StoreError::Lost("the database does not answer".to_owned())))
    }

    async fn connect(address: &Address) -> Result<Self, StoreError> {
        let (client, connection) = address.config.connect(address.tls.clone()).await?;
        // Ends by itself when the client is dropped; its error shows at the next call.
        tokio::spawn(connection.map(drop));
        // Loads are by key: without statistics the planner would take a small table for a reason to scan it. What is switched
        // off counts as so dear that the planner would have a statement compiled that needs it.
        client
            .batch_execute(
                "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; \
                 SET enable_mergejoin = off; SET plan_cache_mode = force_generic_plan; SET jit = off; SET lock_timeout = '10s'",
            )
            .await?;
        let (statements, on_tables, writing) = (Mutex::default(), Mutex::default(), Mutex::default());
        let (writes, told) = (Mutex::default(), Mutex::default());
        Ok(Self { client, statements, on_tables, writing, writes, told, queue: Mutex::default() })
    }

    /// Keeps the queue from others until a commit is sent.
    pub(crate) fn keep(&self, queue: QueueGuard) {
        *self.queue.lock() = Some(queue);
    }

    /// Lets others have the queue, if it was kept.
    pub(crate) fn release(&self) {
        *self.queue.lock() = None;
    }

    /// Begins a transaction that writes nothing yet.
    pub(crate) async fn begin(&self) -> Result<(), StoreError> {
        self.writes.lock().clear();
        *self.told.lock() = None;
        self.execute("BEGIN").await
    }

    fn write(&self, write: Write) {
        self.writes.lock().push(write);
    }

    /// The statements that write all of this, in order.
    async fn to_write<'a>(&self, writes: &'a [Write]) -> Result<Vec<(Statement, &'a [Write])>, StoreError> {
        let parts = self.writing.lock().divide(writes);
        let mut statements = Vec::with_capacity(parts.len());
        for part in parts {
            let known = self.writing.lock().get(part);
            let statement = match known {
                Some(statement) => statement,
                None => {
                    let statement = self.client.prepare(&writes::statement(part)).await?;
                    self.writing.lock().put(part, statement.clone());
                    statement
                }
            };
            statements.push((statement, part));
        }
        Ok(statements)
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.client.is_closed()
    }

    pub(crate) async fn execute(&self, sql: &str) -> Result<(), StoreError> {
        Ok(self.client.batch_execute(sql).await?)
    }

    /// Prepares a statement, to show that the database understands it.
    #[cfg(test)]
    pub(crate) async fn prepare(&self, sql: &str) -> Result<(), StoreError> {
        self.prepared(&spelled(sql)).await.map(drop)
    }

    async fn prepared(&self, sql: &str) -> Result<Statement, StoreError> {
        let known = self.statements.lock().get(sql).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let statement = self.client.prepare(sql).await?;
        self.statements.lock().insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    /// A statement on a table, whose text is written once.
    async fn on_table(
        &self,
        (name, columns): (&'static str, usize),
        verb: &'static str,
        write: impl FnOnce() -> String,
    ) -> Result<Statement, StoreError> {
        let key = (name, columns, verb);
        let known = self.on_tables.lock().get(&key).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let statement = self.client.prepare(&write()).await?;
        self.on_tables.lock().insert(key, statement.clone());
        Ok(statement)
    }

    /// The rows of a table that have one of these keys, each behind the number of its key, from one.
    pub(crate) async fn look_up(&self, table: TableShape, keys: Vec<Values>) -> Result<Vec<Values>, StoreError> {
        let key = &table.columns[..table.keys];
        let statement = self.on_table((table.name, table.columns.len()), "look up", || {
            let columns: Vec<String> = table.columns.iter().map(|(name, _)| format!("t.{name}")).collect();
            format!(
                "SELECT k.nth_asked, {} FROM {} WITH ORDINALITY AS k({}, nth_asked) JOIN {} AS t ON {}",
                columns.join(", "),
                unnest(key),
                names(key),
                table.name,
                same_key(key),
            )
        });
        let rows = self.run(&statement.await?, &arrays(key.len(), keys.into_iter())).await?;
        let kinds = || std::iter::once(Kind::Int).chain(table.columns.iter().map(|(_, kind)| *kind));
        rows.iter().map(|row| read_row(row, kinds())).collect()
    }

    async fn run<'a>(
        &self,
        statement: &Statement,
        arrays: impl IntoIterator<Item = &'a Values>,
    ) -> Result<Vec<Row>, StoreError> {
        let params: Vec<&(dyn ToSql + Sync)> = arrays.into_iter().map(|array| array as _).collect();
        Ok(self.client.query(statement, &params).await?)
    }
}

impl Tx for Session {
    const REMOTE: bool = true;

    async fn find<T: Table>(&self, keys: &[T::Key], lock: Lock) -> Result<Vec<T>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let key = &T::COLUMNS[..T::KEYS];
        let lock = match lock {
            Lock::None => "",
            Lock::Share => " FOR SHARE OF t",
            Lock::Update => " FOR UPDATE OF t",
        };
        let statement = self.on_table((T::NAME, T::COLUMNS.len()), lock, || {
            let order: Vec<String> = key.iter().map(|(name, _)| format!("t.{name}")).collect();
            format!(
                "SELECT {} FROM {} AS t {} ORDER BY {}{lock}",
                columns::<T>("t."),
                T::NAME,
                with_keys(key),
                order.join(", "),
            )
        });
        let rows = self.run(&statement.await?, &arrays(key.len(), keys.iter().map(T::key_values))).await?;
        let kinds = || T::COLUMNS.iter().map(|(_, kind)| *kind);
        let read = |row: &Row| Ok(T::read(&mut Columns::new(read_row(row, kinds())?))?);
        rows.iter().map(read).collect()
    }

    async fn query(&self, sql: &str, params: &[Value], kinds: &[Kind]) -> Result<Vec<Values>, StoreError> {
        let statement = self.prepared(&spelled(sql)).await?;
        let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|param| param as _).collect();
        let rows = self.client.query(&statement, &params).await?;
        rows.iter().map(|row| read_row(row, kinds.iter().copied())).collect()
    }

    async fn insert<T: Table>(&self, rows: &[&T]) -> Result<(), StoreError> {
        if !rows.is_empty() {
            let arrays = arrays(T::COLUMNS.len(), rows.iter().map(|row| row.values()));
            let columns = T::COLUMNS.into();
            self.write(Write { verb: Verb::Insert, table: T::NAME, columns, keys: T::KEYS, arrays });
        }
        Ok(())
    }

    async fn update<T: Table>(&self, rows: &[&T]) -> Result<(), StoreError> {
        if !rows.is_empty() {
            let update = Update::of::<T>();
            let arrays = arrays(update.columns.len(), rows.iter().map(|row| update.values(*row)));
            let columns = update.columns.into();
            self.write(Write { verb: Verb::Update, table: T::NAME, columns, keys: T::KEYS, arrays });
        }
        Ok(())
    }

    async fn delete<T: Table>(&self, keys: &[T::Key]) -> Result<(), StoreError> {
        if !keys.is_empty() {
            let arrays = arrays(T::KEYS, keys.iter().map(T::key_values));
            let columns = T::COLUMNS[..T::KEYS].into();
            self.write(Write { verb: Verb::Delete, table: T::NAME, columns, keys: T::KEYS, arrays });
        }
        Ok(())
    }

    async fn change(&self, sql: &str, params: &[Value]) -> Result<u64, StoreError> {
        let statement = self.prepared(&spelled(sql)).await?;
        let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|param| param as _).collect();
        Ok(self.client.execute(&statement, &params).await?)
    }

    async fn append(&self, rows: &[OutboxRow<'_>]) -> Result<Option<u64>, StoreError> {
        if !rows.is_empty() {
            let columns = OutboxRow::COLUMNS;
            let arrays = arrays(columns.len(), rows.iter().map(OutboxRow::values));
            let write = Write { verb: Verb::Insert, table: "outbox", columns: columns.into(), keys: 0, arrays };
            *self.told.lock() = Some(write);
        }
        // Another transaction may have drawn an earlier position and not committed it: the follower knows.
        Ok(None)
    }

    async fn commit(&self) -> Result<(), StoreError> {
        let (writes, told) = (std::mem::take(&mut *self.writes.lock()), self.told.lock().take());
        let mut statements = self.to_write(&writes).await?;
        statements.extend(self.to_write(told.as_slice()).await?);
        let written = statements.iter().map(|(statement, part)| {
            let arrays = part.iter().flat_map(|write| &write.arrays);
            self.run(statement, arrays)
        });
        // Polled in this order, so sent in this order. Once all is sent the database has the rest to do, and others can
        // gather. Where a write fails the transaction is broken, and its commit rolls it back.
        let sent = async {
            self.release();
            Ok(())
        };
        futures_util::try_join!(try_join_all(written), self.execute("COMMIT"), sent).map(drop)
    }
}

/// Connections that only read.
#[derive(Clone)]
pub(crate) struct Readers(deadpool_postgres::Pool, Lookups);

impl Readers {
    pub(crate) fn open(address: &Address, count: usize) -> Result<Self, StoreError> {
        let manager = deadpool_postgres::Manager::new(address.config.clone(), address.tls.clone());
        let pool = deadpool_postgres::Pool::builder(manager)
            .max_size(count.max(1))
            .runtime(deadpool_postgres::Runtime::Tokio1)
            .wait_timeout(Some(std::time::Duration::from_secs(10)))
            .build();
        pool.map(|pool| Self(pool, Lookups::start(address))).map_err(|error| StoreError::Lost(error.to_string()))
    }

    /// The row with a key.
    pub(crate) async fn get<T: Table>(&self, key: &T::Key) -> Result<Option<Values>, StoreError> {
        self.1.get::<T>(key).await
    }

    pub(crate) async fn query(&self, sql: &str, params: &[Value], kinds: &[Kind]) -> Result<Vec<Values>, StoreError> {
        let client = self.0.get().await.map_err(|error| StoreError::Lost(causes(&error)))?;
        let statement = client.prepare_cached(&spelled(sql)).await?;
        let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|param| param as _).collect();
        let rows = client.query(&statement, &params).await?;
        rows.iter().map(|row| read_row(row, kinds.iter().copied())).collect()
    }
}
