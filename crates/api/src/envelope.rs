//! Errors in a dialect's own shape, whoever turned the request away: an extractor, a handler or a library.

use axum::response::Response;
use desk::Answer;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};

use crate::fault::Fault;
use crate::once::REPLAYED;
use crate::problem::{Body, Problem};

/// Makes a response that carries a [`Fault`], or that a library turned away, the error that `word` says it is. Its
/// other headers stay, and all other responses stay as they are.
pub fn worded<B: Body>(mut response: Response, word: impl FnOnce(&Fault) -> Problem<B>) -> Response {
    let carried = response.extensions_mut().remove::<Fault>();
    let Some(fault) = carried.or_else(|| foreign(&response)) else { return response };
    let problem = word(&fault);
    problem.instead(response, problem.answer())
}

/// An answer in the place of a response, whose other headers stay. To one that was given before belongs no wait.
pub fn instead<B>(response: Response<B>, answer: Answer) -> Response {
    let (mut parts, _) = response.into_parts();
    parts.status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if answer.replayed {
        parts.headers.remove(RETRY_AFTER);
        parts.headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Response::from_parts(parts, answer.body.into())
}

/// What is wrong by a response that a library made, as for a path that is not UTF-8.
fn foreign(response: &Response) -> Option<Fault> {
    let status = response.status();
    let ours = response.headers().get(CONTENT_TYPE).is_some_and(|own| own == "application/json");
    match status {
        _ if ours => None,
        StatusCode::NOT_FOUND => Some(Fault::UnknownPath),
        StatusCode::METHOD_NOT_ALLOWED => Some(Fault::WrongMethod),
        status if status.is_client_error() => {
            Some(Fault::Malformed(status.canonical_reason().unwrap_or("the request is malformed").to_owned()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    impl Body for String {}

    fn word(fault: &Fault) -> Problem<String> {
        Problem { status: fault.status(), body: format!("{fault:?}"), retry_after: fault.retry_after() }
    }

    #[test]
    fn faults_and_what_libraries_turn_away_are_worded_and_nothing_else_is() {
        for (response, status, json) in [
            (Fault::Unauthorized.into_response(), 401, true),
            ((StatusCode::BAD_REQUEST, "Invalid UTF-8 in `id`").into_response(), 400, true),
            (StatusCode::NOT_FOUND.into_response(), 404, true),
            ((StatusCode::CONFLICT, [(CONTENT_TYPE, "application/json")], "{}").into_response(), 409, true),
            ((StatusCode::OK, "fine").into_response(), 200, false),
        ] {
            let worded = worded(response, word);
            assert_eq!(worded.status(), status);
            let kind = worded.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
            assert_eq!(kind == "application/json", json, "{status}");
        }
    }

    #[test]
    fn who_may_come_back_is_told_when() {
        let busy = worded(Fault::Busy.into_response(), word);
        assert_eq!(busy.headers().get(RETRY_AFTER).map(HeaderValue::as_bytes), Some(&b"1"[..]));
    }
}
