//! The signature of a webhook, as Stripe writes it: `t=<unix seconds>,v1=<hex>[,v1=<hex>…]`, each `v1` an
//! HMAC-SHA256 over `{t}.{body}`.

use engine::time::Time;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt::Write;
use subtle::ConstantTimeEq;

/// How far the moment of a signature may be from now, in seconds, either way.
pub const TOLERANCE_SECONDS: i64 = 300;

/// The secret that the gateway and this server share. An empty one signs nothing and accepts nothing.
#[derive(Clone)]
pub struct WebhookSecret(Vec<u8>);

/// Why a signature does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// There is no secret to check it with.
    #[error("no webhook secret is configured")]
    NoSecret,
    /// Not of the form `t=…,v1=…`.
    #[error("the signature header is malformed")]
    Malformed,
    /// Made too long ago, or in the future.
    #[error("the signature is outside the tolerance")]
    OutOfTime,
    /// Made with another secret, or of another body.
    #[error("the signature does not match")]
    Mismatch,
}

impl WebhookSecret {
    /// A secret, used byte for byte as it is configured.
    #[must_use]
    pub fn new(secret: &str) -> Self {
        Self(secret.trim().as_bytes().to_vec())
    }

    /// The header that vouches for a body at a moment.
    ///
    /// # Errors
    /// [`BadSignature::NoSecret`].
    pub fn sign(&self, body: &[u8], at: Time) -> Result<String, BadSignature> {
        let moment = at.seconds().to_string();
        Ok(format!("t={moment},v1={}", self.digest(&moment, body)?))
    }

    /// Goes on when the header vouches for the body.
    ///
    /// # Errors
    /// Why it does not.
    pub fn verify(&self, header: &str, body: &[u8], now: Time) -> Result<(), BadSignature> {
        let (moment, digests) = parse(header)?;
        let expected = self.digest(moment, body)?;
        let matches = digests.iter().filter(|own| bool::from(own.as_bytes().ct_eq(expected.as_bytes()))).count();
        if matches == 0 {
            return Err(BadSignature::Mismatch);
        }
        let signed_at: i64 = moment.parse().map_err(|_| BadSignature::Malformed)?;
        let in_time = now.seconds().abs_diff(signed_at) <= TOLERANCE_SECONDS.unsigned_abs();
        if in_time { Ok(()) } else { Err(BadSignature::OutOfTime) }
    }

    fn digest(&self, moment: &str, body: &[u8]) -> Result<String, BadSignature> {
        if self.0.is_empty() {
            return Err(BadSignature::NoSecret);
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).map_err(|_| BadSignature::NoSecret)?;
        mac.update(moment.as_bytes());
        mac.update(b".");
        mac.update(body);
        let bytes = mac.finalize().into_bytes();
        Ok(bytes.iter().fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        }))
    }
}

/// The moment, as it is written, and every `v1`. Other schemes are passed over.
fn parse(header: &str) -> Result<(&str, Vec<&str>), BadSignature> {
    let fields = || header.split(',').filter_map(|field| field.trim().split_once('='));
    let moment = fields().find(|(name, _)| *name == "t").map(|(_, value)| value);
    let digests: Vec<&str> = fields().filter(|(name, _)| *name == "v1").map(|(_, value)| value).collect();
    match moment {
        Some(moment) if !digests.is_empty() => Ok((moment, digests)),
        _ => Err(BadSignature::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_millis(1_700_000_000_000);
    const BODY: &[u8] = br#"{"id":"evt_1"}"#;

    fn seconds(offset: i64) -> Time {
        Time(NOW.0 + offset * 1_000_000)
    }

    #[test]
    fn it_is_the_hmac_that_openssl_makes() {
        // printf '1700000000.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_test
        let header = WebhookSecret::new("whsec_test").sign(BODY, NOW).expect("has a secret");
        assert_eq!(header, "t=1700000000,v1=c89214b5b5da833daed6f0b8c5bb6bd58cea9022bd80ccc78230f3942d632925");
    }

    #[test]
    fn what_was_signed_is_accepted_within_the_tolerance_only() {
        let secret = WebhookSecret::new("whsec_test");
        let header = secret.sign(BODY, NOW).expect("has a secret");
        for offset in [-300, -1, 0, 1, 300] {
            assert_eq!(secret.verify(&header, BODY, seconds(offset)), Ok(()), "{offset}");
        }
        for offset in [-301, 301, 100_000_000] {
            assert_eq!(secret.verify(&header, BODY, seconds(offset)), Err(BadSignature::OutOfTime), "{offset}");
        }
    }

    #[test]
    fn one_good_signature_among_several_is_enough() {
        let secret = WebhookSecret::new("new");
        let header = secret.sign(BODY, NOW).expect("has a secret");
        let good = header.split_once(",v1=").expect("has a v1").1;
        let rolled = format!("t=1700000000, v0=00, v1={}, v1={good}", "0".repeat(64));
        assert_eq!(secret.verify(&rolled, BODY, NOW), Ok(()));
    }

    #[test]
    fn nothing_else_is_accepted() {
        let secret = WebhookSecret::new("whsec_test");
        let header = secret.sign(BODY, NOW).expect("has a secret");
        let later = header.replace("t=1700000000", "t=1700000001");
        let short = header[..header.len() - 1].to_owned();
        for (wrong, why) in [
            ("", BadSignature::Malformed),
            ("t=1700000000", BadSignature::Malformed),
            ("v1=00", BadSignature::Malformed),
            ("t=1700000000,v1=", BadSignature::Mismatch),
            ("t=,v1=00", BadSignature::Mismatch),
            (&later, BadSignature::Mismatch),
            (&short, BadSignature::Mismatch),
        ] {
            assert_eq!(secret.verify(wrong, BODY, NOW), Err(why), "{wrong}");
        }
        assert_eq!(secret.verify(&header, b"{}", NOW), Err(BadSignature::Mismatch));
        assert_eq!(WebhookSecret::new("other").verify(&header, BODY, NOW), Err(BadSignature::Mismatch));
    }

    #[test]
    fn an_unset_secret_refuses_all() {
        for unset in ["", "  "] {
            let secret = WebhookSecret::new(unset);
            assert_eq!(secret.sign(BODY, NOW), Err(BadSignature::NoSecret));
            let header = WebhookSecret::new("x").sign(BODY, NOW).expect("has a secret");
            assert_eq!(secret.verify(&header, BODY, NOW), Err(BadSignature::NoSecret));
        }
    }
}
