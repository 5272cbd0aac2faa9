//! Where a value stands in a JSON text.

use api::body::numbers::end_of_string;

/// A step from an object or array to something in it.
#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

/// Where the value at a path such as `seating.sections[1].name` begins in a JSON text that has been read. Where it is
/// not there: where that begins which it would be in.
pub fn locate(text: &[u8], path: &str) -> usize {
    let steps = path.split(['.', '[']).map(|part| match part.strip_suffix(']') {
        Some(index) => Step::Index(index.parse().unwrap_or(usize::MAX)),
        None => Step::Key(part),
    });
    let mut at = after_gap(text, 0);
    for step in steps {
        match child(text, at, step) {
            Some(inner) => at = inner,
            None => break,
        }
    }
    at
}

/// Where the value begins to which a step leads from what begins at `open`.
fn child(text: &[u8], open: usize, step: Step<'_>) -> Option<usize> {
    let opening = match step {
        Step::Key(_) => b'{',
        Step::Index(_) => b'[',
    };
    if *text.get(open)? != opening {
        return None;
    }
    let (mut at, mut index) = (after_gap(text, open + 1), 0);
    while !matches!(text.get(at)?, b'}' | b']') {
        let found = match step {
            Step::Index(wanted) => index == wanted,
            Step::Key(wanted) => {
                let end = end_of_string(text, at);
                let key = serde_json::from_slice::<String>(text.get(at..end)?);
                at = after_gap(text, end);
                key.is_ok_and(|key| key == wanted)
            }
        };
        if found {
            return Some(at);
        }
        at = after_gap(text, end_of_value(text, at));
        index += 1;
    }
    None
}

/// Where the value ends that begins at `start`.
fn end_of_value(text: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    while let Some(byte) = text.get(at) {
        let closes = matches!(byte, b'}' | b']');
        if at > start && depth == 0 && (closes || is_gap(*byte)) {
            break;
        }
        at = if *byte == b'"' { end_of_string(text, at) } else { at + 1 };
        if closes {
            depth = depth.saturating_sub(1);
        } else if matches!(byte, b'{' | b'[') {
            depth += 1;
        }
    }
    at
}

/// Where the next thing begins that is no blank and does not merely stand between two others.
fn after_gap(text: &[u8], start: usize) -> usize {
    start + text.iter().skip(start).take_while(|byte| is_gap(**byte)).count()
}

fn is_gap(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',' | b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#" { "title" : "location", "tags":["a]","tags"], "n":-1.5e3,"deep":{"location":[{}, {"b":1} ,[2]]},
        "loc\u0061tion":"here", "last":null}"#;

    fn found(path: &str) -> &'static str {
        &TEXT[locate(TEXT.as_bytes(), path)..]
    }

    #[test]
    fn a_path_leads_to_where_its_value_begins() {
        for (path, expected) in [
            ("title", "\"location\","),
            ("location", "\"here\""),
            ("tags", "[\"a]\""),
            ("tags[1]", "\"tags\"]"),
            ("n", "-1.5e3,"),
            ("deep.location[1].b", "1} ,"),
            ("deep.location[2][0]", "2]]"),
            ("last", "null}"),
        ] {
            assert!(found(path).starts_with(expected), "{path}: {}", found(path));
        }
    }

    #[test]
    fn what_is_not_there_is_looked_for_no_further_than_it_goes() {
        for (path, expected) in [
            ("", "{ \"title\""),
            ("absent", "{ \"title\""),
            ("here", "{ \"title\""),
            ("deep.absent", "{\"location\""),
            ("deep.location[3]", "[{}, "),
            ("title.a", "\"location\","),
        ] {
            assert!(found(path).starts_with(expected), "{path}: {}", found(path));
        }
        for text in ["", "{", "{\"a", "{\"a\":", "{\"a\":[1", "nonsense", "{\"b\\"] {
            assert!(locate(text.as_bytes(), "a[0].b") <= text.len() + 1, "{text}");
        }
    }
}
