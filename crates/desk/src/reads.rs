//! Reading: one SQL text for both databases, beside the writers.

use futures_util::future::BoxFuture;

use crate::Unavailable;
use crate::store::{StoreError, Values};
use crate::tables::{Table, columns};
use crate::value::{Columns, Kind, Value};
use crate::{postgres, sqlite};

/// Connections that read, of either database.
#[derive(Clone)]
pub(crate) enum Reads {
    Sqlite(sqlite::Readers),
    Postgres(postgres::Readers),
}

impl From<StoreError> for Unavailable {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}

impl From<crate::value::Corrupt> for Unavailable {
    fn from(corrupt: crate::value::Corrupt) -> Self {
        Self(corrupt.to_string())
    }
}

impl Reads {
    /// The rows of a query.
    ///
    /// In a box, as is [`Reads::get`]: else every handler that reads would be compiled with both drivers in it.
    pub(crate) fn query<'a>(
        &'a self,
        sql: &'a str,
        params: Vec<Value>,
        kinds: &'static [Kind],
    ) -> BoxFuture<'a, Result<Vec<Values>, Unavailable>> {
        Box::pin(async move {
            let rows = match self {
                Self::Sqlite(readers) => readers.query(sql.to_owned(), params, kinds.len()).await,
                Self::Postgres(readers) => readers.query(sql, &params, kinds).await,
            };
            Ok(rows?)
        })
    }

    /// The rows of a table, with what follows `FROM table`.
    pub(crate) async fn select<T: Table>(&self, rest: &str, params: Vec<Value>) -> Result<Vec<T>, Unavailable> {
        let sql = format!("SELECT {} FROM {} {rest}", columns::<T>(""), T::NAME);
        let kinds = const { kinds_of::<T>() };
        let rows = self.query(&sql, params, &kinds[..T::COLUMNS.len()]).await?;
        Ok(rows.into_iter().map(|row| T::read(&mut Columns::new(row))).collect::<Result<_, _>>()?)
    }

    /// The row with a key.
    pub(crate) fn get<'a, T: Table>(&'a self, key: &'a T::Key) -> BoxFuture<'a, Result<Option<T>, Unavailable>> {
        Box::pin(async move {
            let row = match self {
                Self::Sqlite(readers) => readers.get::<T>(key).await?,
                Self::Postgres(readers) => readers.get::<T>(key).await?,
            };
            Ok(row.map(|row| T::read(&mut Columns::new(row))).transpose()?)
        })
    }

    /// A page of a table (how many, after how many), ordered by some columns, greatest first, and how many rows there
    /// are in all. One statement gives both, so they are of one moment on either database.
    pub(crate) async fn page<T: Table>(
        &self,
        wanted: &str,
        order: &[&str],
        mut params: Vec<Value>,
        (limit, offset): (i64, i64),
    ) -> Result<(Vec<T>, i64), Unavailable> {
        let sql = page_text::<T>(wanted, order, params.len());
        params.extend([Value::Int(limit), Value::Int(offset)]);
        // Behind the table's columns stands the total, a number as are all kinds beyond the table's.
        let kinds = const { kinds_of::<T>() };
        let rows = self.query(&sql, params, &kinds[..=T::COLUMNS.len()]).await?;
        let (mut page, mut total) = (Vec::with_capacity(rows.len()), 0);
        for mut row in rows {
            total = match row.pop() {
                Some(Value::Int(total)) => total,
                _ => return Err(Unavailable("a count came back empty".to_owned())),
            };
            // An empty page still has the row that says how many there are.
            if row.first() != Some(&Value::Null) {
                page.push(T::read(&mut Columns::new(row))?);
            }
        }
        Ok((page, total))
    }

    /// The one number of a query.
    pub(crate) async fn number(&self, sql: &str, params: Vec<Value>) -> Result<i64, Unavailable> {
        let rows = self.query(sql, params, &[Kind::Int]).await?;
        match rows.first().and_then(|row| row.first()) {
            Some(Value::Int(number)) => Ok(*number),
            _ => Err(Unavailable("a count came back empty".to_owned())),
        }
    }
}

/// The text of [`Reads::page`], after so many parameters of the condition. The keys of the page are found first, which
/// an index can do by itself.
pub(crate) fn page_text<T: Table>(wanted: &str, order: &[&str], params: usize) -> String {
    let (table, all, key) = (T::NAME, columns::<T>("p."), T::COLUMNS[0].0);
    let (limit, offset) = (params + 1, params + 2);
    let sorted = |prefix: &str| order.iter().map(|name| format!("{prefix}{name} DESC")).collect::<Vec<_>>().join(", ");
    let (inner, outer) = (sorted(""), sorted("p."));
    format!(
        "SELECT {all}, c.total FROM (SELECT COUNT(*) AS total FROM {table} {wanted}) c LEFT JOIN \
         (SELECT {key} FROM {table} {wanted} ORDER BY {inner} LIMIT ?{limit} OFFSET ?{offset}) k ON 1 = 1 \
         LEFT JOIN {table} p ON p.{key} = k.{key} ORDER BY {outer}"
    )
}

/// The kinds of a table's columns as a constant; the widest table has fewer than 40.
const fn kinds_of<T: Table>() -> &'static [Kind; 40] {
    const {
        &{
            let mut kinds = [Kind::Int; 40];
            let mut index = 0;
            while index < T::COLUMNS.len() {
                kinds[index] = T::COLUMNS[index].1;
                index += 1;
            }
            kinds
        }
    }
}
