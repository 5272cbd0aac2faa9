//! Just enough of HTTP/1.1 to know where an answer ends.

/// The head of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The status.
    pub status: u16,
    /// Where the body starts.
    pub body: usize,
    /// Where the answer ends.
    pub end: usize,
}

/// The head of the answer at the start of `bytes`; `None` while it is incomplete. The body may still be to come.
///
/// # Errors
/// When it is no answer, or its length is not stated.
pub fn head(bytes: &[u8]) -> Result<Option<Head>, String> {
    let Some(body) = bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4) else {
        return if bytes.len() > 1 << 16 { Err("an endless head".to_owned()) } else { Ok(None) };
    };
    let text = std::str::from_utf8(&bytes[..body]).map_err(|_| "a head that is no text".to_owned())?;
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    let status: u16 = status.ok_or_else(|| format!("no answer: {first:?}"))?;
    let mut length = (status == 304 || status == 204).then_some(0);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if length.is_none() && name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok();
        }
    }
    let length: usize = length.ok_or_else(|| "an answer without a length".to_owned())?;
    Ok(Some(Head { status, body, end: body + length }))
}

/// The text of a field of a JSON object, where it has no escapes: `"name":"value"`.
pub fn text<'a>(json: &'a [u8], name: &str) -> Option<&'a str> {
    let json = std::str::from_utf8(json).ok()?;
    let (_, rest) = json.split_once(&format!("\"{name}\":"))?;
    rest.trim_start().strip_prefix('"')?.split('"').next()
}

/// The value of a header.
pub fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    let lines = std::str::from_utf8(head).ok()?.split("\r\n");
    let mut named = lines.filter_map(|line| line.split_once(':'));
    named.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_its_length_says() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Type: a\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 ";
        let found = head(bytes).expect("an answer").expect("complete");
        assert_eq!((found.status, &bytes[found.body..found.end]), (200, b"hello".as_slice()));
        for cut in 0..found.body {
            assert_eq!(head(&bytes[..cut]), Ok(None), "{cut}");
        }
        assert_eq!(header(&bytes[..found.body], "content-type"), Some("a"));
    }

    #[test]
    fn what_has_no_body_needs_no_length() {
        let found = head(b"HTTP/1.1 304 Not Modified\r\netag: \"x\"\r\ncontent-length: 9\r\n\r\n").expect("an answer");
        let found = found.expect("complete");
        assert_eq!((found.status, found.body), (304, found.end));
    }

    #[test]
    fn what_is_no_answer_or_has_no_length_is_an_error() {
        assert!(head(b"SSH-2.0\r\n\r\n").is_err());
        assert!(head(b"HTTP/1.1 abc\r\n\r\n").is_err());
        assert!(head(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        assert!(head(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n").is_err());
        assert!(head(&vec![b'a'; 70_000]).is_err());
    }

    #[test]
    fn fields_are_found_by_name() {
        let json = br#"{"booking_id":"book_1", "status" : "reserved","status":"x","n": 5}"#;
        assert_eq!(text(json, "booking_id"), Some("book_1"));
        assert_eq!(text(json, "status"), Some("x"));
        assert_eq!((text(json, "n"), text(json, "id")), (None, None));
    }
}
