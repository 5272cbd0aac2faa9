//! Whether a body contains what was expected of it.
//!
//! Objects may have more fields than expected; lists have exactly as many items. A text that starts with `$` asks
//! for a kind of value: `$any`, `$absent`, `$null`, `$string`, `$integer`, `$float`, `$time`, `$not:text` or
//! `$regex:…`. Instead of a list, `{ "$length" = 3 }` asks for its length and `{ "$contains" = … }` for one item.

use serde_json::Value;

/// A line for everything that is not as expected.
#[must_use]
pub fn differences(expected: &Value, actual: Option<&Value>) -> Vec<String> {
    let mut lines = Vec::new();
    compare("", expected, actual, &mut lines);
    lines
}

fn compare(at: &str, expected: &Value, actual: Option<&Value>, lines: &mut Vec<String>) {
    let fits = match expected {
        Value::String(text) if text.starts_with('$') => is_kind(text, actual),
        Value::Object(fields) if fields.keys().any(|name| name.starts_with('$')) => {
            return compare_list(at, expected, actual, lines);
        }
        Value::Object(fields) if actual.is_some_and(Value::is_object) => {
            for (name, value) in fields {
                compare(&format!("{at}/{name}"), value, actual.and_then(|own| own.get(name)), lines);
            }
            return;
        }
        Value::Array(items) => match actual.and_then(Value::as_array) {
            Some(list) if list.len() == items.len() => {
                for (index, item) in items.iter().enumerate() {
                    compare(&format!("{at}/{index}"), item, list.get(index), lines);
                }
                return;
            }
            _ => false,
        },
        other => actual == Some(other),
    };
    if !fits {
        lines.push(format!("{}: expected {expected}, got {}", pointer(at), shown(actual)));
    }
}

fn compare_list(at: &str, expected: &Value, actual: Option<&Value>, lines: &mut Vec<String>) {
    let list = actual.and_then(Value::as_array).map(Vec::as_slice);
    if let Some(length) = expected.get("$length")
        && list.map(|list| Value::from(list.len())).as_ref() != Some(length)
    {
        lines.push(format!("{}: expected {length} items, got {}", pointer(at), shown(actual)));
    }
    if let Some(item) = expected.get("$contains")
        && !list.unwrap_or_default().iter().any(|own| differences(item, Some(own)).is_empty())
    {
        lines.push(format!("{}: expected an item like {item}, got {}", pointer(at), shown(actual)));
    }
}

fn is_kind(kind: &str, actual: Option<&Value>) -> bool {
    let Some(value) = actual else { return kind == "$absent" };
    match kind {
        "$any" => true,
        "$absent" => false,
        "$null" => value.is_null(),
        "$string" => value.as_str().is_some_and(|text| !text.is_empty()),
        "$integer" => value.is_i64() || value.is_u64(),
        "$float" => value.is_f64(),
        "$time" => value.as_str().is_some_and(|text| is_like(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$", text)),
        _ => match kind.split_once(':') {
            Some(("$regex", pattern)) => value.as_str().is_some_and(|text| is_like(pattern, text)),
            Some(("$not", other)) => value.as_str() != Some(other),
            _ => panic!("there is no matcher {kind}"),
        },
    }
}

/// Whether a text is like a regular expression.
#[must_use]
pub fn is_like(pattern: &str, text: &str) -> bool {
    regex_lite::Regex::new(pattern).expect("the test's pattern is one").is_match(text)
}

fn pointer(at: &str) -> &str {
    if at.is_empty() { "the body" } else { at }
}

fn shown(value: Option<&Value>) -> String {
    let text = value.map_or("nothing".to_owned(), Value::to_string);
    text.chars().take(400).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_as_expected_passes() {
        let actual = json!({"a": 1, "b": [1.0, "x"], "c": null, "t": "2024-01-15T10:30:00.5Z"});
        for expected in [
            json!({"a": 1}),
            json!({"b": [1.0, "$regex:^x$"], "d": "$absent", "c": "$null"}),
            json!({"b": {"$length": 2, "$contains": "x"}, "t": "$time", "a": "$integer"}),
        ] {
            assert_eq!(differences(&expected, Some(&actual)), Vec::<String>::new());
        }
    }

    #[test]
    fn what_is_not_as_expected_is_told() {
        let actual = json!({"a": 1, "b": [1.0, "x"], "c": null});
        for expected in [
            json!({"a": 1.0}),
            json!({"a": "1"}),
            json!({"a": "$absent"}),
            json!({"b": [1.0]}),
            json!({"b": {"$length": 3}}),
            json!({"b": {"$contains": "y"}}),
            json!({"c": "$string"}),
            json!({"d": "$any"}),
            json!({"a": {"x": 1}}),
            json!([]),
        ] {
            assert_eq!(differences(&expected, Some(&actual)).len(), 1, "{expected}");
        }
    }
}
