//! Paths with a slash at their end: `GET /api/v1/events/` is what a client sends that puts an address and a `/` together.

use http::Uri;
use http::uri::PathAndQuery;

/// What is found below these with a slash at the end is not what is found there without one.
const OWN: [&str; 2] = ["/docs", "/socket.io"];

/// Takes the slash off the end of a path, so that it leads where it does without.
pub fn take_off(uri: &mut Uri) {
    let path = uri.path();
    let Some(plain) = path.strip_suffix('/') else { return };
    let is_below = |own: &str| plain.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if plain.is_empty() || plain.ends_with('/') || OWN.into_iter().any(is_below) {
        return;
    }
    let text = uri.query().map_or_else(|| plain.to_owned(), |query| format!("{plain}?{query}"));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = text.parse::<PathAndQuery>().ok();
    if let Ok(found) = Uri::from_parts(parts) {
        *uri = found;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slash_at_the_end_is_no_part_of_a_path() {
        for (sent, meant) in [
            ("/api/v1/events/", "/api/v1/events"),
            ("/api/v1/events/?page=2&q=a/", "/api/v1/events?page=2&q=a/"),
            ("/tickets", "/tickets"),
            ("/", "/"),
            ("/tickets//", "/tickets//"),
            ("/docs/", "/docs/"),
            ("/docs/assets/", "/docs/assets/"),
            ("/documents/", "/documents"),
            ("/socket.io/?EIO=4", "/socket.io/?EIO=4"),
            ("http://there/points/", "http://there/points"),
        ] {
            let mut uri: Uri = sent.parse().expect(sent);
            take_off(&mut uri);
            assert_eq!(uri.to_string(), meant.parse::<Uri>().expect(meant).to_string());
        }
    }
}
