//! Who calls: the bearer token of a request, read once however many ask.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};

use axum::extract::{ConnectInfo, FromRequestParts, OriginalUri};
use desk::{Stopped, Unavailable};
use engine::people::{AdoptUser, Role, User};
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{Extensions, HeaderMap, Uri};

use crate::fault::{self, Fault};
use crate::state::AppState;
use crate::tokens::Access;
pub use crate::tokens::Caller;

/// The caller, where somebody is signed in. A token that does not count is refused all the same.
#[derive(Debug, Clone)]
pub struct MaybeCaller(pub Option<Caller>);

/// Where the first who reads a request's token leaves what it said, for the others and for the log.
#[derive(Debug, Clone, Default)]
pub struct CallerSlot(Arc<OnceLock<Caller>>);

impl CallerSlot {
    /// The caller, once somebody has asked.
    #[must_use]
    pub fn get(&self) -> Option<&Caller> {
        self.0.get()
    }
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Fault> {
        of(parts, state).await?.0.ok_or(Fault::Unauthorized)
    }
}

impl FromRequestParts<AppState> for MaybeCaller {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Fault> {
        of(parts, state).await
    }
}

/// Who sent a request.
///
/// # Errors
/// [`Fault::Unauthorized`] for a token that does not count; the desk's when a foreign token's user cannot be made.
pub async fn of(parts: &Parts, state: &AppState) -> Result<MaybeCaller, Fault> {
    identify(&parts.headers, &parts.extensions, state).await
}

/// As [`of`], from the pieces.
///
/// # Errors
/// As [`of`].
pub async fn identify(headers: &HeaderMap, extensions: &Extensions, state: &AppState) -> Result<MaybeCaller, Fault> {
    let slot = extensions.get::<CallerSlot>();
    if let Some(known) = slot.and_then(CallerSlot::get) {
        return Ok(MaybeCaller(Some(known.clone())));
    }
    if !headers.contains_key(AUTHORIZATION) {
        return Ok(MaybeCaller(None));
    }
    let token = bearer_of(headers).ok_or(Fault::Unauthorized)?;
    let caller = of_token(token, state).await?;
    if let Some(slot) = slot {
        let _ = slot.0.set(caller.clone());
    }
    Ok(MaybeCaller(Some(caller)))
}

/// Who an access token speaks for: somebody who is there. Whom another service vouches for is made on first sight; whom
/// only a token of our own names was lost with a store (one restored from a backup) and has to register again.
///
/// # Errors
/// As [`of`].
pub async fn of_token(token: &str, state: &AppState) -> Result<Caller, Fault> {
    let Access { mut caller, foreign } =
        state.tokens.read_access(token, state.desk.now()).ok_or(Fault::Unauthorized)?;
    if foreign {
        adopt(&caller, state).await?;
    } else if caller.role != Role::User {
        // Rights that were taken away are gone at once, not when the token runs out.
        caller.role = state.desk.user(caller.user).await?.ok_or(Fault::Unauthorized)?.role;
    } else if !state.tokens.is_known(caller.user) {
        state.desk.user(caller.user).await?.ok_or(Fault::Unauthorized)?;
        state.tokens.remember_known(caller.user);
    }
    Ok(caller)
}

/// Whom a refresh token gives new access tokens; `None` where it counts no more: its time is up, it was revoked, or its
/// user has another password since.
///
/// # Errors
/// [`Unavailable`].
pub async fn renewed_by(token: &str, state: &AppState) -> Result<Option<User>, Unavailable> {
    let Some(read) = state.tokens.read_refresh(token, state.desk.now()) else { return Ok(None) };
    if state.desk.token_revoked(read.token).await? {
        return Ok(None);
    }
    Ok(state.desk.user(read.user).await?.filter(|user| read.is_of(user)))
}

/// The bearer token of a request, as it came; `None` where it has none, or more than one header to look for it.
#[must_use]
pub fn bearer_of(headers: &HeaderMap) -> Option<&str> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let only = given.next().filter(|_| given.next().is_none());
    only.and_then(|value| value.to_str().ok()).and_then(bearer)
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// Makes the person of a token that was signed elsewhere, on first sight.
async fn adopt(caller: &Caller, state: &AppState) -> Result<(), Fault> {
    if state.tokens.is_known(caller.user) {
        return Ok(());
    }
    let command = AdoptUser { id: caller.user, email: caller.email.to_string(), role: caller.role };
    state
        .desk
        .run(command)
        .await
        .map_err(|stopped: Stopped| fault::without_verdict(stopped).unwrap_or(Fault::Unauthorized))?;
    state.tokens.remember_known(caller.user);
    Ok(())
}

/// The address a request came from: the peer's, or behind a trusted proxy the last one of `X-Forwarded-For` that
/// is not itself a trusted proxy's.
///
/// Each proxy adds at the end who came to it, so the list is read from there. What cannot be read ends it: further left
/// stands whatever the client wrote.
#[must_use]
pub fn address(headers: &HeaderMap, extensions: &Extensions, trusted: &[IpAddr]) -> IpAddr {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let lists = headers.get_all("x-forwarded-for").into_iter().rev();
    let mut hops = lists.flat_map(|list| list.as_bytes().split(|byte| *byte == b',').rev()).map(hop);
    let mut known = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)).to_canonical();
    while trusted.contains(&known)
        && let Some(Some(before)) = hops.next()
    {
        known = before;
    }
    known
}

/// The address of an entry of `X-Forwarded-For`. Some proxies write a port with it, and one of IPv6 in brackets.
fn hop(entry: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(entry).ok()?.trim();
    let bracketed = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let address = match bracketed {
        Some(inside) => IpAddr::V6(inside.parse().ok()?),
        None => text.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|own| own.ip())).ok()?,
    };
    Some(address.to_canonical())
}

/// The network a request came from: what one client has to itself. An IPv6 client has a whole /64 of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl Network {
    /// That of a request.
    #[must_use]
    pub fn of(headers: &HeaderMap, extensions: &Extensions, state: &AppState) -> Self {
        address(headers, extensions, &state.settings.trusted_proxies).into()
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self(address),
            IpAddr::V6(own) => Self(IpAddr::V6(Ipv6Addr::from_bits(own.to_bits() >> 64 << 64))),
        }
    }
}

impl FromRequestParts<AppState> for Network {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers, &parts.extensions, state))
    }
}

/// The path a client asked for, whatever it was rewritten to.
#[must_use]
pub fn path<'a>(extensions: &'a Extensions, uri: &'a Uri) -> &'a str {
    extensions.get::<OriginalUri>().map_or(uri, |original| &original.0).path()
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn read(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// The address of a request that came from a peer with these lists, with one proxy that is trusted.
    fn from(peer: &str, lists: &[&[u8]]) -> String {
        let name = HeaderName::from_static("x-forwarded-for");
        let named = |list: &&[u8]| (name.clone(), HeaderValue::from_bytes(list).expect("a header"));
        let headers: HeaderMap = lists.iter().map(named).collect();
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::new(read(peer), 1)));
        address(&headers, &extensions, &[read("10.0.0.1")]).to_string()
    }

    #[test]
    fn a_request_has_one_bearer_token_or_none() {
        let given = |values: &[&'static str]| {
            let named = values.iter().map(|value| (AUTHORIZATION, HeaderValue::from_static(value)));
            bearer_of(&named.collect()).map(str::to_owned)
        };
        assert_eq!(given(&["Bearer a"]).as_deref(), Some("a"));
        for none in [&[][..], &["Basic a"], &["Bearer a", "Bearer b"], &["Bearer a", "Bearer a"]] {
            assert_eq!(given(none), None, "{none:?}");
        }
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(from("203.0.113.7", &[b"1.2.3.4"]), "203.0.113.7", "a forged header changes nothing");
        assert_eq!(from("10.0.0.1", &[b"1.2.3.4, 203.0.113.7"]), "203.0.113.7", "what the proxy itself saw counts");
        assert_eq!(from("10.0.0.1", &[b"1.2.3.4", b"203.0.113.7"]), "203.0.113.7", "in a header of its own too");
        assert_eq!(from("10.0.0.1", &[b"203.0.113.7, 10.0.0.1"]), "203.0.113.7");
        assert_eq!(from("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn a_proxy_may_write_ports_and_brackets() {
        for (list, address) in [
            (&b"1.2.3.4, 203.0.113.7:50123"[..], "203.0.113.7"),
            (b"1.2.3.4, [2001:db8::7]:50123", "2001:db8::7"),
            (b"1.2.3.4, [2001:db8::7]", "2001:db8::7"),
            (b"1.2.3.4,2001:db8::7 ", "2001:db8::7"),
            (b"1.2.3.4, [::ffff:203.0.113.7]:50123", "203.0.113.7"),
            (b"203.0.113.7:50123, 10.0.0.1:443", "203.0.113.7"),
        ] {
            assert_eq!(from("10.0.0.1", &[list]), address, "{}", String::from_utf8_lossy(list));
        }
    }

    #[test]
    fn what_stands_left_of_something_unreadable_is_not_believed() {
        for list in ["nonsense", "1.2.3.4, unknown", "1.2.3.4, [203.0.113.7]", "1.2.3.4, 203.0.113.7:", "1.2.3.4,"] {
            assert_eq!(from("10.0.0.1", &[list.as_bytes()]), "10.0.0.1", "{list}");
        }
        assert_eq!(
            from("10.0.0.1", &[b"1.2.3.4, nonsense, 203.0.113.7"]),
            "203.0.113.7",
            "further left it is no matter"
        );
        assert_eq!(from("10.0.0.1", &[b"1.2.3.4", b"\xff"]), "10.0.0.1");
        assert_eq!(from("10.0.0.1", &[b"1.2.3.4", b"\xff, 203.0.113.7"]), "203.0.113.7");
    }

    #[test]
    fn a_whole_ipv6_network_is_one_client() {
        let network = |text: &str| Network::from(read(text));
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:2"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }

    #[test]
    fn the_scheme_is_bearer_in_any_case() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bearer abc"), Some("abc"));
        assert_eq!(bearer("Basic abc"), None);
        assert_eq!(bearer("abc"), None);
    }
}
