//! The layers a setting comes from: the default file, a file of one's own, the environment, flags.
//!
//! The default file says which keys there are and of what type each is; nothing else does.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::Wrong;

/// All settings as one table; what is laid over it must have the keys and types of the default file.
#[derive(Debug, Clone)]
pub struct Layers {
    table: Table,
    /// The keys that were laid over the defaults.
    named: BTreeSet<String>,
}

impl Layers {
    /// The default file alone.
    pub fn defaults(text: &str) -> Result<Self, Wrong> {
        let table = text.parse().map_err(|error: toml::de::Error| Wrong(format!("default file: {error}")))?;
        Ok(Self { table, named: BTreeSet::new() })
    }

    /// Lays a TOML file over it.
    pub fn file(&mut self, text: &str) -> Result<(), Wrong> {
        let table: Table = text.parse().map_err(|error: toml::de::Error| syntax(text, &error))?;
        for (key, value) in flatten(&table) {
            self.set(&key, value)?;
        }
        Ok(())
    }

    /// Lays environment variables over it; gives the names that look meant for maepyo and are no setting.
    pub fn environment(&mut self, variables: impl Iterator<Item = (String, String)>) -> Result<Vec<String>, Wrong> {
        let keys = self.keys();
        let mut unknown = Vec::new();
        for (name, text) in variables.filter(|(name, _)| name.starts_with("MAEPYO_")) {
            match keys.iter().find(|key| variable(key) == name) {
                Some(key) => self.text(key, &text).map_err(|wrong| Wrong(format!("{name}: {}", wrong.0)))?,
                None => unknown.push(name),
            }
        }
        Ok(unknown)
    }

    /// Sets one key from text, read as the type the default has.
    pub fn text(&mut self, key: &str, text: &str) -> Result<(), Wrong> {
        let value = match self.get(key).ok_or_else(|| self.unknown(key))? {
            Value::Boolean(_) => switch(text).map(Value::Boolean),
            Value::Integer(_) => text.trim().parse().ok().map(Value::Integer),
            Value::Array(_) => Some(list(text)),
            _ => Some(Value::String(text.to_owned())),
        };
        let expected = self.get(key).map_or("", wanted);
        let value = value.ok_or_else(|| Wrong(format!("{key}: expected {expected}, got {text:?}")))?;
        self.set(key, value)
    }

    /// Whether anything but the default file says what a key is.
    pub fn names(&self, key: &str) -> bool {
        self.named.contains(key)
    }

    /// Every key there is, dotted.
    pub fn keys(&self) -> Vec<String> {
        flatten(&self.table).into_iter().map(|(key, _)| key).collect()
    }

    /// Reads the settings into a struct.
    pub fn read<T: serde::de::DeserializeOwned>(self) -> Result<T, Wrong> {
        Value::Table(self.table).try_into().map_err(|error: toml::de::Error| Wrong(error.to_string()))
    }

    fn get(&self, key: &str) -> Option<&Value> {
        match key.split_once('.') {
            None => self.table.get(key),
            Some((section, key)) => self.table.get(section)?.get(key),
        }
    }

    fn set(&mut self, key: &str, value: Value) -> Result<(), Wrong> {
        let known = self.get(key).ok_or_else(|| self.unknown(key))?;
        let alike = match (known, &value) {
            (Value::Array(_), Value::Array(items)) => items.iter().all(Value::is_str),
            (known, value) => known.same_type(value),
        };
        if !alike {
            return Err(Wrong(format!("{key}: expected {}, got {}", wanted(known), value.type_str())));
        }
        let slot = match key.split_once('.') {
            None => self.table.get_mut(key),
            Some((section, key)) => self.table.get_mut(section).and_then(|section| section.get_mut(key)),
        };
        if let Some(slot) = slot {
            *slot = value;
            self.named.insert(key.to_owned());
        }
        Ok(())
    }

    fn unknown(&self, key: &str) -> Wrong {
        let keys = self.keys();
        let nearest = keys.iter().min_by_key(|known| distance(known, key));
        Wrong(format!("{key}: no such setting; the nearest is {}", nearest.map_or("", String::as_str)))
    }
}

/// The environment variable of a key.
pub fn variable(key: &str) -> String {
    format!("MAEPYO_{}", key.replace('.', "_").to_uppercase())
}

fn flatten(table: &Table) -> Vec<(String, Value)> {
    let mut leaves = Vec::new();
    for (key, value) in table {
        match value {
            Value::Table(inner) => {
                leaves.extend(flatten(inner).into_iter().map(|(sub, v)| (format!("{key}.{sub}"), v)))
            }
            value => leaves.push((key.clone(), value.clone())),
        }
    }
    leaves
}

/// Where a file cannot be read. The line itself is not quoted: it may hold a secret.
fn syntax(text: &str, error: &toml::de::Error) -> Wrong {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    Wrong(format!("line {}: {}", before.matches('\n').count() + 1, error.message()))
}

fn switch(text: &str) -> Option<bool> {
    match text.trim().to_lowercase().as_str() {
        "on" | "true" | "1" | "yes" => Some(true),
        "off" | "false" | "0" | "no" => Some(false),
        _ => None,
    }
}

fn list(text: &str) -> Value {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    Value::Array(items.map(|item| Value::String(item.to_owned())).collect())
}

fn wanted(value: &Value) -> &'static str {
    match value {
        Value::Boolean(_) => "on or off (true or false)",
        Value::Integer(_) => "a whole number",
        Value::Array(_) => "a list of texts",
        Value::Table(_) => "a section",
        _ => "a text",
    }
}

/// How many letters differ (Levenshtein), to find what was meant.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
