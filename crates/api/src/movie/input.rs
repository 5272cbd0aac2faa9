//! Reading bodies and queries: every field is looked at, and everything that is wrong is told at once.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::errors::{ApiError, Issue, Step};

/// The fields of a JSON object, and what was wrong with those that were read.
pub(super) struct Body<'a> {
    fields: &'a Map<String, Value>,
    issues: Vec<Issue>,
}

impl<'a> Body<'a> {
    pub(super) fn new(fields: &'a Map<String, Value>) -> Self {
        Self { fields, issues: Vec::new() }
    }

    /// A text that has to be there, of so many characters.
    pub(super) fn text(&mut self, name: &'static str, length: RangeInclusive<usize>) -> String {
        match self.fields.get(name) {
            None => self.missing(name),
            Some(value) => self.text_of(name, value, length).unwrap_or_default(),
        }
    }

    /// A text that may be left out or null.
    pub(super) fn text_or_none(&mut self, name: &'static str, length: RangeInclusive<usize>) -> Option<String> {
        match self.fields.get(name) {
            None | Some(Value::Null) => None,
            Some(value) => self.text_of(name, value, length),
        }
    }

    /// A whole number in a range; `usual` where it is left out, if it may be.
    pub(super) fn number(&mut self, name: &'static str, range: RangeInclusive<i64>, usual: Option<i64>) -> i64 {
        let Some(value) = self.fields.get(name) else {
            return usual.unwrap_or_else(|| self.missing(name));
        };
        // JSON has one type of number: an integer is one written without fraction or exponent. The parser keeps those
        // beyond 64 bits as fractions, and they are as wrong.
        match value.as_i64().or_else(|| value.is_u64().then_some(i64::MAX)) {
            Some(number) => {
                self.issues.extend(outside("body", name, number, &range));
                number
            }
            None => {
                self.wrong(name, "int_type", "Input should be a valid integer");
                0
            }
        }
    }

    /// A list of texts with at least one item.
    pub(super) fn texts(&mut self, name: &'static str, most: usize) -> Vec<String> {
        let list = match self.fields.get(name) {
            None => return self.missing(name),
            Some(Value::Array(list)) => list,
            Some(_) => {
                self.wrong(name, "list_type", "Input should be a valid list");
                return Vec::new();
            }
        };
        if list.is_empty() {
            self.wrong(name, "too_short", "List should have at least 1 item, not 0");
        } else if list.len() > most {
            let msg = format!("List should have at most {most} items, not {}", list.len());
            self.wrong(name, "too_long", msg);
            return Vec::new();
        }
        let mut texts = Vec::with_capacity(list.len());
        for (place, item) in list.iter().enumerate() {
            match item {
                Value::String(text) => texts.push(text.clone()),
                _ => {
                    let mut issue = Issue::new("body", name, "string_type", "Input should be a valid string");
                    issue.loc.push(Step::Place(place));
                    self.issues.push(issue);
                }
            }
        }
        texts
    }

    /// Notes something wrong that was found elsewhere.
    pub(super) fn note(&mut self, issue: Issue) {
        self.issues.push(issue);
    }

    /// # Errors
    /// Where anything was wrong: all of it.
    pub(super) fn done(self) -> Result<(), ApiError> {
        if self.issues.is_empty() { Ok(()) } else { Err(ApiError::invalid(self.issues)) }
    }

    fn text_of(&mut self, name: &'static str, value: &Value, length: RangeInclusive<usize>) -> Option<String> {
        let Value::String(text) = value else {
            self.wrong(name, "string_type", "Input should be a valid string");
            return None;
        };
        self.issues.extend(misfit("body", name, text, &length));
        Some(text.clone())
    }

    fn missing<T: Default>(&mut self, name: &'static str) -> T {
        self.wrong(name, "missing", "Field required");
        T::default()
    }

    fn wrong(&mut self, name: &'static str, kind: &'static str, msg: impl Into<Cow<'static, str>>) {
        self.issues.push(Issue::new("body", name, kind, msg));
    }
}

/// What is wrong with the length of a text, in characters (Unicode code points).
pub(super) fn misfit(
    part: &'static str,
    name: &'static str,
    text: &str,
    length: &RangeInclusive<usize>,
) -> Option<Issue> {
    let count = text.chars().count();
    let characters = |count: usize| if count == 1 { "1 character".to_owned() } else { format!("{count} characters") };
    if count < *length.start() {
        let msg = format!("String should have at least {}", characters(*length.start()));
        return Some(Issue::new(part, name, "string_too_short", msg));
    }
    if count > *length.end() {
        let msg = format!("String should have at most {}", characters(*length.end()));
        return Some(Issue::new(part, name, "string_too_long", msg));
    }
    None
}

/// What is wrong with a number that should be in a range.
fn outside(part: &'static str, name: &'static str, number: i64, range: &RangeInclusive<i64>) -> Option<Issue> {
    if number < *range.start() {
        let msg = format!("Input should be greater than or equal to {}", range.start());
        return Some(Issue::new(part, name, "greater_than_equal", msg));
    }
    if number > *range.end() {
        let msg = format!("Input should be less than or equal to {}", range.end());
        return Some(Issue::new(part, name, "less_than_equal", msg));
    }
    None
}

/// The parameters of a query, and what was wrong with those that were read.
pub(super) struct Query {
    pairs: Vec<(String, String)>,
    issues: Vec<Issue>,
}

impl Query {
    pub(super) fn new(pairs: Vec<(String, String)>) -> Self {
        Self { pairs, issues: Vec::new() }
    }

    /// A parameter; one that is there twice could mean either and is refused.
    fn one(&mut self, name: &'static str) -> Option<String> {
        let mut own = self.pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value);
        let (first, second) = (own.next().cloned(), own.next().is_some());
        if second {
            self.wrong(name, "value_error", "Parameter should be there once");
        }
        first
    }

    /// A text; an empty one counts as left out.
    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        let text = self.one(name).filter(|text| !text.is_empty())?;
        if text.contains('\0') {
            self.wrong(name, "value_error", "Input should not contain NUL");
        }
        Some(text)
    }

    /// One of some words.
    pub(super) fn word(&mut self, name: &'static str, words: [&'static str; 2]) -> Option<&'static str> {
        let text = self.one(name)?;
        let word = words.into_iter().find(|word| *word == text);
        if word.is_none() {
            self.wrong(name, "literal_error", format!("Input should be '{}' or '{}'", words[0], words[1]));
        }
        word
    }

    /// A whole number in a range, in digits.
    pub(super) fn number(&mut self, name: &'static str, range: RangeInclusive<i64>, usual: i64) -> i64 {
        let Some(text) = self.one(name) else { return usual };
        let digits = text.strip_prefix('-').unwrap_or(&text);
        let plain = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
        match text.parse() {
            Ok(number) if plain => {
                self.issues.extend(outside("query", name, number, &range));
                number
            }
            _ => {
                self.wrong(name, "int_parsing", "Input should be a valid integer");
                usual
            }
        }
    }

    /// # Errors
    /// Where anything was wrong: all of it.
    pub(super) fn done(self) -> Result<(), ApiError> {
        if self.issues.is_empty() { Ok(()) } else { Err(ApiError::invalid(self.issues)) }
    }

    fn wrong(&mut self, name: &'static str, kind: &'static str, msg: impl Into<Cow<'static, str>>) {
        self.issues.push(Issue::new("query", name, kind, msg));
    }
}
