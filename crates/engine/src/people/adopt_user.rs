use super::{Email, Role, User, email_key};
use crate::command::{Command, Context, Decision, Verdict};
use crate::id::UserId;
use crate::world::{Key, Row, World};

/// Makes a person out of a token that another service signed with the shared secret, on first sight.
#[derive(Debug, Clone)]
pub struct AdoptUser {
    /// The id the token names.
    pub id: UserId,
    /// The address the token names.
    pub email: String,
    /// The role the token names.
    pub role: Role,
}

impl Command for AdoptUser {
    type Reply = User;
    const NAME: &'static str = "AdoptUser";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<User> {
        let address = email_key(&self.email);
        world.need([Key::User(self.id), Key::Email(address.clone())])?;
        if let Some(known) = world.users.get(&self.id) {
            return Ok(Decision::new(known.clone()));
        }
        let user = User {
            id: self.id,
            email: self.email.trim().to_owned(),
            password_hash: None,
            name: self.email.split('@').next().unwrap_or_default().to_owned(),
            phone: None,
            role: self.role,
            created_at: cx.now,
        };
        let decision = Decision::new(user.clone()).put(Row::User(user.clone()));
        // The address may be someone's already; the token's id decides who this is.
        Ok(match world.emails.get(&address) {
            Some(_) => decision,
            None => decision.put(Row::Email(Email { address, user: user.id })),
        })
    }
}
