//! What was written to the log and is not in the file yet. Nothing in here is unsafe.

/// The length of the head of a frame, in bytes (SQLite's file format, 4.1).
const HEAD: usize = 24;
/// How much is enough, in bytes. With a page more, which has 65,536 at most, it is still below the 131,071 that SQLite
/// writes in one call.
const ENOUGH: usize = 60_000;

/// Writes of which each begins where the one before ended.
#[derive(Default)]
pub(crate) struct Gathered {
    bytes: Vec<u8>,
    at: i64,
}

/// What is to be done with a write.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// It waits for what follows.
    Wait,
    /// It was gathered, and everything is to be written now.
    Write,
    /// It is to be written by itself.
    Pass,
}

impl Gathered {
    /// Whether there is anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether a write at an offset can be added.
    pub(crate) fn is_followed_by(&self, offset: i64) -> bool {
        self.is_empty() || self.end() == Some(offset)
    }

    fn end(&self) -> Option<i64> {
        self.at.checked_add_unsigned(self.bytes.len() as u64)
    }

    /// Takes a write that follows. The head of a frame begins it or goes on; what is no part of a frame passes. The head
    /// of the frame that ends a transaction has the size of the database in its second word, which is zero in others:
    /// what follows that head is told to readers, so it waits for nothing.
    pub(crate) fn take(&mut self, bytes: &[u8], offset: i64) -> Then {
        let is_head = bytes.len() == HEAD;
        if self.is_empty() {
            if !is_head {
                return Then::Pass;
            }
            self.at = offset;
        }
        self.bytes.extend_from_slice(bytes);
        let ends = is_head && bytes[4..8] != [0; 4];
        if ends || self.bytes.len() >= ENOUGH { Then::Write } else { Then::Wait }
    }

    /// Hands everything to `write`, with where it begins. Whether that succeeds or not, it is gone from here: a COMMIT that
    /// could not write it is undone.
    pub(crate) fn write<T>(&mut self, write: impl FnOnce(&[u8], i64) -> T) -> T {
        let done = write(&self.bytes, self.at);
        self.bytes.clear();
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(size: u8) -> Vec<u8> {
        let mut head = vec![1; HEAD];
        head[4..8].copy_from_slice(&[0, 0, 0, size]);
        head
    }

    #[test]
    fn frames_wait_for_the_one_that_ends_the_transaction() {
        let mut gathered = Gathered::default();
        assert_eq!(gathered.take(&head(0), 32), Then::Wait);
        assert!(gathered.is_followed_by(56) && !gathered.is_followed_by(32));
        assert_eq!(gathered.take(&[7; 4_096], 56), Then::Wait);
        assert_eq!(gathered.take(&head(9), 4_152), Then::Write);
        let expected = [head(0), vec![7; 4_096], head(9)].concat();
        gathered.write(|bytes, at| assert_eq!((bytes, at), (&expected[..], 32)));
        assert!(gathered.is_empty());
        assert_eq!(gathered.take(&[7; 4_096], 4_176), Then::Pass, "the last page of it");
    }

    #[test]
    fn what_is_no_frame_passes_and_much_does_not_wait() {
        let mut gathered = Gathered::default();
        assert_eq!(gathered.take(&[1; 32], 0), Then::Pass, "the head of the log");
        assert_eq!(gathered.take(&head(0), 32), Then::Wait);
        assert_eq!(gathered.take(&[1; 65_536], 56), Then::Write);
        gathered.write(|bytes, _| assert!(bytes.len() <= 0x1_ffff));
    }
}
