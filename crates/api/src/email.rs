//! E-mail addresses: which texts are one.

/// One `@`, something before it, a dotted name behind it, nothing that is not printed.
#[must_use]
pub fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let plain = |part: &str| !part.contains(|c: char| c.is_whitespace() || c.is_control() || "@,;<>()\"".contains(c));
    let dotted = |name: &str| name.split('.').all(|part| !part.is_empty());
    text.len() <= 254
        && (1..=64).contains(&local.len())
        && plain(local)
        && plain(domain)
        && dotted(local)
        && domain.contains('.')
        && dotted(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_for_their_form() {
        for good in ["user@example.com", "a.b+c@sub.example.co.kr", "홍길동@예시.한국"] {
            assert!(is_email(good), "{good}");
        }
        for bad in ["", "user", "@example.com", "user@", "user@localhost", "a b@example.com", "a@b@example.com"] {
            assert!(!is_email(bad), "{bad}");
        }
        for bad in ["a@example..com", "a@.com", ".a@example.com", "a@example.com\n", "<a>@example.com"] {
            assert!(!is_email(bad), "{bad}");
        }
        assert!(!is_email(&format!("{}@example.com", "a".repeat(65))));
    }
}
