//! Money: wallets, and the ledger that every won moves through.
//!
//! The ledger is double-entry: a transfer takes an amount from one account and gives it to another,
//! so all balances always sum to zero. A wallet row is the balance of its account, kept for speed;
//! `maepyo check` compares the two.

mod pay_from_wallet;
mod top_up;

pub use pay_from_wallet::{PayFromWallet, WalletPayment};
pub use top_up::TopUp;

use crate::command::Context;
use crate::id::{EventId, PaymentId, ReservationId, TransferId, UserId};
use crate::money::Won;
use crate::refusal::Refusal;
use crate::time::Time;
use crate::world::{Change, Row, World};

/// Where money is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// With the payment gateway: what buyers paid less what went back to them.
    Gateway,
    /// Where free top-ups come from.
    TopUps,
    /// Paid, and neither for a confirmed reservation yet nor on its way back. Programs of before noted a success first and
    /// settled it later; now it is settled when it is noted.
    Unsettled,
    /// On its way back to the buyer.
    Refunds,
    /// Earned by an event.
    Sales(EventId),
    /// A person's.
    Wallet(UserId),
}

/// An amount moved from one account to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Its id.
    pub id: TransferId,
    /// When.
    pub at: Time,
    /// Where it comes from.
    pub debit: Account,
    /// Where it goes.
    pub credit: Account,
    /// How much; more than nothing.
    pub amount: Won,
    /// The reservation it is about.
    pub reservation: Option<ReservationId>,
    /// The payment it is about.
    pub payment: Option<PaymentId>,
}

/// What a person has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wallet {
    /// Whose.
    pub user: UserId,
    /// How much; never below zero.
    pub balance: Won,
}

/// What a transfer is about.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct About {
    pub reservation: Option<ReservationId>,
    pub payment: Option<PaymentId>,
}

/// The row of a transfer; nothing for nothing.
pub(crate) fn transfer(debit: Account, credit: Account, amount: Won, about: About, cx: &mut Context) -> Option<Change> {
    let About { reservation, payment } = about;
    (amount > Won::ZERO).then(|| {
        let id = cx.mint.id();
        Change::Put(Row::Transfer(Transfer { id, at: cx.now, debit, credit, amount, reservation, payment }))
    })
}

/// The wallet with an amount added (or, below zero, taken). It must be loaded.
pub(crate) fn wallet_with(user: UserId, amount: Won, world: &World) -> Result<Wallet, Refusal> {
    let balance = world.wallets.get(&user).map_or(Won::ZERO, |wallet| wallet.balance);
    let after = balance.plus(amount)?;
    if after < Won::ZERO {
        return Err(Refusal::BalanceShort { balance });
    }
    Ok(Wallet { user, balance: after })
}
