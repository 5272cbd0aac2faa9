//! Look-ups by key on PostgreSQL, gathered like commands: what was asked for while the last look-ups were under way is
//! asked for together, a query a table.
//!
//! A look-up is sent after it was asked for, so it sees whatever was committed by then.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::postgres::{Address, Session};
use crate::store::{StoreError, Values};
use crate::tables::Table;
use crate::value::{Kind, Value};

/// How many connections look up. A second one works while the first waits.
const AT_ONCE: usize = 2;
/// The most look-ups sent together.
const MOST: usize = 256;
/// How many may wait; who comes then waits to wait.
const QUEUE: usize = 1_024;

/// A table to look something up in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TableShape {
    pub name: &'static str,
    pub columns: &'static [(&'static str, Kind)],
    pub keys: usize,
}

impl TableShape {
    pub(crate) const fn of<T: Table>() -> Self {
        Self { name: T::NAME, columns: T::COLUMNS, keys: T::KEYS }
    }
}

/// One look-up, and who waits for it.
struct Asked {
    table: TableShape,
    key: Values,
    caller: oneshot::Sender<Result<Option<Values>, StoreError>>,
}

/// Where to ask. Cheap to clone; looking up ends with the last one.
#[derive(Clone)]
pub(crate) struct Lookups(mpsc::Sender<Asked>);

impl Lookups {
    /// Starts looking up. Connections are made when they are needed.
    pub(crate) fn start(address: &Address) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let queue = Arc::new(Mutex::new(receiver));
        for _ in 0..AT_ONCE {
            tokio::spawn(gather(address.clone(), queue.clone()));
        }
        Self(sender)
    }

    /// The row with a key.
    pub(crate) async fn get<T: Table>(&self, key: &T::Key) -> Result<Option<Values>, StoreError> {
        let closed = || StoreError::Lost("looking up has ended".to_owned());
        let (caller, row) = oneshot::channel();
        self.0
            .send(Asked { table: TableShape::of::<T>(), key: T::key_values(key), caller })
            .await
            .map_err(|_| closed())?;
        row.await.map_err(|_| closed())?
    }
}

async fn gather(address: Address, queue: Arc<Mutex<mpsc::Receiver<Asked>>>) {
    let mut session = None;
    let mut asked = Vec::with_capacity(MOST);
    while queue.lock().await.recv_many(&mut asked, MOST).await > 0 {
        let mut tables = BTreeMap::<TableShape, Vec<Asked>>::new();
        for own in asked.drain(..) {
            tables.entry(own.table).or_default().push(own);
        }
        let open = match session.take().filter(Session::is_open) {
            Some(open) => Ok(open),
            None => Session::open(&address).await,
        };
        match open {
            Ok(open) => {
                join_all(tables.into_iter().map(|(table, asked)| look_up(&open, table, asked))).await;
                session = Some(open);
            }
            Err(error) => tables.into_values().for_each(|asked| fail(asked, &error)),
        }
    }
}

/// Looks up in one table and tells those who asked.
async fn look_up(session: &Session, table: TableShape, mut asked: Vec<Asked>) {
    let keys = asked.iter_mut().map(|own| std::mem::take(&mut own.key)).collect();
    let rows = match session.look_up(table, keys).await {
        Ok(rows) => rows,
        Err(error) => return fail(asked, &error),
    };
    let mut found: Vec<Option<Values>> = asked.iter().map(|_| None).collect();
    for mut row in rows {
        // The first column says which key of those asked for it has, from one.
        if let Value::Int(number) = row.remove(0)
            && let Some(slot) = usize::try_from(number - 1).ok().and_then(|index| found.get_mut(index))
        {
            *slot = Some(row);
        }
    }
    for (own, row) in asked.into_iter().zip(found) {
        // Who no longer waits does not hear.
        let _ = own.caller.send(Ok(row));
    }
}

fn fail(asked: Vec<Asked>, error: &StoreError) {
    for own in asked {
        let _ = own.caller.send(Err(StoreError::Lost(error.to_string())));
    }
}
