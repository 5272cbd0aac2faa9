//! Query strings: read into a typed struct, every fault naming its field.

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::fault::Fault;
use crate::state::AppState;

/// The query string of a request.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<AppState> for Query<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Fault> {
        // PostgreSQL stores no NUL, so nothing can be found by one.
        if parts.uri.query().is_some_and(|query| query.contains("%00")) {
            return Err(Fault::field("query", "contains NUL"));
        }
        let read = axum::extract::Query::try_from_uri(&parts.uri);
        read.map(|query| Self(query.0)).map_err(|rejection| explain(&rejection.body_text()))
    }
}

/// axum's message ends in `{field}: {issue}` where a value does not parse.
fn explain(message: &str) -> Fault {
    let message = message.strip_prefix("Failed to deserialize query string: ").unwrap_or(message);
    match message.split_once(": ") {
        Some((field, issue)) if !field.contains(' ') => Fault::field(field, issue),
        _ => Fault::field("query", message),
    }
}

/// Which page of a list, and how many on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// From one.
    pub page: u32,
    /// How many on a page.
    pub size: u32,
}

/// How the pages of a list are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Paging {
    /// What a query calls the number on a page.
    pub size: &'static str,
    /// How many a page has when nobody says.
    pub usual: u32,
    /// The most on a page.
    pub most: u32,
}

impl Paging {
    /// The page a query asks for.
    ///
    /// # Errors
    /// [`Fault::Field`] for page 0, and a size that is 0 or too large.
    pub fn page(self, page: Option<u32>, size: Option<u32>) -> Result<Page, Fault> {
        let page = Page { page: page.unwrap_or(1), size: size.unwrap_or(self.usual) };
        if page.page == 0 {
            return Err(Fault::field("page", "must be at least 1"));
        }
        if page.size == 0 || page.size > self.most {
            return Err(Fault::field(self.size, format!("must be between 1 and {}", self.most)));
        }
        Ok(page)
    }
}

impl Page {
    /// The page a query asks for by `page` and `page_size`: of 20, and of 100 at most.
    ///
    /// # Errors
    /// As [`Paging::page`].
    pub fn of(page: Option<u32>, size: Option<u32>) -> Result<Self, Fault> {
        Paging { size: "page_size", usual: 20, most: 100 }.page(page, size)
    }

    /// How many come before it.
    #[must_use]
    pub fn offset(self) -> i64 {
        i64::from(self.page - 1) * i64::from(self.size)
    }

    /// How many pages so many make.
    #[must_use]
    pub fn pages(self, total: i64) -> i64 {
        let size = i64::from(self.size);
        (total + size - 1) / size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Wanted {
        #[expect(dead_code, reason = "only whether it parses matters")]
        page: Option<u32>,
    }

    fn fault(query: &str) -> Fault {
        let uri = format!("/x?{query}").parse().expect("a path");
        let read = axum::extract::Query::<Wanted>::try_from_uri(&uri);
        explain(&read.expect_err(query).body_text())
    }

    #[test]
    fn a_value_that_does_not_parse_names_its_field() {
        for query in ["page=x", "page=-1", "page=", "page=99999999999999999999", "page=1.5"] {
            assert!(matches!(fault(query), Fault::Field { field, .. } if field == "page"), "{query}");
        }
        assert!(matches!(fault("page=1&page=2"), Fault::Field { .. }));
    }

    #[test]
    fn pages_start_at_one_and_have_a_most() {
        let page = Page::of(Some(3), Some(10)).expect("a page");
        assert_eq!((page.offset(), page.pages(45), page.pages(0), page.pages(50)), (20, 5, 0, 5));
        assert_eq!(Page::of(None, None), Ok(Page { page: 1, size: 20 }));
        for (page, size, wrong) in
            [(Some(0), None, "page"), (None, Some(0), "page_size"), (None, Some(101), "page_size")]
        {
            assert!(matches!(Page::of(page, size), Err(Fault::Field { field, .. }) if field == wrong));
        }
        let last = Page::of(Some(u32::MAX), Some(100)).expect("a page");
        assert_eq!(last.offset(), 429_496_729_400);
    }
}
