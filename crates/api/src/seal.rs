//! Answers as they are kept: sealed, since some carry tokens, and all of them what is nobody else's business.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Leads every sealed body: no JSON begins so.
const VERSION: u8 = 1;
/// Keeps this use of the secret apart from all others.
const LABEL: &[u8] = b"maepyo kept answers";

/// Seals bodies before they are kept, and opens them (AES-256-GCM-SIV). Cheap to clone.
#[derive(Clone)]
pub struct Seal(Arc<RandomizedNonceKey>);

impl Seal {
    /// The seal that belongs to a server's secret.
    #[must_use]
    pub fn derive(secret: &[u8]) -> Self {
        let mut labelled = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
        labelled.update(LABEL);
        let key = labelled.finalize().into_bytes();
        Self(Arc::new(RandomizedNonceKey::new(&AES_256_GCM_SIV, &key).expect("the key is as long as it has to be")))
    }

    /// A body as it is kept.
    #[must_use]
    pub fn seal(&self, mut body: Vec<u8>) -> Vec<u8> {
        let nonce = self.0.seal_in_place_append_tag(Aad::empty(), &mut body).expect("a body is not that long");
        [&[VERSION][..], nonce.as_ref(), &body].concat()
    }

    /// The body that was kept; `None` where it was sealed under another secret, or changed. One that was kept before
    /// there was a seal is open.
    #[must_use]
    pub fn open(&self, kept: &[u8]) -> Option<Vec<u8>> {
        let Some((&VERSION, sealed)) = kept.split_first() else { return Some(kept.to_owned()) };
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN)?;
        let (nonce, mut body) = (Nonce::try_assume_unique_for_key(nonce).ok()?, body.to_owned());
        let length = self.0.open_in_place(nonce, Aad::empty(), &mut body).ok()?.len();
        body.truncate(length);
        Some(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_body_is_opened_by_its_own_secret_only() {
        let (seal, body) = (Seal::derive(b"a secret"), br#"{"token":"t"}"#.to_vec());
        let sealed = seal.seal(body.clone());
        assert!(!sealed.windows(5).any(|part| part == b"token"));
        assert_ne!(sealed, seal.seal(body.clone()), "the same answer twice does not look the same");
        assert_eq!(Seal::derive(b"a secret").open(&sealed), Some(body));
        assert_eq!(Seal::derive(b"another").open(&sealed), None);
    }

    #[test]
    fn what_was_changed_is_not_opened_and_what_is_open_stays() {
        let seal = Seal::derive(b"a secret");
        let sealed = seal.seal(b"{}".to_vec());
        for place in 1..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert_eq!(seal.open(&changed), None, "{place}");
        }
        assert_eq!((seal.open(&[VERSION]), seal.open(&sealed[..20])), (None, None));
        assert_eq!((seal.open(b"{}"), seal.open(b"")), (Some(b"{}".to_vec()), Some(Vec::new())));
    }
}
