use engine::stream::Cursor;
use engine::time::Time;

use super::{Table, values};
use crate::value::{Columns, Corrupt, Kind, Value};

impl Table for Cursor {
    type Key = String;
    const NAME: &'static str = "cursors";
    const COLUMNS: &'static [(&'static str, Kind)] =
        &[("name", Kind::Text), ("position", Kind::Int), ("holder", Kind::Int), ("leased_until", Kind::Int)];
    const KEYS: usize = 1;

    fn key_values(key: &String) -> Vec<Value> {
        values![key.as_str()]
    }

    fn key(&self) -> String {
        self.name.clone()
    }

    fn values(&self) -> Vec<Value> {
        values![self.name.as_str(), self.position.cast_signed(), self.holder.cast_signed(), self.leased_until.0,]
    }

    fn read(columns: &mut Columns) -> Result<Self, Corrupt> {
        Ok(Self {
            name: columns.text()?,
            position: columns.int()?.cast_unsigned(),
            holder: columns.int()?.cast_unsigned(),
            leased_until: Time(columns.int()?),
        })
    }
}
