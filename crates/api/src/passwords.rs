//! Passwords: Argon2id on a bounded number of threads, and nothing to learn from how long it takes.

use std::sync::{Arc, OnceLock};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

use crate::caller::Network;
use crate::fault::Fault;
use crate::shares::Shares;

/// How many may wait for a thread before the next one is told to come back.
const MOST_WAITING: usize = 256;
/// How many of these may come from one network: nobody fills the line alone.
const MOST_WAITING_OF_ONE: usize = 128;

/// Hashes and checks passwords without holding up the rest of the server.
pub struct Passwords {
    line: Semaphore,
    in_line: Shares<Network>,
    threads: Arc<Semaphore>,
    nobodys: Arc<OnceLock<String>>,
}

impl Passwords {
    /// Works on at most this many threads at once; each needs 19 MiB while it works.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        Self {
            line: Semaphore::new(MOST_WAITING),
            in_line: Shares::new(MOST_WAITING_OF_ONE),
            threads: Arc::new(Semaphore::new(threads.max(1))),
            nobodys: Arc::default(),
        }
    }

    /// The hash of a password that came from somewhere, in PHC form.
    ///
    /// # Errors
    /// [`Fault::Busy`] when too many wait, or too many from there.
    pub async fn hash(&self, password: String, from: Network) -> Result<String, Fault> {
        self.work(from, move || hash(&password)).await
    }

    /// Whether a password that came from somewhere fits a hash. Without a hash the answer is no, and takes as long.
    ///
    /// # Errors
    /// [`Fault::Busy`] when too many wait, or too many from there.
    pub async fn verify(&self, password: String, stored: Option<String>, from: Network) -> Result<bool, Fault> {
        let nobodys = self.nobodys.clone();
        self.work(from, move || {
            let known = stored.is_some();
            let stored = stored.unwrap_or_else(|| nobodys.get_or_init(|| hash("nobody's password")).clone());
            verify(&password, &stored) && known
        })
        .await
    }

    async fn work<T: Send + 'static>(
        &self,
        from: Network,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let _share = self.in_line.take(from).ok_or(Fault::Busy)?;
        let _place = self.line.try_acquire().map_err(|_| Fault::Busy)?;
        let turn = self.threads.clone().acquire_owned().await.map_err(|_| Fault::Busy)?;
        // The turn moves along: a caller that hangs up does not free a thread that still works.
        let work = tokio::task::spawn_blocking(move || (job(), drop(turn)).0);
        work.await.map_err(|_| Fault::Unavailable)
    }
}

/// Hashes on this thread, with the parameters OWASP recommends (19 MiB, two passes).
#[must_use]
pub fn hash(password: &str) -> String {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.expect("a password of any bytes hashes under the default parameters").to_string()
}

fn verify(password: &str, stored: &str) -> bool {
    PasswordHash::new(stored).is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use futures_util::FutureExt as _;

    use super::*;

    fn network(last: u8) -> Network {
        IpAddr::from([192, 0, 2, last]).into()
    }

    #[tokio::test]
    async fn nobody_fills_the_line_alone() {
        let passwords = Passwords::new(1);
        let working = passwords.threads.clone().try_acquire_owned().expect("one is free");
        let asked = |last| Box::pin(passwords.hash("a password".to_owned(), network(last)));
        let mut waiting: Vec<_> = (0..MOST_WAITING_OF_ONE).map(|_| asked(1)).collect();
        assert!(waiting.iter_mut().all(|own| own.now_or_never().is_none()));
        assert_eq!(asked(1).now_or_never(), Some(Err(Fault::Busy)));
        assert_eq!(asked(2).now_or_never(), None, "others wait as ever");
        waiting.pop();
        assert_eq!(asked(1).now_or_never(), None);
        drop((waiting, working));
        assert!(asked(1).await.is_ok());
    }

    #[tokio::test]
    async fn a_password_fits_its_own_hash_only() {
        let passwords = Passwords::new(1);
        let stored = passwords.hash("correct horse".to_owned(), network(1)).await.expect("hashes");
        assert!(stored.starts_with("$argon2id$"));
        let check = |password: &str, stored: Option<&str>| {
            passwords.verify(password.to_owned(), stored.map(str::to_owned), network(1))
        };
        assert_eq!(check("correct horse", Some(&stored)).await, Ok(true));
        assert_eq!(check("wrong horse", Some(&stored)).await, Ok(false));
        assert_eq!(check("correct horse", Some("no hash")).await, Ok(false));
        assert_eq!(check("nobody's password", None).await, Ok(false));
    }
}
