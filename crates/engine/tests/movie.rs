//! What may happen to movie tickets.

mod stage;

use engine::id::MovieTicketId;
use engine::money::Won;
use engine::movie::{HIGHEST_PRICE, IssueTickets, MovieStanding, RefundOutcome, RefundTickets};
use engine::refusal::Refusal;
use engine::time::Span;
use stage::Stage;

fn issue(quantity: u32, price: Won) -> IssueTickets {
    let (theater, title, holder) = ("극장".to_owned(), "영화".to_owned(), "anonymous".to_owned());
    IssueTickets { theater, title, price, quantity, holder, memo: None }
}

fn refund(tickets: &[MovieTicketId], reason: Option<&str>) -> RefundTickets {
    RefundTickets { tickets: tickets.to_vec(), reason: reason.map(str::to_owned) }
}

#[test]
fn one_to_ten_are_issued_at_once_for_a_price_that_is_one() {
    let mut stage = Stage::new();
    for quantity in [1, 10] {
        for price in [Won(1), HIGHEST_PRICE] {
            assert_eq!(stage.done(&issue(quantity, price)).len(), quantity as usize);
        }
    }
    for (quantity, price, refusal) in [
        (0, Won(1), Refusal::NothingWanted),
        (11, Won(1), Refusal::TooMany { limit: 10 }),
        (u32::MAX, Won(1), Refusal::TooMany { limit: 10 }),
        (1, Won::ZERO, Refusal::AmountInvalid),
        (1, Won(-1), Refusal::AmountInvalid),
        (1, Won(HIGHEST_PRICE.0 + 1), Refusal::AmountInvalid),
    ] {
        assert_eq!(stage.run(&issue(quantity, price)), Err(refusal));
    }
    assert_eq!(stage.store.movie_tickets().count(), 22, "what was refused issued none");
}

#[test]
fn a_ticket_is_given_back_once_and_keeps_when_and_why() {
    let mut stage = Stage::new();
    let ids = stage.done(&issue(3, Won(100)));
    stage.wait(Span::seconds(60));
    let at = stage.now;
    let none = MovieTicketId(7);
    let outcomes = stage.done(&refund(&[none, ids[2], ids[0], ids[2], none], Some("first")));
    use RefundOutcome::{AlreadyCanceled, NotFound, Refunded};
    assert_eq!(outcomes, [NotFound, Refunded, Refunded, AlreadyCanceled, NotFound]);
    stage.wait(Span::seconds(60));
    assert_eq!(stage.done(&refund(&ids, Some("second"))), [AlreadyCanceled, Refunded, AlreadyCanceled]);
    let standing = |id: MovieTicketId| stage.store.movie_ticket(id).expect("it is there").standing.clone();
    assert_eq!(standing(ids[0]), MovieStanding::Canceled { at, reason: Some("first".to_owned()) });
    assert_eq!(standing(ids[1]), MovieStanding::Canceled { at: stage.now, reason: Some("second".to_owned()) });
    assert!(stage.store.movie_ticket(none).is_none());
}

#[test]
fn at_most_a_thousand_are_given_back_at_once() {
    let mut stage = Stage::new();
    let ids: Vec<MovieTicketId> = (0..1_001).map(MovieTicketId).collect();
    assert_eq!(stage.done(&refund(&ids[1..], None)), vec![RefundOutcome::NotFound; 1_000]);
    assert_eq!(stage.run(&refund(&ids, None)), Err(Refusal::TooMany { limit: 1_000 }));
}
