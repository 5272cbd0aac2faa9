//! Who looks at a lane: one at a time, and never one look too few.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// Whether a lane is being looked at, and whether it has to be once more. A look that was asked for begins after that, or
/// follows the one that is under way.
#[derive(Default)]
pub(crate) struct Looks {
    under_way: AtomicBool,
    asked: AtomicBool,
}

impl Looks {
    /// Asks for a look. Gives whether nobody had asked before: then the caller sees to it.
    pub(crate) fn ask(&self) -> bool {
        !self.asked.swap(true, SeqCst)
    }

    /// Begins a look. Gives whether it may: where one is under way, whoever ends that is told to look again.
    pub(crate) fn begin(&self) -> bool {
        // Asked for before it is tried: otherwise the other one could end in between and not hear of it, and nobody would
        // ask any more, since it has been asked.
        self.asked.store(true, SeqCst);
        if self.under_way.swap(true, SeqCst) {
            return false;
        }
        // Read, not only written: what was changed before somebody asked is seen by this look.
        self.asked.swap(false, SeqCst);
        true
    }

    /// Ends it. Gives whether another one has been asked for, which the caller sees to.
    pub(crate) fn end(&self) -> bool {
        self.under_way.store(false, SeqCst);
        self.asked.swap(false, SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    /// Changes something and has it looked at, from four threads; the last look has to see the last change.
    #[test]
    fn no_change_stays_unseen() {
        let (looks, changed, seen) = (Looks::default(), AtomicU64::new(0), AtomicU64::new(0));
        let look = || {
            while looks.begin() {
                seen.store(changed.load(SeqCst), SeqCst);
                if !looks.end() {
                    break;
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50_000 {
                        changed.fetch_add(1, SeqCst);
                        if looks.ask() {
                            look();
                        }
                    }
                });
            }
        });
        assert_eq!((seen.into_inner(), changed.into_inner()), (200_000, 200_000));
    }
}
