//! Values that steps keep for each other, and their places in a request: `${name}`, `${name|uuid}`.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The kept values by name.
#[derive(Debug, Default)]
pub struct Values(BTreeMap<String, Value>);

impl Values {
    /// Keeps a value.
    pub fn keep(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    /// A text with its places filled.
    ///
    /// # Panics
    /// When a value was never kept.
    #[must_use]
    pub fn fill(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (place, after) = after.split_once('}').expect("a place ends with }");
            filled.push_str(before);
            match self.value(place) {
                Value::String(text) => filled.push_str(&text),
                other => filled.push_str(&other.to_string()),
            }
            rest = after;
        }
        filled + rest
    }

    /// A TOML value as JSON, its places filled. A text that is nothing but a place becomes the value itself, and
    /// `$null` becomes null, which TOML cannot write.
    #[must_use]
    pub fn json(&self, value: &toml::Value) -> Value {
        match value {
            toml::Value::String(text) => self.text(text),
            toml::Value::Integer(number) => (*number).into(),
            toml::Value::Float(number) => (*number).into(),
            toml::Value::Boolean(flag) => (*flag).into(),
            toml::Value::Datetime(time) => time.to_string().into(),
            toml::Value::Array(list) => list.iter().map(|item| self.json(item)).collect(),
            toml::Value::Table(table) => {
                let fields = table.iter().map(|(name, value)| (name.clone(), self.json(value)));
                Value::Object(fields.collect::<Map<_, _>>())
            }
        }
    }

    fn text(&self, text: &str) -> Value {
        if text == "$null" {
            return Value::Null;
        }
        match text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
            Some(place) if !place.contains("${") => self.value(place),
            _ => self.fill(text).into(),
        }
    }

    fn value(&self, place: &str) -> Value {
        let (name, form) = place.split_once('|').unwrap_or((place, ""));
        let value = self.0.get(name).unwrap_or_else(|| panic!("nothing was kept as {name}")).clone();
        match (form, value.as_str()) {
            ("", _) => value,
            ("uuid", Some(id)) => uuid(id).into(),
            ("upper", Some(text)) => text.to_uppercase().into(),
            ("bare", Some(text)) => text.replace('-', "").into(),
            _ => panic!("{place} cannot be formed"),
        }
    }
}

/// The UUID form of a TypeID: the 26 letters after its prefix are the number in Crockford's base 32.
///
/// # Panics
/// When it is no TypeID.
#[must_use]
pub fn uuid(id: &str) -> String {
    const LETTERS: &str = "0123456789abcdefghjkmnpqrstvwxyz";
    let (_, suffix) = id.rsplit_once('_').expect("an id has a prefix");
    let digit = |letter| LETTERS.find(letter).expect("a letter of base 32") as u128;
    let number = suffix.chars().fold(0_u128, |number, letter| number << 5 | digit(letter));
    let hex = format!("{number:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_id_has_a_uuid_form() {
        // The example of the TypeID specification.
        assert_eq!(uuid("prefix_01h455vb4pex5vsknk084sn02q"), "01890a5d-ac96-774b-bcce-b302099a8057");
    }

    #[test]
    fn a_place_alone_keeps_the_type_of_its_value() {
        let mut values = Values::default();
        values.keep("n", 5.into());
        assert_eq!(values.json(&toml::Value::from("${n}")), Value::from(5));
        assert_eq!(values.json(&toml::Value::from("n=${n}!")), Value::from("n=5!"));
    }
}
