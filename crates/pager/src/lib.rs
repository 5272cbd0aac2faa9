//! What is other than usual about how SQLite keeps pages here: the frames of a transaction are written to the log together
//! ([`log`]), and a page that is given another number does not have the cache looked through ([`cache`]).
//!
//! This is the one crate with `unsafe` code. Nobody sees a difference but in time: what is in the files is the same.

mod cache;
mod gathered;
mod log;

use std::ffi::CStr;
use std::ptr;
use std::sync::OnceLock;

use rusqlite::Connection;
use rusqlite::ffi::{self, SQLITE_FCNTL_FILE_POINTER, SQLITE_IOERR_FSYNC, SQLITE_OK, SQLITE_SYNC_NORMAL, sqlite3_file};

/// What the file layer is called, to open a connection with; `None` where SQLite has no layer for this system, or one whose
/// words are not of 64 bits, which is what its files are aligned to. The cache is for all connections of the process, and
/// stays the usual one where one was opened before.
#[must_use]
pub fn layer() -> Option<&'static CStr> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    let register = || {
        // Before the other, which starts SQLite.
        cache::install();
        log::register()
    };
    (cfg!(target_pointer_width = "64") && *REGISTERED.get_or_init(register)).then_some(log::NAME)
}

/// Flushes the file of a database to the disk, by SQLite's own handle: closing another one would take its locks away.
///
/// # Errors
/// When the disk fails. It may say so only once and lose what it was about.
pub fn flush(connection: &Connection) -> Result<(), rusqlite::Error> {
    let mut file: *mut sqlite3_file = ptr::null_mut();
    // SAFETY: the connection is open, and for this question SQLite writes a pointer to where it is told to; the file is the
    // connection's, which is used by nobody else meanwhile, and its methods are static.
    let code = unsafe {
        let into = ptr::from_mut(&mut file).cast();
        let asked = ffi::sqlite3_file_control(connection.handle(), c"main".as_ptr(), SQLITE_FCNTL_FILE_POINTER, into);
        let methods = file.as_ref().and_then(|file| file.pMethods.as_ref());
        match methods.and_then(|methods| methods.xSync) {
            Some(sync) if asked == SQLITE_OK => sync(file, SQLITE_SYNC_NORMAL),
            _ => SQLITE_IOERR_FSYNC,
        }
    };
    if code == SQLITE_OK { Ok(()) } else { Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)) }
}
