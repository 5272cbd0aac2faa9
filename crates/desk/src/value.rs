//! Values as both databases have them.

use std::fmt;

use smallvec::SmallVec;

/// Bytes of a column; an id needs no memory of its own.
pub(crate) type Bytes = SmallVec<[u8; 16]>;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Int,
    Text,
    Bytes,
}

/// One value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(String),
    Bytes(Bytes),
}

/// A row that does not hold what the code expects: the store was changed by something else.
#[derive(Debug)]
pub(crate) struct Corrupt(pub &'static str);

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a stored row is not readable: {}", self.0)
    }
}

/// Makes a value of a Rust one.
pub(crate) trait IntoValue {
    fn value(self) -> Value;
}

impl IntoValue for i64 {
    fn value(self) -> Value {
        Value::Int(self)
    }
}

impl IntoValue for u32 {
    fn value(self) -> Value {
        Value::Int(i64::from(self))
    }
}

impl IntoValue for u128 {
    fn value(self) -> Value {
        Value::Bytes(self.to_be_bytes().into())
    }
}

impl IntoValue for &str {
    fn value(self) -> Value {
        Value::Text(self.to_owned())
    }
}

impl IntoValue for String {
    fn value(self) -> Value {
        Value::Text(self)
    }
}

impl IntoValue for &[u8] {
    fn value(self) -> Value {
        Value::Bytes(self.into())
    }
}

impl<T: IntoValue> IntoValue for Option<T> {
    fn value(self) -> Value {
        self.map_or(Value::Null, IntoValue::value)
    }
}

/// Takes the values of a row one after the other.
pub(crate) struct Columns(std::vec::IntoIter<Value>);

impl Columns {
    pub(crate) fn new(row: Vec<Value>) -> Self {
        Self(row.into_iter())
    }

    fn next(&mut self) -> Result<Value, Corrupt> {
        self.0.next().ok_or(Corrupt("too few columns"))
    }

    pub(crate) fn int_or(&mut self) -> Result<Option<i64>, Corrupt> {
        match self.next()? {
            Value::Int(value) => Ok(Some(value)),
            Value::Null => Ok(None),
            Value::Text(_) | Value::Bytes(_) => Err(Corrupt("a number is not one")),
        }
    }

    pub(crate) fn int(&mut self) -> Result<i64, Corrupt> {
        self.int_or()?.ok_or(Corrupt("a number is missing"))
    }

    pub(crate) fn count(&mut self) -> Result<u32, Corrupt> {
        u32::try_from(self.int()?).map_err(|_| Corrupt("a count is out of range"))
    }

    pub(crate) fn text_or(&mut self) -> Result<Option<String>, Corrupt> {
        match self.next()? {
            Value::Text(value) => Ok(Some(value)),
            Value::Null => Ok(None),
            Value::Int(_) | Value::Bytes(_) => Err(Corrupt("a text is not one")),
        }
    }

    pub(crate) fn text(&mut self) -> Result<String, Corrupt> {
        self.text_or()?.ok_or(Corrupt("a text is missing"))
    }

    pub(crate) fn bytes(&mut self) -> Result<Vec<u8>, Corrupt> {
        match self.next()? {
            Value::Bytes(value) => Ok(value.into_vec()),
            _ => Err(Corrupt("bytes are missing")),
        }
    }

    pub(crate) fn id_or<T: From<u128>>(&mut self) -> Result<Option<T>, Corrupt> {
        match self.next()? {
            Value::Bytes(bytes) => {
                let raw: [u8; 16] = bytes[..].try_into().map_err(|_| Corrupt("an id has not 16 bytes"))?;
                Ok(Some(T::from(u128::from_be_bytes(raw))))
            }
            Value::Null => Ok(None),
            Value::Int(_) | Value::Text(_) => Err(Corrupt("an id is not one")),
        }
    }

    pub(crate) fn id<T: From<u128>>(&mut self) -> Result<T, Corrupt> {
        self.id_or()?.ok_or(Corrupt("an id is missing"))
    }
}
