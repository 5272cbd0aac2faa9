//! An auditor that never complains proves nothing: each store here has one fault, and it must be found.

use engine::world::Key;
use sim::Simulation;
use sim::store::Fault;

fn complaint(fault: Fault) -> String {
    let violation = Simulation::run(1, 20_000, fault).expect_err("the fault must be found");
    violation.found.join("\n")
}

#[test]
fn a_store_that_does_not_see_claims_sells_a_seat_twice() {
    let blind = |key: &Key| matches!(key, Key::Claim(_));
    assert!(complaint(Fault { blind, ..Fault::NONE }).contains("belongs to"));
}

#[test]
fn a_store_that_forgets_changed_claims_is_found_out() {
    let forgets = |key: &Key| matches!(key, Key::Claim(_));
    assert!(complaint(Fault { forgets, ..Fault::NONE }).contains("but (EventId("));
}

#[test]
fn a_store_that_forgets_portions_is_found_out() {
    let forgets = |key: &Key| matches!(key, Key::Portion(_));
    assert!(complaint(Fault { forgets, ..Fault::NONE }).contains("without its"));
}

#[test]
fn a_store_that_does_not_see_wallets_makes_money_vanish() {
    let blind = |key: &Key| matches!(key, Key::Wallet(_));
    assert!(complaint(Fault { blind, ..Fault::NONE }).contains("the ledger holds"));
}

#[test]
fn a_store_that_does_not_see_what_a_person_has_passes_the_limit() {
    let blind = |key: &Key| matches!(key, Key::Holdings(_));
    assert!(complaint(Fault { blind, ..Fault::NONE }).contains("which allows"));
}

#[test]
fn a_store_that_does_not_see_what_is_held_lets_a_person_hold_twice() {
    let blind = |key: &Key| matches!(key, Key::Unpaid(_));
    assert!(complaint(Fault { blind, ..Fault::NONE }).contains("at a time"));
}

#[test]
fn a_store_that_forgets_transfers_does_not_balance() {
    let forgets = |key: &Key| matches!(key, Key::Transfer(_));
    assert!(complaint(Fault { forgets, ..Fault::NONE }).contains("the ledger holds"));
}

#[test]
fn a_store_that_forgets_jobs_leaves_money_under_way() {
    let forgets = |key: &Key| matches!(key, Key::Job(_));
    assert!(complaint(Fault { forgets, ..Fault::NONE }).contains("at rest"));
}

#[test]
fn a_store_that_forgets_reservations_breaks_its_promises() {
    let forgets = |key: &Key| matches!(key, Key::Reservation(_));
    assert!(complaint(Fault { forgets, ..Fault::NONE }).contains("acknowledged and is gone"));
}

#[test]
fn a_store_that_forgets_movie_tickets_breaks_its_promises() {
    let forgets = |key: &Key| matches!(key, Key::MovieTicket(_));
    assert!(complaint(Fault { forgets, ..Fault::NONE }).contains("MovieTicketId("));
}

#[test]
fn a_store_that_does_not_see_movie_tickets_is_found_out() {
    let blind = |key: &Key| matches!(key, Key::MovieTicket(_));
    assert!(complaint(Fault { blind, ..Fault::NONE }).contains("acknowledged and is not found"));
}

#[test]
fn a_store_that_does_not_see_lanes_counts_wrong() {
    let blind = |key: &Key| matches!(key, Key::Lane(_));
    // Which of its numbers is the first to be wrong differs from run to run.
    assert!(complaint(Fault { blind, ..Fault::NONE }).contains("Lane { id"));
}

#[test]
fn a_store_that_does_not_see_who_waits_gives_two_places() {
    let blind = |key: &Key| matches!(key, Key::Waiter(_));
    assert!(complaint(Fault { blind, ..Fault::NONE }).contains("its holder is found by"));
}

#[test]
fn a_store_that_forgets_places_breaks_its_promises() {
    let forgets = |key: &Key| matches!(key, Key::Place(_));
    assert!(complaint(Fault { forgets, ..Fault::NONE }).contains("a place was acknowledged and is gone"));
}

#[test]
fn a_crash_in_the_middle_of_a_commit_is_found_out() {
    // What is left of a batch differs from crash to crash, so the complaint does too.
    for seed in 1..=5 {
        let run = Simulation::run(seed, 20_000, Fault { tears: true, ..Fault::NONE });
        assert!(run.is_err(), "seed {seed}");
    }
}
