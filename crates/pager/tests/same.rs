//! What is written through the layer is what was committed, by SQLite's own reading of it.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

/// A writer with pages of so many bytes, so many of them in memory.
fn writer(folder: &Path, page: &str, pages: &str) -> Connection {
    let layer = pager::layer().expect("there is one");
    let writer =
        Connection::open_with_flags_and_vfs(folder.join("a.db"), OpenFlags::default(), layer).expect("it opens");
    writer.pragma_update(None, "page_size", page).expect("a setting");
    for (name, value) in
        [("journal_mode", "WAL"), ("synchronous", "NORMAL"), ("cache_size", pages), ("wal_autocheckpoint", "0")]
    {
        writer.pragma_update(None, name, value).expect("a setting");
    }
    writer.execute_batch("CREATE TABLE t (k INTEGER PRIMARY KEY, v BLOB); CREATE INDEX by_v ON t (v)").expect("tables");
    writer
}

/// All rows, by a connection of SQLite's own.
fn rows(path: &Path) -> Vec<(i64, Vec<u8>)> {
    let reader = Connection::open(path).expect("it opens");
    let sound: String = reader.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
    assert_eq!(sound, "ok");
    let mut all = reader.prepare("SELECT k, v FROM t ORDER BY k").expect("a query");
    let read = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
    read.collect::<Result<_, _>>().expect("rows")
}

/// The rows of what a crash now would leave behind: the files as they are, without the index of the log.
fn rows_after_a_crash(folder: &Path) -> Vec<(i64, Vec<u8>)> {
    let elsewhere = TempDir::new().expect("a folder");
    for name in ["a.db", "a.db-wal"] {
        std::fs::copy(folder.join(name), elsewhere.path().join(name)).expect("a copy");
    }
    rows(&elsewhere.path().join("a.db"))
}

/// The next of a sequence of numbers (SplitMix64).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Changes some rows inside a transaction, and reads others.
fn change(writer: &Connection, state: &mut u64, times: u64) {
    for _ in 0..times {
        let (key, value) =
            ((next(state) % 3_000).cast_signed(), next(state).to_be_bytes().repeat(1 + (next(state) % 60) as usize));
        match next(state) % 4 {
            0 => writer.execute("DELETE FROM t WHERE k = ?1", [key]).map(drop),
            1 => writer.query_row("SELECT COUNT(*) FROM t WHERE k >= ?1", [key], |_| Ok(())),
            _ => writer.execute("INSERT OR REPLACE INTO t VALUES (?1, ?2)", (key, value)).map(drop),
        }
        .expect("a statement");
    }
}

#[test]
fn commits_of_many_frames_are_whole_with_pages_of_any_size() {
    for page in ["512", "4096", "65536"] {
        let folder = TempDir::new().expect("a folder");
        let writer = writer(folder.path(), page, "10000");
        writer.execute_batch("PRAGMA cache_spill = 0").expect("a setting");
        let mut expected = Vec::new();
        for round in 0..12_i64 {
            writer.execute_batch("BEGIN IMMEDIATE").expect("it begins");
            for key in round * 1_000..round * 1_000 + 40 * (round + 1) {
                let value = key.to_be_bytes().repeat(100);
                writer.execute("INSERT INTO t VALUES (?1, ?2)", (key, &value)).expect("a row");
                expected.push((key, value));
            }
            assert!(rows_after_a_crash(folder.path()).len() < expected.len(), "nothing is there before the commit");
            writer.execute_batch("COMMIT").expect("it ends");
            assert!(
                rows(&folder.path().join("a.db")) == expected && rows_after_a_crash(folder.path()) == expected,
                "{page}"
            );
        }
    }
}

/// With few pages in memory a long transaction writes to the log before it ends, and again over what it wrote there.
#[test]
fn what_is_committed_is_there_for_others_and_after_a_crash_and_nothing_else() {
    let folder = TempDir::new().expect("a folder");
    let writer = writer(folder.path(), "4096", "10");
    let path = folder.path().join("a.db");
    let mut state = 7;
    let mut committed = rows(&path);
    for round in 0..60 {
        writer.execute_batch("BEGIN IMMEDIATE").expect("it begins");
        let times = 1 + next(&mut state) % 400;
        change(&writer, &mut state, times);
        writer.execute_batch("SAVEPOINT s").expect("it is kept");
        let times = next(&mut state) % 200;
        change(&writer, &mut state, times);
        if round % 3 == 0 {
            writer.execute_batch("ROLLBACK TO s").expect("some of it is taken back");
        }
        assert_eq!(rows(&path), committed, "others do not see what is not committed");
        assert_eq!(rows_after_a_crash(folder.path()), committed, "nor does who comes after a crash");
        if round % 5 == 0 {
            writer.execute_batch("ROLLBACK").expect("it is taken back");
        } else {
            writer.execute_batch("COMMIT").expect("it ends");
            let mut all = writer.prepare("SELECT k, v FROM t ORDER BY k").expect("a query");
            let own = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
            committed = own.collect::<Result<_, _>>().expect("rows");
        }
        assert_eq!(rows(&path), committed);
        assert_eq!(rows_after_a_crash(folder.path()), committed);
        if round % 10 == 9 {
            writer.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(())).expect("it is copied back");
        }
    }
    assert!(committed.len() > 1_000);
    drop(writer);
    assert_eq!(rows(&path), committed);
}
