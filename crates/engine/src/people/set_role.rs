use super::{Role, User};
use crate::command::{Command, Context, Decision, Verdict};
use crate::id::UserId;
use crate::refusal::Refusal;
use crate::world::{Key, Row, World};

/// Changes what a person may do.
#[derive(Debug, Clone)]
pub struct SetRole {
    /// Who.
    pub user: UserId,
    /// The new role.
    pub role: Role,
    /// A new password, Argon2 in PHC form, where it changes too.
    pub password_hash: Option<String>,
}

impl Command for SetRole {
    type Reply = User;
    const NAME: &'static str = "SetRole";

    fn decide(&self, world: &World, _: &mut Context) -> Verdict<User> {
        world.need([Key::User(self.user)])?;
        let mut user = world.users.get(&self.user).cloned().ok_or(Refusal::UserUnknown)?;
        user.role = self.role;
        if self.password_hash.is_some() {
            user.password_hash.clone_from(&self.password_hash);
        }
        Ok(Decision::new(user.clone()).put(Row::User(user)))
    }
}
