//! Names of people: which texts are one.

/// Something to call a person by, of at most 100 characters.
#[must_use]
pub fn is_name(text: &str) -> bool {
    (1..=100).contains(&text.trim().chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_something_in_it_and_an_end() {
        assert!(is_name("홍길동") && is_name(" a ") && is_name(&"홍".repeat(100)));
        assert!(!is_name("") && !is_name(" \t") && !is_name(&"홍".repeat(101)));
    }
}
