use super::{About, Account, Wallet, transfer, wallet_with};
use crate::command::{Command, Context, Decision, Verdict};
use crate::id::UserId;
use crate::money::Won;
use crate::refusal::Refusal;
use crate::world::{Key, Row, World};

/// Adds money to a person's wallet.
#[derive(Debug, Clone)]
pub struct TopUp {
    /// Whose wallet.
    pub user: UserId,
    /// How much; more than nothing.
    pub amount: Won,
}

impl Command for TopUp {
    type Reply = Wallet;
    const NAME: &'static str = "TopUp";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<Wallet> {
        if self.amount <= Won::ZERO || self.amount > Won::MOST {
            return Err(Refusal::AmountInvalid.into());
        }
        world.need([Key::User(self.user), Key::Wallet(self.user)])?;
        world.users.get(&self.user).ok_or(Refusal::UserUnknown)?;
        let wallet = wallet_with(self.user, self.amount, world)?;
        let credit = Account::Wallet(self.user);
        let moved = transfer(Account::TopUps, credit, self.amount, About::default(), cx);
        Ok(Decision::new(wallet.clone()).put(Row::Wallet(wallet)).change(moved.into_iter().collect()))
    }
}
