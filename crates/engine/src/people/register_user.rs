use super::{Email, Role, User, email_key};
use crate::command::{Command, Context, Decision, Verdict};
use crate::refusal::Refusal;
use crate::world::{Key, Row, World};

/// Makes a person, unless the e-mail address is taken.
#[derive(Debug, Clone)]
pub struct RegisterUser {
    /// The address, well-formed.
    pub email: String,
    /// Argon2 in PHC form.
    pub password_hash: Option<String>,
    /// What to call the person.
    pub name: String,
    /// Where to send a message.
    pub phone: Option<String>,
    /// What the person may do.
    pub role: Role,
}

impl Command for RegisterUser {
    type Reply = User;
    const NAME: &'static str = "RegisterUser";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<User> {
        let address = email_key(&self.email);
        world.need([Key::Email(address.clone())])?;
        if world.emails.get(&address).is_some() {
            return Err(Refusal::EmailTaken.into());
        }
        let user = User {
            id: cx.mint.id(),
            email: self.email.trim().to_owned(),
            password_hash: self.password_hash.clone(),
            name: self.name.clone(),
            phone: self.phone.clone(),
            role: self.role,
            created_at: cx.now,
        };
        let email = Email { address, user: user.id };
        Ok(Decision::new(user.clone()).put(Row::User(user)).put(Row::Email(email)))
    }
}
