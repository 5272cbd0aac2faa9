use std::collections::BTreeSet;

use super::{About, Account, Wallet, transfer, wallet_with};
use crate::command::{Command, Context, Decision, Fact, Verdict};
use crate::holds::{Reservation, Standing, Stocks, Tender, fill_from, keys_of};
use crate::id::{PaymentId, ReservationId, UserId};
use crate::money::Won;
use crate::payments::abandon;
use crate::refusal::Refusal;
use crate::world::{Key, Row, World};

/// Pays for reservations of one person out of the wallet: all of them or none.
#[derive(Debug, Clone)]
pub struct PayFromWallet {
    /// Who pays.
    pub user: UserId,
    /// For what; at least one, none twice.
    pub reservations: Vec<ReservationId>,
    /// What the caller believes it costs; refused when it is not that.
    pub stated_total: Option<Won>,
}

/// A payment out of a wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletPayment {
    /// Its id.
    pub id: PaymentId,
    /// How much.
    pub total: Won,
    /// The reservations, now confirmed.
    pub reservations: Vec<Reservation>,
    /// What is left.
    pub wallet: Wallet,
}

impl Command for PayFromWallet {
    type Reply = WalletPayment;
    const NAME: &'static str = "PayFromWallet";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<WalletPayment> {
        if self.reservations.is_empty() {
            return Err(Refusal::NothingWanted.into());
        }
        let distinct: BTreeSet<_> = self.reservations.iter().collect();
        if distinct.len() < self.reservations.len() {
            return Err(Refusal::SeatRepeated.into());
        }
        let keys = self.reservations.iter().map(|id| Key::Reservation(*id));
        world.need(keys.chain([Key::Wallet(self.user)]))?;
        let held = self.payable(world, cx)?;
        let total = held.iter().try_fold(Won::ZERO, |sum, own| sum.plus(own.total))?;
        if self.stated_total.is_some_and(|stated| stated != total) {
            return Err(Refusal::TotalDiffers { expected: total.0 }.into());
        }
        let wallet = wallet_with(self.user, Won(-total.0), world)?;
        let id: PaymentId = cx.mint.id();
        let mut decision = Decision::new(()).put(Row::Wallet(wallet.clone()));
        let mut stocks = Stocks::new();
        let mut paid = Vec::with_capacity(held.len());
        for own in held {
            let standing = Standing::Confirmed { at: cx.now, tender: Tender::Wallet(id), admitted_at: None };
            let confirmed = Reservation { standing, ..own.clone() };
            let about = About { reservation: Some(own.id), payment: Some(id) };
            let (debit, credit) = (Account::Wallet(self.user), Account::Sales(own.event));
            decision = decision
                .change(fill_from(&mut stocks, &confirmed, world, cx.now)?)
                .change(abandon(own, world, cx)?)
                .change(transfer(debit, credit, own.total, about, cx).into_iter().collect())
                .put(Row::Reservation(confirmed.clone()))
                .fact(Fact::Confirmed(confirmed.clone()));
            paid.push(confirmed);
        }
        decision = decision.put_all(stocks.into_values().map(Row::Stock));
        let reply = WalletPayment { id, total, reservations: paid, wallet };
        Ok(Decision { reply, changes: decision.changes, facts: decision.facts })
    }
}

impl PayFromWallet {
    /// The reservations, checked as the contract orders it: each check over all before the next one.
    fn payable<'a>(&self, world: &'a World, cx: &Context) -> Result<Vec<&'a Reservation>, crate::command::Stop> {
        let found = self.reservations.iter().map(|id| world.reservations.get(id));
        let held = found.collect::<Option<Vec<_>>>().ok_or(Refusal::ReservationUnknown)?;
        let refused = |refusal: &Refusal| held.iter().any(|own| own.held_at(cx.now).as_ref() == Err(refusal));
        held.iter().try_for_each(|own| own.owned_by(self.user))?;
        for refusal in [Refusal::ReservationPaid, Refusal::ReservationLapsed, Refusal::ReservationCancelled] {
            if refused(&refusal) {
                return Err(refusal.into());
            }
        }
        // All that paying looks at, of all of them: each time something is missing costs another journey to the store.
        let beside = |own: &&'a Reservation| [Key::Event(own.event), Key::Payment(own.payment_id())];
        world.need(held.iter().flat_map(|own| beside(own).into_iter().chain(keys_of(own))))?;
        for own in &held {
            world.events.get(&own.event).ok_or(Refusal::EventUnknown)?.takes_payments()?;
        }
        Ok(held)
    }
}
