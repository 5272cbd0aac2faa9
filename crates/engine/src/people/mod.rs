//! People: who may do what.

mod adopt_user;
mod register_user;
mod revoke_token;
mod set_role;

pub use adopt_user::AdoptUser;
pub use register_user::RegisterUser;
pub use revoke_token::RevokeToken;
pub use set_role::SetRole;

use crate::id::UserId;
use crate::time::Time;

/// What a person may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Buys.
    User,
    /// Makes and runs events of its own.
    Organizer,
    /// Everything.
    Admin,
}

impl Role {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Organizer => "organizer",
            Self::Admin => "admin",
        }
    }

    /// The role a word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::User, Self::Organizer, Self::Admin].into_iter().find(|role| role.word() == word)
    }
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// As it was given; unique without regard to case.
    pub email: String,
    /// Argon2 in PHC form; `None` for an account that has no password.
    pub password_hash: Option<String>,
    /// What to call the person.
    pub name: String,
    /// Where to send a message.
    pub phone: Option<String>,
    /// What the person may do.
    pub role: Role,
    /// When it was made.
    pub created_at: Time,
}

/// Who has an e-mail address. The address is the key, so two people cannot share one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    /// The address in lower case.
    pub address: String,
    /// Who has it.
    pub user: UserId,
}

/// A refresh token that no longer counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokedToken {
    /// The token's id (`jti`).
    pub token: u128,
    /// When it would have run out by itself, after which the row may go.
    pub expires_at: Time,
}

/// The form of an e-mail address under which it is unique.
#[must_use]
pub fn email_key(email: &str) -> String {
    email.trim().to_lowercase()
}
