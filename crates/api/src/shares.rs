//! Limits on how much of something one client has at once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;

/// How many each client has of what there is. Who has none takes no room.
type Taken<C> = Arc<Mutex<HashMap<C, usize>>>;

/// What clients have shares of.
pub struct Shares<C> {
    most: usize,
    taken: Taken<C>,
}

/// One of a client's shares. Given back when it is dropped.
pub struct Share<C: Copy + Eq + Hash> {
    taken: Taken<C>,
    client: C,
}

impl<C: Copy + Eq + Hash> Shares<C> {
    /// So many for each client at most.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, taken: Arc::default() }
    }

    /// One more for a client; `None` where it has all it may have.
    #[must_use]
    pub fn take(&self, client: C) -> Option<Share<C>> {
        let mut taken = self.taken.lock();
        let own = taken.get(&client).copied().unwrap_or_default();
        if own >= self.most {
            return None;
        }
        taken.insert(client, own + 1);
        Some(Share { taken: self.taken.clone(), client })
    }
}

impl<C: Copy + Eq + Hash> Drop for Share<C> {
    fn drop(&mut self) {
        let mut taken = self.taken.lock();
        if let Entry::Occupied(mut own) = taken.entry(self.client) {
            *own.get_mut() -= 1;
            if *own.get() == 0 {
                own.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_its_own_share_and_gives_it_back() {
        let shares = Shares::new(2);
        let mut own: Vec<Share<char>> = (0..2).map(|_| shares.take('a').expect("there are two")).collect();
        assert!(shares.take('a').is_none());
        assert!(shares.take('b').is_some());
        drop(own.pop());
        assert!(shares.take('a').is_some());
        drop(own);
        assert!(shares.taken.lock().is_empty(), "who has none takes no room");
    }
}
