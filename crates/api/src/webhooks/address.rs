//! Where webhooks may go: not into the network that this server stands in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The longest address, in bytes.
const LONGEST: usize = 2_000;

/// Why a webhook may not go somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// Not of the form of one.
    #[error("must be an https address")]
    Malformed,
    /// Without encryption.
    #[error("must begin with https://")]
    Plain,
    /// With a name and password, which would be logged by many.
    #[error("must not contain a name or a password")]
    Credentials,
    /// Inside a network that is nobody's business.
    #[error("leads into a private network")]
    Private,
}

/// Reads the address of a webhook. Names are looked at when they are resolved: see [`Outside`].
///
/// # Errors
/// Why it may not go there.
pub fn check(text: &str, private_too: bool) -> Result<Url, BadAddress> {
    let url = Url::parse(text).map_err(|_| BadAddress::Malformed)?;
    if text.len() > LONGEST || !matches!(url.scheme(), "http" | "https") || url.fragment().is_some() {
        return Err(BadAddress::Malformed);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BadAddress::Credentials);
    }
    if !private_too && url.scheme() != "https" {
        return Err(BadAddress::Plain);
    }
    // With a dot at its end a name is the same name.
    let host = url.host_str().ok_or(BadAddress::Malformed)?.trim_end_matches('.');
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
    let local = host == "localhost" || host.ends_with(".localhost");
    if local && !private_too || literal.is_some_and(|address| !may_go(address, private_too)) {
        return Err(BadAddress::Private);
    }
    Ok(url)
}

/// Resolves names to addresses that webhooks may go to. It is asked for each connection, so that a name which turns
/// private after it was looked at leads nowhere.
pub struct Outside {
    /// Whether private networks are allowed too.
    pub private_too: bool,
}

impl Resolve for Outside {
    fn resolve(&self, name: Name) -> Resolving {
        let private_too = self.private_too;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<_> = found.filter(|address| may_go(address.ip(), private_too)).collect();
            if allowed.is_empty() {
                return Err(BadAddress::Private.into());
            }
            let addresses: Addrs = Box::new(allowed.into_iter());
            Ok(addresses)
        })
    }
}

/// Whether a webhook may go to an address. Link-local ones, where clouds tell machines their secrets, it may not ever.
fn may_go(address: IpAddr, private_too: bool) -> bool {
    is_public(address) || private_too && !is_link_local(address)
}

fn is_link_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// Whether an address is one of the internet's at large (RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = matches!(
        (a, b, c),
        (0 | 10 | 127, _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 168, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
            | (224..=255, _, _)
    );
    !special
}

/// 2000::/3 without what is for documents, and without what carries an IPv4 address (Teredo, 6to4).
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let global = first & 0xe000 == 0x2000;
    let special =
        matches!((first, second), (0x2001, 0x0000..=0x01ff | 0x0db8) | (0x2002, _) | (0x3fff, 0x0000..=0x0fff));
    global && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_internet_at_large_is_public() {
        for public in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(is_public(public.parse().expect("an address")), "{public}");
        }
        for private in [
            "127.0.0.1",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.8",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "::7f00:1",
        ] {
            assert!(!is_public(private.parse().expect("an address")), "{private}");
        }
    }

    #[test]
    fn private_addresses_are_refused_however_they_are_written() {
        for private in [
            "https://127.0.0.1/x",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://localhost/",
            "https://LOCALHOST:8443/",
            "https://a.localhost/",
            "https://localhost./",
            "https://a.localhost.:8443/",
            "https://127.0.0.1./",
        ] {
            assert_eq!(check(private, false), Err(BadAddress::Private), "{private}");
            assert!(check(private, true).is_ok(), "{private}");
        }
        for local in ["https://169.254.169.254/latest/meta-data", "http://[fe80::1]/", "http://[::ffff:169.254.1.1]/"] {
            assert_eq!(check(local, true), Err(BadAddress::Private), "{local}");
        }
        assert_eq!(check("http://example.com/", false), Err(BadAddress::Plain));
        assert_eq!(check("https://user:pass@example.com/", true), Err(BadAddress::Credentials));
        for malformed in ["", "example.com", "ftp://example.com", "file:///etc/passwd", "https://example.com/#x"] {
            assert_eq!(check(malformed, true), Err(BadAddress::Malformed), "{malformed}");
        }
        assert!(check("https://example.com/hook?a=b", false).is_ok());
    }

    #[tokio::test]
    async fn a_name_of_a_private_address_resolves_where_that_is_allowed_only() {
        for (private_too, found) in [(false, false), (true, true)] {
            let resolved = Outside { private_too }.resolve("localhost".parse().expect("a name")).await;
            assert_eq!(resolved.is_ok(), found);
        }
    }
}
