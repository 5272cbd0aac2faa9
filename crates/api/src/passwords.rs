//! Passwords: Argon2id on a bounded number of threads, and nothing to learn from how long it takes.

use std::sync::{Arc, OnceLock};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

use crate::fault::Fault;

/// How many may wait for a thread before the next one is told to come back.
const MOST_WAITING: usize = 256;

/// Hashes and checks passwords without holding up the rest of the server.
pub struct Passwords {
    line: Semaphore,
    threads: Arc<Semaphore>,
    nobodys: Arc<OnceLock<String>>,
}

impl Passwords {
    /// Works on at most this many threads at once; each needs 19 MiB while it works.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        Self {
            line: Semaphore::new(MOST_WAITING),
            threads: Arc::new(Semaphore::new(threads.max(1))),
            nobodys: Arc::default(),
        }
    }

    /// The hash of a password, in PHC form.
    ///
    /// # Errors
    /// [`Fault::Busy`] when too many wait.
    pub async fn hash(&self, password: String) -> Result<String, Fault> {
        self.work(move || hash(&password)).await
    }

    /// Whether a password fits a hash. Without a hash the answer is no, and takes as long.
    ///
    /// # Errors
    /// [`Fault::Busy`] when too many wait.
    pub async fn verify(&self, password: String, stored: Option<String>) -> Result<bool, Fault> {
        let nobodys = self.nobodys.clone();
        self.work(move || {
            let known = stored.is_some();
            let stored = stored.unwrap_or_else(|| nobodys.get_or_init(|| hash("nobody's password")).clone());
            verify(&password, &stored) && known
        })
        .await
    }

    async fn work<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
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
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_only() {
        let passwords = Passwords::new(1);
        let stored = passwords.hash("correct horse".to_owned()).await.expect("hashes");
        assert!(stored.starts_with("$argon2id$"));
        let check =
            |password: &str, stored: Option<&str>| passwords.verify(password.to_owned(), stored.map(str::to_owned));
        assert_eq!(check("correct horse", Some(&stored)).await, Ok(true));
        assert_eq!(check("wrong horse", Some(&stored)).await, Ok(false));
        assert_eq!(check("correct horse", Some("no hash")).await, Ok(false));
        assert_eq!(check("nobody's password", None).await, Ok(false));
    }
}
