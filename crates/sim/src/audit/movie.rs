//! What was told of movie tickets, held against the store.

use std::collections::{BTreeMap, BTreeSet};

use engine::id::MovieTicketId;
use engine::movie::{MovieStanding, RefundOutcome, RefundTickets};
use engine::time::Time;

use crate::store::Store;

/// What somebody was told of movie tickets, and since when which of them are canceled.
#[derive(Debug, Default)]
pub(super) struct Told {
    issued: BTreeSet<MovieTicketId>,
    refunded: BTreeSet<MovieTicketId>,
    canceled: BTreeMap<MovieTicketId, Time>,
}

impl Told {
    /// A client was told that these tickets are issued.
    pub(super) fn issued(&mut self, made: impl IntoIterator<Item = MovieTicketId>) {
        self.issued.extend(made);
    }

    /// A client was told what became of the tickets of its command.
    pub(super) fn refunded(&mut self, command: &RefundTickets, outcomes: &[RefundOutcome], found: &mut Vec<String>) {
        for (id, outcome) in command.tickets.iter().zip(outcomes) {
            match outcome {
                RefundOutcome::Refunded if !self.refunded.insert(*id) => {
                    found.push(format!("{id:?} was told to be refunded twice"));
                }
                RefundOutcome::NotFound if self.issued.contains(id) => {
                    found.push(format!("{id:?} was acknowledged and is not found"));
                }
                RefundOutcome::Refunded | RefundOutcome::AlreadyCanceled | RefundOutcome::NotFound => {}
            }
        }
    }

    /// What was told is so, and who was canceled once stays canceled since then.
    pub(super) fn audit(&mut self, store: &Store, found: &mut Vec<String>) {
        for lost in self.issued.iter().filter(|id| store.movie_ticket(**id).is_none()) {
            found.push(format!("{lost:?} was acknowledged and is gone"));
        }
        let canceled: BTreeMap<MovieTicketId, Time> = store.movie_tickets().filter_map(canceled_at).collect();
        for id in self.refunded.iter().filter(|id| !canceled.contains_key(id)) {
            found.push(format!("{id:?} was told to be refunded and is not canceled"));
        }
        for (id, at) in &self.canceled {
            if canceled.get(id) != Some(at) {
                found.push(format!("{id:?} was canceled at {at:?}, now at {:?}", canceled.get(id)));
            }
        }
        self.canceled = canceled;
    }
}

fn canceled_at(ticket: &engine::movie::MovieTicket) -> Option<(MovieTicketId, Time)> {
    match ticket.standing {
        MovieStanding::Issued => None,
        MovieStanding::Canceled { at, .. } => Some((ticket.id, at)),
    }
}
