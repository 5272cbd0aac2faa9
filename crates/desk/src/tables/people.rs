use engine::id::UserId;
use engine::people::{Email, RevokedToken, Role, User};
use engine::time::Time;

use super::{Table, id_values, values};
use crate::value::{Columns, Corrupt, Kind, Value};

impl Table for Email {
    type Key = String;
    const NAME: &'static str = "emails";
    const COLUMNS: &'static [(&'static str, Kind)] = &[("address", Kind::Text), ("user_id", Kind::Bytes)];
    const KEYS: usize = 1;

    fn key_values(key: &String) -> Vec<Value> {
        values![key.as_str()]
    }

    fn key(&self) -> String {
        self.address.clone()
    }

    fn values(&self) -> Vec<Value> {
        values![self.address.as_str(), self.user.0]
    }

    fn read(columns: &mut Columns) -> Result<Self, Corrupt> {
        Ok(Self { address: columns.text()?, user: columns.id()? })
    }
}

impl Table for User {
    type Key = UserId;
    const NAME: &'static str = "users";
    const COLUMNS: &'static [(&'static str, Kind)] = &[
        ("id", Kind::Bytes),
        ("email", Kind::Text),
        ("password_hash", Kind::Text),
        ("name", Kind::Text),
        ("phone", Kind::Text),
        ("role", Kind::Text),
        ("created_at", Kind::Int),
    ];
    const KEYS: usize = 1;

    fn key_values(key: &UserId) -> Vec<Value> {
        id_values(*key)
    }

    fn key(&self) -> UserId {
        self.id
    }

    fn values(&self) -> Vec<Value> {
        values![
            self.id.0,
            self.email.as_str(),
            self.password_hash.as_deref(),
            self.name.as_str(),
            self.phone.as_deref(),
            self.role.word(),
            self.created_at.0,
        ]
    }

    fn read(columns: &mut Columns) -> Result<Self, Corrupt> {
        Ok(Self {
            id: columns.id()?,
            email: columns.text()?,
            password_hash: columns.text_or()?,
            name: columns.text()?,
            phone: columns.text_or()?,
            role: Role::from_word(&columns.text()?).ok_or(Corrupt("no such role"))?,
            created_at: Time(columns.int()?),
        })
    }
}

impl Table for RevokedToken {
    type Key = u128;
    const NAME: &'static str = "revoked_tokens";
    const COLUMNS: &'static [(&'static str, Kind)] = &[("id", Kind::Bytes), ("expires_at", Kind::Int)];
    const KEYS: usize = 1;

    fn key_values(key: &u128) -> Vec<Value> {
        id_values(*key)
    }

    fn key(&self) -> u128 {
        self.token
    }

    fn values(&self) -> Vec<Value> {
        values![self.token, self.expires_at.0]
    }

    fn read(columns: &mut Columns) -> Result<Self, Corrupt> {
        Ok(Self { token: columns.id()?, expires_at: Time(columns.int()?) })
    }
}
