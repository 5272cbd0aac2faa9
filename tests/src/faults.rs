//! A disk that keeps the server waiting, or fails (`faults/disk.c`), where SQLite's files are.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::store::Store;

/// What the disk can do to a server.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// Flushes of the log wait until this is over.
    HoldFlush,
    /// The next flush of the log fails, and those after it do not.
    FailFlush,
    /// Nothing is written into the log.
    FailLog,
    /// Nothing is written into the database itself.
    FailPages,
}

impl Fault {
    fn word(self) -> &'static str {
        match self {
            Self::HoldFlush => "hold-flush",
            Self::FailFlush => "fail-flush",
            Self::FailLog => "fail-log",
            Self::FailPages => "fail-pages",
        }
    }
}

/// The disk of a store, once a server has been started with its [`FaultyDisk::settings`].
pub struct FaultyDisk {
    folder: PathBuf,
    layer: String,
}

impl FaultyDisk {
    /// Makes one that works.
    ///
    /// # Panics
    /// Where there is no C compiler, which Rust needs itself to link.
    #[must_use]
    pub fn of(store: &Store) -> Self {
        let folder = store.folder().join("faults");
        std::fs::create_dir_all(&folder).expect("the store's folder can be written");
        let layer = folder.join("disk.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("faults/disk.c");
        let made =
            Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&layer).arg(source).arg("-ldl").output();
        let made = made.expect("there is a C compiler");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Self { layer: layer.display().to_string(), folder }
    }

    /// What a server on this disk is started with.
    ///
    /// # Panics
    /// Where the temporary folder is no text.
    #[must_use]
    pub fn settings(&self) -> [(&str, &str); 2] {
        let folder = self.folder.to_str().expect("a folder whose name is text");
        [("LD_PRELOAD", &self.layer), ("FAULTY_DISK", folder)]
    }

    /// Begins to do something.
    ///
    /// # Panics
    /// Where the store's folder is gone.
    pub fn begin(&self, fault: Fault) {
        std::fs::write(self.folder.join(fault.word()), "").expect("the folder can be written");
    }

    /// Whether it is still to be done.
    #[must_use]
    pub fn does(&self, fault: Fault) -> bool {
        self.folder.join(fault.word()).exists()
    }

    /// Ends it.
    ///
    /// # Panics
    /// Where it was not begun.
    pub fn end(&self, fault: Fault) {
        std::fs::remove_file(self.folder.join(fault.word())).expect("it was begun");
    }

    /// Whether somebody waits for a flush that is held.
    #[must_use]
    pub fn is_waited_for(&self) -> bool {
        self.folder.join("held").exists()
    }
}
