use super::RevokedToken;
use crate::command::{Command, Context, Decision, Verdict};
use crate::time::Time;
use crate::world::{Key, Row, World};

/// Ends a refresh token before its time. Doing it again changes nothing.
#[derive(Debug, Clone)]
pub struct RevokeToken {
    /// The token's id (`jti`).
    pub token: u128,
    /// When it would have run out by itself.
    pub expires_at: Time,
}

impl Command for RevokeToken {
    type Reply = ();
    const NAME: &'static str = "RevokeToken";

    fn decide(&self, world: &World, _: &mut Context) -> Verdict<()> {
        world.need([Key::RevokedToken(self.token)])?;
        let decision = Decision::new(());
        Ok(match world.revoked_tokens.get(&self.token) {
            Some(_) => decision,
            None => decision.put(Row::RevokedToken(RevokedToken { token: self.token, expires_at: self.expires_at })),
        })
    }
}
