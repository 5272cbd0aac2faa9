//! The cache of every connection of a process that asked for the layer first. In a process of its own: what comes first counts.

use rusqlite::Connection;
use rusqlite::ffi::sqlite3_memory_used;
use tempfile::TempDir;

fn fill(connection: &Connection, rows: i64) {
    connection.execute_batch("CREATE TABLE t (k TEXT PRIMARY KEY, v BLOB) WITHOUT ROWID; BEGIN").expect("a table");
    for row in 0..rows {
        // In an order that divides leaves everywhere in the tree.
        let key = format!("{:016x}", row.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.cast_signed()));
        connection.execute("INSERT INTO t VALUES (?1, ?2)", (key, row.to_be_bytes().repeat(10))).expect("a row");
        if row % 50 == 49 {
            connection.execute_batch("COMMIT; BEGIN").expect("it is kept");
        }
    }
    connection.execute_batch("COMMIT").expect("it is kept");
}

#[test]
fn it_is_in_use_and_trees_whose_pages_changed_places_are_sound() {
    assert!(pager::layer().is_some());
    for page in [512, 4_096, 65_536] {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("a.db");
        let connection = Connection::open(&path).expect("it opens");
        connection.pragma_update(None, "page_size", page).expect("a setting");
        connection.pragma_update(None, "cache_size", 100).expect("a setting");
        // SAFETY: it only reads a number.
        let counted = unsafe { sqlite3_memory_used() };
        assert_eq!(counted, 0, "statistics of memory are off, as they were set together with the cache");
        fill(&connection, 20_000);
        let sound: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
        assert_eq!(sound, "ok");
        pager::flush(&connection).expect("it is on the disk");
        drop(connection);
        let again = Connection::open(&path).expect("it opens");
        let rows: i64 = again.query_row("SELECT COUNT(DISTINCT k) FROM t", [], |row| row.get(0)).expect("a count");
        assert_eq!(rows, 20_000);
    }
    let nowhere = Connection::open_in_memory().expect("it opens");
    assert!(pager::flush(&nowhere).is_err(), "there is no file to flush");
}
