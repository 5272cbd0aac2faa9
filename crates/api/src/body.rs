//! JSON bodies: read as strictly as they have to be.

mod misfit;
pub mod numbers;

use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde_json::{Map, Value, map};

use self::misfit::Misfit;
use crate::fault::Fault;

/// The longest body, in bytes.
pub const MOST_BYTES: usize = 1024 * 1024;

/// Reads a body. An empty one counts as `{}`.
///
/// # Errors
/// [`Fault::Malformed`] for what is no JSON, no object, has a key twice or a NUL in a string;
/// [`Fault::Field`] for a required field that is missing, and for a value of a wrong type.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    let malformed = |error: serde_json::Error| Fault::Malformed(error.to_string());
    let bytes = numbers::kept_apart(bytes);
    let mut reader = serde_json::Deserializer::from_slice(&bytes);
    let value = Sound.deserialize(&mut reader).map_err(malformed)?;
    reader.end().map_err(malformed)?;
    if !value.is_object() {
        return Err(Fault::Malformed("the body must be a JSON object".to_owned()));
    }
    T::deserialize(Named(value)).map_err(Fault::from)
}

/// A JSON value whose objects have to be objects: serde would take an array whose items fit for a struct too, at any
/// depth. (Not inside what serde keeps aside first, which is `flatten` and `untagged`: bodies have neither.)
pub(crate) struct Named(pub(crate) Value);

impl<'de> IntoDeserializer<'de, Misfit> for Named {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Named {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::Array(items) => {
                let mut items = SeqDeserializer::new(items.into_iter().map(Named));
                let read = visitor.visit_seq(&mut items)?;
                items.end()?;
                Ok(read)
            }
            Value::Object(entries) => visitor.visit_map(Entries::of(entries)),
            Value::Null => visitor.visit_unit(),
            Value::Bool(plain) => visitor.visit_bool(plain),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(whole), _, _) => visitor.visit_u64(whole),
                (_, Some(whole), _) => visitor.visit_i64(whole),
                (_, _, Some(float)) => visitor.visit_f64(float),
                (None, None, None) => Err(Error::custom("a number is out of range")),
            },
            Value::String(text) => visitor.visit_string(text),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::Array(_) => Err(Error::invalid_type(Unexpected::Seq, &"an object")),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::Object(entries) => visitor.visit_enum(MapAccessDeserializer::new(Entries::of(entries))),
            Value::String(variant) => visitor.visit_enum(variant.into_deserializer()),
            other => Self(other).deserialize_any(visitor),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct identifier ignored_any
    }
}

/// The entries of an object. What is wrong inside of one is told with its name.
struct Entries {
    rest: map::IntoIter,
    entry: Option<(String, Value)>,
}

impl Entries {
    fn of(object: Map<String, Value>) -> Self {
        Self { rest: object.into_iter(), entry: None }
    }
}

impl<'de> MapAccess<'de> for Entries {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        self.entry = self.rest.next();
        let Some((key, _)) = &self.entry else { return Ok(None) };
        let key: StrDeserializer<'_, Misfit> = key.as_str().into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        let (key, value) = self.entry.take().ok_or_else(|| Misfit::custom("a value without a key"))?;
        seed.deserialize(Named(value)).map_err(|misfit| misfit.within(key))
    }
}

/// Reads a JSON text: no key twice in an object, no NUL in a string (PostgreSQL stores none).
struct Sound;

impl<'de> DeserializeSeed<'de> for Sound {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Sound {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        if text.contains('\0') { Err(E::custom("a string contains NUL")) } else { Ok(text.into()) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut read = Vec::new();
        while let Some(item) = items.next_element_seed(Sound)? {
            read.push(item);
        }
        Ok(read.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut read = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if key.contains('\0') {
                return Err(A::Error::custom("a key contains NUL"));
            }
            if read.contains_key(&key) {
                return Err(A::Error::custom(format_args!("key {key:?} is there twice")));
            }
            let value = entries.next_value_seed(Sound)?;
            read.insert(key, value);
        }
        Ok(read.into())
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

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Nested {
        one: Option<Booking>,
        many: Vec<Booking>,
        by_name: std::collections::BTreeMap<String, Booking>,
        choice: Choice,
        pair: (u8, f64),
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Choice {
        Plain,
        Whole(Booking),
        Parts { booking: Booking },
    }

    #[test]
    fn an_array_is_no_object_at_any_depth() {
        let read = |one: &str, many: &str, choice: &str| {
            let text =
                format!(r#"{{"one":{one},"many":[{many}],"by_name":{{"a":{many}}},"choice":{choice},"pair":[1,2.5]}}"#);
            parse::<Nested>(text.as_bytes())
        };
        let (object, array) = (r#"{"event_id":"e"}"#, r#"["e",2]"#);
        for choice in
            [r#""plain""#, &format!(r#"{{"whole":{object}}}"#), &format!(r#"{{"parts":{{"booking":{object}}}}}"#)]
        {
            let nested = read(object, object, choice).expect("objects are taken");
            assert_eq!((nested.many.len(), nested.by_name.len(), nested.pair), (1, 1, (1, 2.5)), "{choice}");
        }
        assert_eq!(read("null", object, r#""plain""#).map(|nested| nested.one), Ok(None));
        for (one, many, choice) in [
            (array, object, r#""plain""#.to_owned()),
            (object, array, r#""plain""#.to_owned()),
            (object, object, format!(r#"{{"whole":{array}}}"#)),
            (object, object, format!(r#"{{"parts":{{"booking":{array}}}}}"#)),
            (object, object, format!(r#"{{"parts":[{object}]}}"#)),
        ] {
            let refused = read(one, many, &choice);
            assert!(matches!(refused, Err(Fault::Field { .. })), "{one} {many} {choice}: {refused:?}");
        }
    }

    #[test]
    fn a_missing_field_is_named() {
        for body in [&b""[..], b"{}", br#"{"count":1}"#] {
            assert_eq!(parse::<Booking>(body), Err(Fault::field("event_id", "is required")));
        }
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Offer {
        sections: Vec<Section>,
        by: Option<Section>,
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Section {
        rows: i64,
    }

    #[test]
    fn what_is_wrong_inside_of_something_is_named_with_it() {
        let read = parse::<Offer>(br#"{"sections":[{"rows":1}],"by":null}"#);
        assert_eq!(read, Ok(Offer { sections: vec![Section { rows: 1 }], by: None }));
        let fault = |body: &str| parse::<Offer>(body.as_bytes()).expect_err(body);
        let required = |field: &str| Fault::field(field, "is required");
        assert_eq!(fault(r#"{"sections":[{"rows":1},{}]}"#), required("sections.rows"));
        assert_eq!(fault(r#"{"sections":[],"by":{"row":1}}"#), required("by.rows"));
        assert_eq!(fault(r#"{"by":{"rows":1}}"#), required("sections"));
        for (body, issue) in [
            (r#"{"sections":[{"rows":"1"}]}"#, r#"sections.rows: invalid type: string "1", expected an integer"#),
            (
                r#"{"sections":[{"rows":1.5}]}"#,
                "sections.rows: invalid type: floating point `1.5`, expected an integer",
            ),
            (r#"{"sections":[],"by":"x"}"#, r#"by: invalid type: string "x", expected an object"#),
            (r#"{"sections":[],"by":[1]}"#, "by: invalid type: a list, expected an object"),
            (r#"{"sections":[1]}"#, "sections: invalid type: integer `1`, expected an object"),
            (r#"{"sections":null}"#, "sections: invalid type: null, expected a list"),
            (
                r#"{"sections":[{"rows":18446744073709551615}]}"#,
                "sections.rows: invalid value: integer `18446744073709551615`, expected an integer",
            ),
        ] {
            let (field, issue) = issue.split_once(": ").expect("a field and what is wrong with it");
            assert_eq!(fault(body), Fault::field(field, issue));
        }
    }

    #[test]
    fn a_value_of_a_wrong_type_is_named() {
        for (body, field) in [
            (r#"{"event_id":1}"#, "event_id"),
            (r#"{"event_id":null}"#, "event_id"),
            (r#"{"event_id":"e","count":"2"}"#, "count"),
            (r#"{"event_id":"e","count":-1}"#, "count"),
            (r#"{"event_id":"e","count":99999999999999999999}"#, "count"),
        ] {
            let refused = parse::<Booking>(body.as_bytes());
            assert!(matches!(&refused, Err(Fault::Field { field: own, .. }) if own == field), "{body}: {refused:?}");
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
