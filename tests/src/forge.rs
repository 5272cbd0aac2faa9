//! Signatures and tokens, true and false ones: what a gateway would send, and what an attacker would.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// HMAC-SHA256.
#[must_use]
pub fn hmac(key: &str, message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("a key may have any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// The `stripe-signature` header of a body that was sent at a Unix time in seconds.
#[must_use]
pub fn stripe_signature(secret: &str, at: i64, body: &[u8]) -> String {
    let signed = [format!("{at}.").as_bytes(), body].concat();
    let hex: String = hmac(secret, &signed).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={at},v1={hex}")
}

/// The claims inside a token, unchecked.
#[must_use]
pub fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap_or_default();
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or(Value::Null)
}

/// A token with these claims that says it was signed with `alg`; signed with `key` by HMAC-SHA256, or not at all
/// when `alg` is "none".
#[must_use]
pub fn token(alg: &str, key: &str, claims: &Value) -> String {
    let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(&json!({"alg": alg, "typ": "JWT"})), encode(claims));
    let signature = if alg == "none" { Vec::new() } else { hmac(key, signed.as_bytes()) };
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// The moment, as Unix time in seconds.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "a signature carries the true time")]
pub fn unix_time() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map(|since| since.as_secs().cast_signed()).unwrap_or_default()
}
