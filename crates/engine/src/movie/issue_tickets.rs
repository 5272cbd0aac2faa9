use super::{HIGHEST_PRICE, MOST_ISSUED, MovieStanding, MovieTicket};
use crate::command::{Command, Context, Decision, Verdict};
use crate::id::MovieTicketId;
use crate::money::Won;
use crate::refusal::Refusal;
use crate::time::Time;
use crate::world::{Row, World};

/// Issues some tickets of one kind: all of them or none.
#[derive(Debug, Clone)]
pub struct IssueTickets {
    /// Where it is shown.
    pub theater: String,
    /// What is shown.
    pub title: String,
    /// What one costs.
    pub price: Won,
    /// How many.
    pub quantity: u32,
    /// Whose they are.
    pub holder: String,
    /// A note of the seller's.
    pub memo: Option<String>,
}

impl Command for IssueTickets {
    type Reply = Vec<MovieTicketId>;
    const NAME: &'static str = "IssueTickets";

    fn decide(&self, _: &World, cx: &mut Context) -> Verdict<Vec<MovieTicketId>> {
        match self.quantity {
            0 => return Err(Refusal::NothingWanted.into()),
            1..=MOST_ISSUED => {}
            _ => return Err(Refusal::TooMany { limit: MOST_ISSUED }.into()),
        }
        if self.price <= Won::ZERO || self.price > HIGHEST_PRICE {
            return Err(Refusal::AmountInvalid.into());
        }
        let ids: Vec<MovieTicketId> = (0..self.quantity).map(|_| cx.mint.id()).collect();
        let tickets = ids.iter().map(|id| Row::MovieTicket(self.ticket(*id, cx.now)));
        Ok(Decision::new(ids.clone()).put_all(tickets))
    }
}

impl IssueTickets {
    fn ticket(&self, id: MovieTicketId, now: Time) -> MovieTicket {
        MovieTicket {
            id,
            theater: self.theater.clone(),
            holder: self.holder.clone(),
            title: self.title.clone(),
            price: self.price,
            memo: self.memo.clone(),
            issued_at: now,
            standing: MovieStanding::Issued,
        }
    }
}
