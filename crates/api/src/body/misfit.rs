//! What of a body does not fit, and where: said in the words of JSON, not in those of Rust.

use std::fmt;

use serde::de::{Error, Expected, Unexpected};

use crate::fault::Fault;

/// Why a body cannot be read.
#[derive(Debug)]
pub(crate) struct Misfit {
    /// The names that lead to what is wrong, the innermost first.
    names: Vec<String>,
    issue: String,
}

impl Misfit {
    /// The same, inside of a field.
    pub(super) fn within(mut self, field: String) -> Self {
        self.names.push(field);
        self
    }

    /// Which field it is, such as `ticket_types.price`; empty for the body itself.
    fn field(&self) -> String {
        let names: Vec<&str> = self.names.iter().rev().map(String::as_str).collect();
        names.join(".")
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.names.is_empty() {
            write!(f, "{}: ", self.field())?;
        }
        f.write_str(&self.issue)
    }
}

impl std::error::Error for Misfit {}

impl Error for Misfit {
    fn custom<T: fmt::Display>(issue: T) -> Self {
        Self { names: Vec::new(), issue: issue.to_string() }
    }

    fn invalid_type(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::custom(format_args!("invalid type: {}, expected {}", seen(found), plain(wanted)))
    }

    fn invalid_value(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::custom(format_args!("invalid value: {}, expected {}", seen(found), plain(wanted)))
    }

    fn missing_field(field: &'static str) -> Self {
        Self { names: vec![field.to_owned()], issue: "is required".to_owned() }
    }
}

impl From<Misfit> for Fault {
    fn from(misfit: Misfit) -> Self {
        if misfit.names.is_empty() { Self::Malformed(misfit.issue) } else { Self::field(misfit.field(), misfit.issue) }
    }
}

/// What is there.
fn seen(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Unit => "null".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "an object".to_owned(),
        other => other.to_string(),
    }
}

/// What should be there, which serde calls by the names of our types.
fn plain(wanted: &dyn Expected) -> String {
    let name = wanted.to_string();
    let word = match name.split(' ').next().unwrap_or_default() {
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" | "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => {
            "an integer"
        }
        "f32" | "f64" => "a number",
        "struct" => "an object",
        "enum" => "one of a few words",
        _ if name == "a sequence" => "a list",
        _ if name == "a map" => "an object",
        _ => return name,
    };
    word.to_owned()
}
