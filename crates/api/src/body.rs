//! JSON bodies: read as strictly as they have to be.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::fault::Fault;

/// The longest body, in bytes.
pub const MOST_BYTES: usize = 1024 * 1024;

/// Reads a body. An empty one counts as `{}`.
///
/// # Errors
/// [`Fault::Malformed`] for what is no JSON, has a key twice, a NUL in a string or a wrong type;
/// [`Fault::Field`] for a required field that is missing.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    // Serde would take an array whose items fit for a struct; no body here is one.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(Fault::Malformed("the body must be a JSON object".to_owned()));
    }
    check(bytes).map_err(|error| Fault::Malformed(error.to_string()))?;
    serde_json::from_slice(bytes).map_err(|error| explain(&error.to_string()))
}

fn check(bytes: &[u8]) -> Result<(), serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    Sound.deserialize(&mut reader)?;
    reader.end()
}

/// A missing field is the client's omission, not a wrong type; serde tells them apart by its wording alone.
fn explain(message: &str) -> Fault {
    match message.strip_prefix("missing field `").and_then(|rest| rest.split_once('`')) {
        Some((field, _)) => Fault::field(field, "is required"),
        None => Fault::Malformed(message.to_owned()),
    }
}

/// Walks a JSON text: no key twice in an object, no NUL in a string (PostgreSQL stores none).
struct Sound;

impl<'de> DeserializeSeed<'de> for Sound {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Sound {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        if text.contains('\0') { Err(E::custom("a string contains NUL")) } else { Ok(()) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Sound)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            self::Sound.visit_str(&key)?;
            entries.next_value_seed(Sound)?;
            if let Some(twice) = seen.replace(key) {
                return Err(A::Error::custom(format_args!("key {twice:?} is there twice")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Booking {
        event_id: String,
        count: Option<u32>,
    }

    #[test]
    fn sound_bodies_are_read_and_unknown_fields_ignored() {
        let read = parse::<Booking>(br#"{"event_id":"e","count":2,"more":{"a":[1,{"b":null}]}}"#);
        assert_eq!(read, Ok(Booking { event_id: "e".to_owned(), count: Some(2) }));
    }

    #[test]
    fn a_missing_field_is_named() {
        for body in [&b""[..], b"{}", br#"{"count":1}"#] {
            assert_eq!(parse::<Booking>(body), Err(Fault::field("event_id", "is required")));
        }
    }

    #[test]
    fn unsound_bodies_are_malformed() {
        let deep = "[".repeat(100_000);
        for body in [
            "{",
            "[]",
            r#"["e",2]"#,
            r#" ["e"]"#,
            "nonsense",
            r#"{"event_id":1}"#,
            r#"{"event_id":"e","count":"2"}"#,
            r#"{"event_id":"e","count":-1}"#,
            r#"{"event_id":"e","count":99999999999999999999}"#,
            r#"{"event_id":"e","event_id":"e"}"#,
            r#"{"event_id":"e","more":{"a":1,"a":1}}"#,
            r#"{"event_id":"e\u0000"}"#,
            r#"{"event_id":"e"} trailing"#,
            &deep,
        ] {
            assert!(matches!(parse::<Booking>(body.as_bytes()), Err(Fault::Malformed(_))), "{:.60}", body);
        }
    }
}
