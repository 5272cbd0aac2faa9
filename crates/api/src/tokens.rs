//! Access and refresh tokens: HS256 JSON Web Tokens, good in every dialect.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use desk::Time;
use engine::id::UserId;
use engine::people::{Role, User};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::ids;

/// Who issued a token of ours: what another service signs with the shared secret names itself, or nobody.
const ISSUER: &str = "maepyo";

/// How many people are remembered as being there, so that not every new token asks the desk for its own.
const MOST_KNOWN: usize = 100_000;

/// How many good tokens are remembered (each takes about half a KiB).
const MOST_VERIFIED: usize = 50_000;

/// Who a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who it is.
    pub user: UserId,
    /// What that person may do.
    pub role: Role,
    /// The person's e-mail address.
    pub email: Arc<str>,
    /// When the token runs out.
    pub expires_at: Time,
}

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Access,
    Refresh,
}

/// The claims every dialect finds its own in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Claims {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    #[serde(default)]
    email: String,
    #[serde(default)]
    role: String,
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    kind: Option<Kind>,
    #[serde(default, deserialize_with = "numeric_date")]
    iat: i64,
    /// Only other services' tokens may be without an end.
    #[serde(default = "never", deserialize_with = "numeric_date")]
    exp: i64,
    /// Only other services say so.
    #[serde(default, deserialize_with = "numeric_date", skip_serializing)]
    nbf: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    /// Of a refresh token: under which password it was given.
    #[serde(rename = "pwd", default, skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

/// An access token that counts.
#[derive(Debug, Clone)]
pub struct Access {
    /// Who it speaks for.
    pub caller: Caller,
    /// Whether somebody else signed it, so that its user may not be known here yet.
    pub foreign: bool,
}

/// A refresh token that counts, unless it was revoked or its user has another password now.
#[derive(Debug, Clone)]
pub struct Refresh {
    /// Whose it is.
    pub user: UserId,
    /// Its own id.
    pub token: u128,
    /// When it runs out.
    pub expires_at: Time,
    password: Option<String>,
}

impl Refresh {
    /// Whether it was given to this user under the password of now. A new password ends what was begun with the old one.
    #[must_use]
    pub fn is_of(&self, user: &User) -> bool {
        self.user == user.id && self.password.as_ref() == Some(&password_mark(user))
    }
}

/// Signs and reads tokens.
pub struct Tokens {
    signing: EncodingKey,
    verifying: DecodingKey,
    rules: Validation,
    access_seconds: i64,
    refresh_seconds: i64,
    known: Mutex<HashSet<UserId>>,
    /// Access tokens whose signature was found good, and when they run out.
    verified: RwLock<HashMap<String, (Access, Time)>>,
}

impl Tokens {
    /// Tokens under a secret, with these lifetimes in seconds.
    #[must_use]
    pub fn new(secret: &[u8], access_seconds: i64, refresh_seconds: i64) -> Self {
        let mut rules = Validation::new(Algorithm::HS256);
        // The desk's clock decides about `exp` and `nbf`, not the one of the library.
        rules.validate_exp = false;
        rules.validate_aud = false;
        rules.required_spec_claims.clear();
        Self {
            signing: EncodingKey::from_secret(secret),
            verifying: DecodingKey::from_secret(secret),
            rules,
            access_seconds,
            refresh_seconds,
            known: Mutex::default(),
            verified: RwLock::default(),
        }
    }

    /// How long an access token lasts, in seconds.
    #[must_use]
    pub fn access_seconds(&self) -> i64 {
        self.access_seconds
    }

    /// A new access token.
    #[must_use]
    pub fn access(&self, user: &User, now: Time) -> String {
        self.sign(user, Kind::Access, now, self.access_seconds)
    }

    /// A new refresh token.
    #[must_use]
    pub fn refresh(&self, user: &User, now: Time) -> String {
        self.sign(user, Kind::Refresh, now, self.refresh_seconds)
    }

    /// Reads an access token; `None` when it does not count at `now`. Whether its user is there is another question:
    /// see [`crate::caller::of_token`].
    #[must_use]
    pub fn read_access(&self, token: &str, now: Time) -> Option<Access> {
        if let Some((access, until)) = self.verified.read().get(token) {
            return (*until > now).then(|| access.clone());
        }
        let claims = self.verify(token, now)?;
        if claims.kind == Some(Kind::Refresh) {
            return None;
        }
        let (user, until, foreign) = (claims.user()?, claims.expires_at(), !claims.is_own());
        let role = Role::from_word(&claims.role).unwrap_or(Role::User);
        let caller = Caller { user, role, email: claims.email.into(), expires_at: until };
        let access = Access { caller, foreign };
        self.remember_verified(token, &access, until);
        Some(access)
    }

    /// The same token comes with every request of a visit: its signature is checked once. All are forgotten when they
    /// are too many, which is simpler than knowing the oldest and costs one check each.
    fn remember_verified(&self, token: &str, access: &Access, until: Time) {
        let mut verified = self.verified.write();
        if verified.len() >= MOST_VERIFIED {
            verified.clear();
        }
        verified.insert(token.to_owned(), (access.clone(), until));
    }

    /// Reads a refresh token; `None` when it does not count at `now`.
    #[must_use]
    pub fn read_refresh(&self, token: &str, now: Time) -> Option<Refresh> {
        let claims = self.verify(token, now)?;
        if claims.kind != Some(Kind::Refresh) {
            return None;
        }
        let token = ids::parse_uuid(claims.jti.as_deref()?)?;
        let (user, expires_at) = (claims.user()?, claims.expires_at());
        Some(Refresh { user, token, expires_at, password: claims.password })
    }

    /// Whether this person is there, as far as is remembered.
    #[must_use]
    pub fn is_known(&self, user: UserId) -> bool {
        self.known.lock().contains(&user)
    }

    /// Remembers that this person is there. People are never deleted.
    pub fn remember_known(&self, user: UserId) {
        let mut known = self.known.lock();
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        known.insert(user);
    }

    fn verify(&self, token: &str, now: Time) -> Option<Claims> {
        let claims = jsonwebtoken::decode::<Claims>(token, &self.verifying, &self.rules).ok()?.claims;
        let has_end = claims.exp != never() || !claims.is_own() && claims.kind != Some(Kind::Refresh);
        (claims.not_before() <= now && claims.expires_at() > now && has_end).then_some(claims)
    }

    fn sign(&self, user: &User, kind: Kind, now: Time, seconds: i64) -> String {
        let id = ids::uuid(user.id.0);
        let claims = Claims {
            iss: Some(ISSUER.to_owned()),
            sub: Some(id.clone()),
            user_id: Some(id),
            email: user.email.clone(),
            role: user.role.word().to_owned(),
            kind: Some(kind),
            iat: now.seconds(),
            exp: now.seconds() + seconds,
            nbf: 0,
            jti: Some(ids::uuid(random())),
            password: (kind == Kind::Refresh).then(|| password_mark(user)),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signing)
            .expect("claims of strings and numbers always encode under an HMAC key")
    }
}

/// Tells one password of a user from the next, and nothing of either: the hash it is made of has a salt of its own.
fn password_mark(user: &User) -> String {
    let digest = Sha256::digest(user.password_hash.as_deref().unwrap_or_default());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The end of a token that names none, in seconds.
const fn never() -> i64 {
    i64::MAX
}

impl Claims {
    fn is_own(&self) -> bool {
        self.iss.as_deref() == Some(ISSUER)
    }

    fn user(&self) -> Option<UserId> {
        let id = self.user_id.as_deref().or(self.sub.as_deref())?;
        ids::parse_user(id)
    }

    fn not_before(&self) -> Time {
        Time(self.nbf.saturating_mul(1_000_000))
    }

    fn expires_at(&self) -> Time {
        Time(self.exp.saturating_mul(1_000_000))
    }
}

/// Whole seconds of a moment that may have a fraction (RFC 7519, NumericDate).
#[expect(clippy::cast_possible_truncation, reason = "float casts saturate")]
fn numeric_date<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    f64::deserialize(deserializer).map(|seconds| seconds as i64)
}

/// 128 random bits.
fn random() -> u128 {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    u128::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;

    use super::*;

    const NOW: Time = Time::from_millis(1_700_000_000_000);

    fn tokens() -> Tokens {
        Tokens::new(b"a secret of the tests", 3600, 7200)
    }

    fn user() -> User {
        User {
            id: UserId(0x0189_0a5d_ac96_774b_bcce_b302_099a_8057),
            email: "user@example.com".to_owned(),
            password_hash: None,
            name: "홍길동".to_owned(),
            phone: None,
            role: Role::Organizer,
            created_at: NOW,
        }
    }

    fn later(seconds: i64) -> Time {
        NOW + engine::time::Span::seconds(seconds)
    }

    fn foreign(header: Header, claims: &serde_json::Value, secret: &[u8]) -> String {
        jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(secret)).expect("signs")
    }

    #[test]
    fn an_access_token_names_its_user_until_it_runs_out() {
        let tokens = tokens();
        let token = tokens.access(&user(), NOW);
        let access = tokens.read_access(&token, later(3599)).expect("counts");
        assert_eq!((access.caller.user, access.caller.role), (user().id, Role::Organizer));
        assert_eq!(&*access.caller.email, "user@example.com");
        assert_eq!(access.caller.expires_at, later(3600));
        assert!(!access.foreign);
        assert!(tokens.read_access(&token, later(3600)).is_none(), "expired, though it was found good before");
    }

    #[test]
    fn neither_kind_of_token_passes_for_the_other() {
        let tokens = tokens();
        let (access, refresh) = (tokens.access(&user(), NOW), tokens.refresh(&user(), NOW));
        assert!(tokens.read_access(&refresh, NOW).is_none());
        assert!(tokens.read_refresh(&access, NOW).is_none());
        let read = tokens.read_refresh(&refresh, NOW).expect("counts");
        assert_eq!((read.user, read.expires_at), (user().id, later(7200)));
    }

    #[test]
    fn a_refresh_token_ends_with_the_password_it_was_given_under() {
        let read = tokens().read_refresh(&tokens().refresh(&user(), NOW), NOW).expect("counts");
        assert!(read.is_of(&user()));
        let changed = User { password_hash: Some("another".to_owned()), ..user() };
        assert!(!read.is_of(&changed));
        assert!(!read.is_of(&User { id: UserId(99), ..user() }), "nor is it anybody else's");
        let before = serde_json::json!({
            "iss": ISSUER, "userId": ids::uuid(user().id.0), "type": "refresh", "exp": 1_800_000_000, "jti": ids::uuid(1),
        });
        let token = foreign(Header::default(), &before, b"a secret of the tests");
        assert!(
            !tokens().read_refresh(&token, NOW).expect("counts").is_of(&user()),
            "one that does not say under which"
        );
    }

    #[test]
    fn a_wrong_key_algorithm_or_signature_does_not_count() {
        let tokens = tokens();
        let token = Tokens::new(b"another secret", 3600, 7200).access(&user(), NOW);
        assert!(tokens.read_access(&token, NOW).is_none(), "wrong key");

        let claims =
            serde_json::json!({"userId": ids::uuid(1), "email": "a@b.c", "role": "admin", "exp": 1_800_000_000});
        let wrong = foreign(Header::new(Algorithm::HS512), &claims, b"a secret of the tests");
        assert!(tokens.read_access(&wrong, NOW).is_none(), "wrong algorithm");

        let none = BASE64.encode(r#"{"alg":"none","typ":"JWT"}"#);
        for end in ["", "AAAA"] {
            let unsigned = format!("{none}.{}.{end}", BASE64.encode(claims.to_string()));
            assert!(tokens.read_access(&unsigned, NOW).is_none(), "alg none");
        }

        let good = tokens.access(&user(), NOW);
        let (body, signature) = good.rsplit_once('.').expect("three parts");
        let tampered = BASE64.encode(claims.to_string());
        let head = body.split('.').next().expect("a header");
        assert!(tokens.read_access(&format!("{head}.{tampered}.{signature}"), NOW).is_none(), "tampered");
        for garbage in ["", ".", "..", "a.b.c", "한.글.임"] {
            assert!(tokens.read_access(garbage, NOW).is_none());
        }
    }

    #[test]
    fn a_token_does_not_count_before_it_says_so() {
        let (tokens, begins) = (tokens(), later(60).seconds());
        let claims = serde_json::json!({"userId": ids::uuid(7), "nbf": begins, "exp": begins + 60});
        let token = foreign(Header::default(), &claims, b"a secret of the tests");
        assert!(tokens.read_access(&token, later(59)).is_none());
        assert!(tokens.read_access(&token, later(60)).is_some());
        let claims = serde_json::json!({"userId": ids::uuid(7), "nbf": "soon", "exp": begins});
        let token = foreign(Header::default(), &claims, b"a secret of the tests");
        assert!(tokens.read_access(&token, NOW).is_none(), "no date");
    }

    #[test]
    fn a_token_signed_elsewhere_with_the_secret_is_an_access_token() {
        let sign = |claims| foreign(Header::default(), &claims, b"a secret of the tests");
        let token =
            sign(serde_json::json!({"userId": ids::uuid(7), "email": "a@b.c", "role": "guest", "exp": 1_800_000_000}));
        let access = tokens().read_access(&token, NOW).expect("counts");
        assert!(access.foreign);
        assert_eq!((access.caller.user, access.caller.role), (UserId(7), Role::User));
        let named = serde_json::json!({"userId": ids::uuid(7), "type": "access", "iss": "auth", "exp": 1_800_000_000});
        assert!(tokens().read_access(&sign(named), NOW).expect("counts").foreign, "whatever it says it is");
        // As tiketi's own service signs them.
        let endless = serde_json::json!({"userId": ids::uuid(7), "email": "a@b.c", "role": "user"});
        assert!(tokens().read_access(&sign(endless), NOW).is_some());
        for claims in [
            serde_json::json!({"userId": ids::uuid(7), "iss": ISSUER, "type": "access"}),
            serde_json::json!({"userId": ids::uuid(7), "type": "refresh"}),
            serde_json::json!({"userId": "seven", "exp": 1_800_000_000}),
            serde_json::json!({"exp": 1_800_000_000}),
            serde_json::json!({"userId": ids::uuid(7), "type": "other", "exp": 1_800_000_000}),
            serde_json::json!({"userId": ids::uuid(7), "type": "refresh", "exp": 1_800_000_000}),
        ] {
            assert!(tokens().read_access(&sign(claims.clone()), NOW).is_none(), "{claims}");
        }
    }
}
