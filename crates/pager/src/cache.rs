//! SQLite's own page cache, but for one thing. Where a leaf of a tree is divided, pages change places, and one of two is
//! parked meanwhile under the number of the page that is never used, a gigabyte into the file. A cache that has seen so high a
//! number looks through all of its pages when the transaction ends, for such as are beyond the end of the database: in a rush
//! that was a tenth of what the writer did. Here the page is parked under 0, which no page has.

use std::ffi::{c_int, c_uint};
use std::ptr;
use std::sync::OnceLock;

use rusqlite::ffi::{
    self, SQLITE_CONFIG_GETPCACHE2, SQLITE_CONFIG_MEMSTATUS, SQLITE_CONFIG_PCACHE2, SQLITE_OK, sqlite3_pcache,
    sqlite3_pcache_methods2, sqlite3_pcache_page,
};

/// Where SQLite's locks are in a file; the page they are in has nothing else in it, and is never in a cache.
const LOCKS_AT: c_uint = 0x4000_0000;
/// What pages are parked under.
const PARKED: c_uint = 0;

/// The usual cache's functions.
struct Usual(sqlite3_pcache_methods2);

// SAFETY: functions, and an argument that is theirs; it is written once and only read afterwards.
unsafe impl Send for Usual {}
// SAFETY: as above.
unsafe impl Sync for Usual {}

static USUAL: OnceLock<Usual> = OnceLock::new();

/// Makes this the cache of all connections of the process, and keeps no statistics of memory, which take a lock each time
/// some is asked for. Changes nothing where SQLite was started already.
pub fn install() {
    let mut usual = sqlite3_pcache_methods2 {
        iVersion: 0,
        pArg: ptr::null_mut(),
        xInit: None,
        xShutdown: None,
        xCreate: None,
        xCachesize: None,
        xPagecount: None,
        xFetch: None,
        xUnpin: None,
        xRekey: None,
        xTruncate: None,
        xDestroy: None,
        xShrink: None,
    };
    // SAFETY: it is given where to write them; before SQLite is started, or else it does nothing and says so.
    if unsafe { ffi::sqlite3_config(SQLITE_CONFIG_GETPCACHE2, ptr::from_mut(&mut usual)) } != SQLITE_OK {
        return;
    }
    let own = sqlite3_pcache_methods2 {
        xCreate: Some(create),
        xCachesize: Some(cachesize),
        xPagecount: Some(pagecount),
        xFetch: Some(fetch),
        xUnpin: Some(unpin),
        xRekey: Some(rekey),
        xTruncate: Some(truncate),
        xDestroy: Some(destroy),
        xShrink: Some(shrink),
        ..usual
    };
    if USUAL.set(Usual(usual)).is_ok() {
        // SAFETY: as above; SQLite copies what it is given.
        unsafe {
            ffi::sqlite3_config(SQLITE_CONFIG_PCACHE2, ptr::from_ref(&own));
            ffi::sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0 as c_int);
        }
    }
}

/// A cache of one database.
struct Cache {
    usual: *mut sqlite3_pcache,
    /// The number that no page of this database has.
    never: c_uint,
}

impl Cache {
    /// What the usual cache knows a page by that SQLite is giving this number.
    fn name(&self, number: c_uint) -> c_uint {
        if number == self.never { PARKED } else { number }
    }
}

unsafe extern "C" fn create(page: c_int, extra: c_int, purgeable: c_int) -> *mut sqlite3_pcache {
    let Some((create, size)) = USUAL.get().and_then(|usual| usual.0.xCreate).zip(c_uint::try_from(page).ok()) else {
        return ptr::null_mut();
    };
    // SAFETY: what SQLite asked of us is asked of the usual one.
    let usual = unsafe { create(page, extra, purgeable) };
    if usual.is_null() || size == 0 {
        return ptr::null_mut();
    }
    Box::into_raw(Box::new(Cache { usual, never: LOCKS_AT / size + 1 })).cast()
}

unsafe extern "C" fn rekey(cache: *mut sqlite3_pcache, page: *mut sqlite3_pcache_page, old: c_uint, new: c_uint) {
    // SAFETY: SQLite calls this with a cache of ours and a page of it that is known under `old`.
    unsafe {
        let own = &*cache.cast::<Cache>();
        if let Some(rekey) = USUAL.get().and_then(|usual| usual.0.xRekey) {
            rekey(own.usual, page, own.name(old), own.name(new));
        }
    }
}

unsafe extern "C" fn destroy(cache: *mut sqlite3_pcache) {
    // SAFETY: SQLite calls this with a cache that `create` made, once, and uses it no more.
    unsafe {
        let own = Box::from_raw(cache.cast::<Cache>());
        if let Some(destroy) = USUAL.get().and_then(|usual| usual.0.xDestroy) {
            destroy(own.usual);
        }
    }
}

/// What the usual cache does.
macro_rules! as_usual {
    ($($name:ident = $method:ident($($argument:ident: $kind:ty),*) $(-> $back:ty, or $else:expr)?;)+) => {$(
        unsafe extern "C" fn $name(cache: *mut sqlite3_pcache $(, $argument: $kind)*) $(-> $back)? {
            // SAFETY: SQLite calls this with a cache of ours, and with arguments that are the usual one's to understand.
            unsafe {
                match USUAL.get().and_then(|usual| usual.0.$method) {
                    Some(method) => method((*cache.cast::<Cache>()).usual $(, $argument)*),
                    None => as_usual!(@else $($else)?),
                }
            }
        }
    )+};
    (@else) => { () };
    (@else $else:expr) => { $else };
}

as_usual! {
    cachesize = xCachesize(pages: c_int);
    pagecount = xPagecount() -> c_int, or 0;
    fetch = xFetch(number: c_uint, create: c_int) -> *mut sqlite3_pcache_page, or ptr::null_mut();
    unpin = xUnpin(page: *mut sqlite3_pcache_page, discard: c_int);
    truncate = xTruncate(first: c_uint);
    shrink = xShrink();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_parked_where_none_is_and_every_other_keeps_its_number() {
        for (size, never) in [(512, 2_097_153), (4_096, 262_145), (65_536, 16_385)] {
            let cache = Cache { usual: ptr::null_mut(), never: LOCKS_AT / size + 1 };
            assert_eq!(cache.never, never);
            assert_eq!(cache.name(never), PARKED);
            for number in [1, 2, never - 1, never + 1] {
                assert_eq!(cache.name(number), number);
            }
        }
    }
}
