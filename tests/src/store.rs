//! Where a test server keeps its data: a fresh SQLite folder, or a fresh database of the PostgreSQL under test.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Names the PostgreSQL to test with; without it the tests run on SQLite.
pub const DATABASE_URL: &str = "MAEPYO_TEST_DATABASE_URL";

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A store of one test, removed with it (a database goes with its cluster).
pub struct Store {
    folder: PathBuf,
    database: Option<String>,
}

impl Store {
    /// An empty store of the kind under test.
    pub async fn fresh() -> Self {
        let mut store = Self::sqlite();
        if let Ok(url) = std::env::var(DATABASE_URL) {
            store.database = Some(create_database(&url, &store.name()).await);
        }
        store
    }

    /// An empty folder for SQLite, whatever the kind under test.
    #[must_use]
    pub fn sqlite() -> Self {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("maepyo-test-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("the temporary folder can be written");
        Self { folder, database: None }
    }

    /// The data folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The database's address; `None` for SQLite.
    #[must_use]
    pub fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    fn name(&self) -> String {
        let name = self.folder.file_name().expect("it has a name").to_string_lossy();
        name.replace('-', "_")
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// Makes a database and gives its address.
async fn create_database(url: &str, name: &str) -> String {
    let (client, connection) =
        tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("the PostgreSQL under test answers");
    let driver = tokio::spawn(connection);
    client.batch_execute(&format!("DROP DATABASE IF EXISTS {name}")).await.expect("an old database can go");
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("a database can be made");
    drop(client);
    let _ = driver.await;
    let (server, _) = url.rsplit_once('/').expect("the address names a database");
    format!("{server}/{name}")
}
