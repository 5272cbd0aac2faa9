//! SQLite's own file layer, but for one thing: the frames of a transaction are written to the write-ahead log together.
//! SQLite writes each in two pieces that begin anywhere in a page of the system, which takes a tenth of what a hold costs.
//!
//! Nobody sees a difference. Frames are read by others once the index of the log tells of them, which is after the last
//! frame of the transaction; by then all are in the file. A connection that does not spill (`PRAGMA cache_spill = 0`)
//! gathers only inside a COMMIT, which writes everything or fails; of one that spills, an error of what it had gathered may
//! come with a later read, and then the transaction has to be rolled back. `synchronous` is NORMAL or OFF: the padding that
//! FULL may write after a commit can look like the head of a frame.
//!
//! [`crate::gathered`] decides what is written when, and has no `unsafe` code.

use std::ffi::{CStr, c_int, c_void};
use std::ptr;

use rusqlite::ffi::{
    self, SQLITE_CANTOPEN, SQLITE_IOERR, SQLITE_OK, SQLITE_OPEN_WAL, sqlite3_file, sqlite3_io_methods, sqlite3_vfs,
};

use crate::gathered::{Gathered, Then};

/// What the layer is called.
pub const NAME: &CStr = c"maepyo";

/// Tells SQLite of the layer.
pub fn register() -> bool {
    // SAFETY: null asks for the usual layer, which is there for as long as the process is.
    let usual = unsafe { ffi::sqlite3_vfs_find(ptr::null()) };
    if usual.is_null() {
        return false;
    }
    // SAFETY: it was just given, and is not null.
    let known = unsafe { *usual };
    let Ok(head) = c_int::try_from(size_of::<Log>()) else { return false };
    // Everything but opening is done by the usual one's functions; none of the others looks at its first argument.
    let own = sqlite3_vfs {
        szOsFile: head + known.szOsFile,
        pNext: ptr::null_mut(),
        zName: NAME.as_ptr(),
        pAppData: usual.cast(),
        xOpen: Some(open),
        ..known
    };
    // SAFETY: it and its name live for as long as the process does.
    unsafe { ffi::sqlite3_vfs_register(Box::leak(Box::new(own)), 0) == SQLITE_OK }
}

/// A log that is open. The file of the usual layer stands behind it in the memory that SQLite has for both.
#[repr(C, align(8))]
struct Log {
    base: sqlite3_file,
    gathered: Gathered,
}

impl Log {
    /// The usual layer's file, and what can be done with it.
    ///
    /// # Safety
    /// `file` is a log that [`open`] opened and nobody closed.
    unsafe fn usual<'a>(file: *mut sqlite3_file) -> (*mut sqlite3_file, &'a sqlite3_io_methods) {
        let usual = Self::behind(file);
        // SAFETY: it was opened with success, so it has its methods, which are static.
        (usual, unsafe { &*(*usual).pMethods })
    }

    fn behind(file: *mut sqlite3_file) -> *mut sqlite3_file {
        // Nothing is read here; `szOsFile` has room for both.
        file.cast::<Self>().wrapping_add(1).cast()
    }

    /// Writes what was gathered.
    ///
    /// # Safety
    /// As [`Log::usual`].
    unsafe fn settle(file: *mut sqlite3_file) -> c_int {
        // SAFETY: the caller's promise. SQLite uses a file on one thread at a time.
        let (log, (usual, methods)) = unsafe { (&mut *file.cast::<Self>(), Self::usual(file)) };
        if log.gathered.is_empty() {
            return SQLITE_OK;
        }
        log.gathered.write(|bytes, at| match (methods.xWrite, c_int::try_from(bytes.len())) {
            // SAFETY: the usual layer's file, and as many bytes as are there.
            (Some(write), Ok(length)) => unsafe { write(usual, bytes.as_ptr().cast(), length, at) },
            _ => SQLITE_IOERR,
        })
    }
}

/// Opens a file: a log as ours, any other as the usual layer's.
unsafe extern "C" fn open(
    layer: *mut sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite calls this with our layer, whose `pAppData` is the usual one, and with `szOsFile` bytes at `file`.
    unsafe {
        let usual = (*layer).pAppData.cast::<sqlite3_vfs>();
        let Some(open) = (*usual).xOpen else { return SQLITE_CANTOPEN };
        if flags & SQLITE_OPEN_WAL == 0 {
            return open(usual, name, file, flags, out);
        }
        // Without methods it is not closed, should opening it fail; nor is the usual layer's, which then has none either.
        (*file).pMethods = ptr::null();
        let opened = open(usual, name, Log::behind(file), flags, out);
        if opened == SQLITE_OK {
            file.cast::<Log>().write(Log { base: sqlite3_file { pMethods: &METHODS }, gathered: Gathered::default() });
        }
        opened
    }
}

unsafe extern "C" fn write(file: *mut sqlite3_file, data: *const c_void, length: c_int, offset: i64) -> c_int {
    let Ok(count) = usize::try_from(length) else { return SQLITE_IOERR };
    // SAFETY: SQLite calls this with a log of ours and `length` bytes at `data`; no reference outlives its block.
    unsafe {
        if !(*file.cast::<Log>()).gathered.is_followed_by(offset) {
            let settled = Log::settle(file);
            if settled != SQLITE_OK {
                return settled;
            }
        }
        let bytes = std::slice::from_raw_parts(data.cast::<u8>(), count);
        let then = (*file.cast::<Log>()).gathered.take(bytes, offset);
        match then {
            Then::Wait => SQLITE_OK,
            Then::Write => Log::settle(file),
            Then::Pass => {
                let (usual, methods) = Log::usual(file);
                methods.xWrite.map_or(SQLITE_IOERR, |write| write(usual, data, length, offset))
            }
        }
    }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite calls this with a log of ours, once, and uses it no more. What was gathered and not written is of a
    // transaction that did not end.
    unsafe {
        let (usual, methods) = Log::usual(file);
        let closed = methods.xClose.map_or(SQLITE_OK, |close| close(usual));
        ptr::drop_in_place(file.cast::<Log>());
        closed
    }
}

/// What the usual layer does, once everything gathered is written.
macro_rules! after_settling {
    ($($name:ident = $method:ident($($argument:ident: $kind:ty),*);)+) => {$(
        unsafe extern "C" fn $name(file: *mut sqlite3_file $(, $argument: $kind)*) -> c_int {
            // SAFETY: SQLite calls this with a log of ours, and with arguments that are the usual layer's to understand.
            unsafe {
                let settled = Log::settle(file);
                if settled != SQLITE_OK {
                    return settled;
                }
                let (usual, methods) = Log::usual(file);
                methods.$method.map_or(SQLITE_IOERR, |done| done(usual $(, $argument)*))
            }
        }
    )+};
}

after_settling! {
    read = xRead(data: *mut c_void, length: c_int, offset: i64);
    truncate = xTruncate(size: i64);
    sync = xSync(flags: c_int);
    file_size = xFileSize(size: *mut i64);
    control = xFileControl(what: c_int, argument: *mut c_void);
}

/// What the usual layer knows without looking at the file.
macro_rules! known {
    ($($name:ident = $method:ident;)+) => {$(
        unsafe extern "C" fn $name(file: *mut sqlite3_file) -> c_int {
            // SAFETY: SQLite calls this with a log of ours.
            unsafe {
                let (usual, methods) = Log::usual(file);
                methods.$method.map_or(0, |known| known(usual))
            }
        }
    )+};
}

known! {
    sector_size = xSectorSize;
    characteristics = xDeviceCharacteristics;
}

/// Version 1: a log is never locked, shared or mapped; that is the database's file.
static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 1,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: None,
    xUnlock: None,
    xCheckReservedLock: None,
    xFileControl: Some(control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: None,
    xShmLock: None,
    xShmBarrier: None,
    xShmUnmap: None,
    xFetch: None,
    xUnfetch: None,
};
