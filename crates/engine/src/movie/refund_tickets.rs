use std::collections::BTreeSet;

use super::{MOST_REFUNDED, MovieStanding, MovieTicket};
use crate::command::{Command, Context, Decision, Verdict};
use crate::id::MovieTicketId;
use crate::refusal::Refusal;
use crate::world::{Key, Row, World};

/// Gives tickets back, those that are good. The others stay as they are, and are no reason to refuse.
#[derive(Debug, Clone)]
pub struct RefundTickets {
    /// Which. One that is named twice is given back once.
    pub tickets: Vec<MovieTicketId>,
    /// Why.
    pub reason: Option<String>,
}

/// What became of one ticket of a [`RefundTickets`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundOutcome {
    /// It was good, and is canceled now.
    Refunded,
    /// It was canceled before, be it by the same command.
    AlreadyCanceled,
    /// There is no such ticket.
    NotFound,
}

impl Command for RefundTickets {
    /// An outcome for each ticket, in the order asked.
    type Reply = Vec<RefundOutcome>;
    const NAME: &'static str = "RefundTickets";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<Vec<RefundOutcome>> {
        if self.tickets.len() > MOST_REFUNDED as usize {
            return Err(Refusal::TooMany { limit: MOST_REFUNDED }.into());
        }
        world.need(self.tickets.iter().map(|id| Key::MovieTicket(*id)))?;
        let (mut outcomes, mut canceled, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
        for id in &self.tickets {
            outcomes.push(match world.movie_tickets.get(id) {
                None => RefundOutcome::NotFound,
                Some(ticket) if ticket.standing == MovieStanding::Issued && seen.insert(*id) => {
                    let standing = MovieStanding::Canceled { at: cx.now, reason: self.reason.clone() };
                    canceled.push(MovieTicket { standing, ..ticket.clone() });
                    RefundOutcome::Refunded
                }
                Some(_) => RefundOutcome::AlreadyCanceled,
            });
        }
        Ok(Decision::new(outcomes).put_all(canceled.into_iter().map(Row::MovieTicket)))
    }
}
