//! A million commands by many people on a store that crashes: nothing that must never be, ever is.

use sim::dice::{Dice, seed};
use sim::store::Fault;
use sim::{Simulation, Tally};

const RUNS: u64 = 20;
const COMMANDS: u64 = 50_000;

#[test]
fn a_million_commands_break_no_invariant() {
    let first = seed();
    println!("MAEPYO_SIM_SEED={first}");
    let mut seeds = Dice::new(first);
    // The first run has the given seed itself, so that the seed of a failure shows it at once.
    let seeds = (0..RUNS).map(|run| if run == 0 { first } else { seeds.throw() });
    let tallies: Vec<Tally> = seeds
        .map(|seed| Simulation::run(seed, COMMANDS, Fault::NONE).unwrap_or_else(|violation| panic!("{violation}")))
        .collect();
    assert!(tallies.iter().map(|tally| tally.commands).sum::<u64>() >= RUNS * COMMANDS);
    for name in COMMAND_NAMES {
        assert!(tallies.iter().any(|tally| tally.done.contains_key(name)), "{name} was never done");
    }
    tallies.iter().for_each(was_not_quiet);
}

/// A run in which little happens proves little.
fn was_not_quiet(tally: &Tally) {
    for name in ["HoldSeats", "OpenPayment", "PayFromWallet", "CancelReservation", "ConfirmReservation", "Admit"] {
        assert!(tally.refused.contains_key(name), "{name} was never refused: {tally:?}");
    }
    assert!(tally.sold > 100 && tally.returned > 10, "{tally:?}");
    assert!(tally.crashes > 0 && tally.lost_replies > 0 && tally.audits > 10, "{tally:?}");
}

const COMMAND_NAMES: [&str; 32] = [
    "JoinLane",
    "LeaveLane",
    "UseTurn",
    "CompletePlace",
    "MoveLane",
    "ForgetPlaces",
    "RegisterUser",
    "AdoptUser",
    "SetRole",
    "RevokeToken",
    "CreateEvent",
    "UpdateEvent",
    "PublishEvent",
    "CancelEvent",
    "DeleteEvent",
    "HoldSeats",
    "CancelReservation",
    "ExpireReservation",
    "OpenPayment",
    "AttachIntent",
    "ChargeSandbox",
    "ConfirmReservation",
    "CancelPayment",
    "ReceiveNews",
    "CompleteRefund",
    "TopUp",
    "PayFromWallet",
    "Admit",
    "TakeJobs",
    "FinishJobs",
    "IssueTickets",
    "RefundTickets",
];

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = || Simulation::run(7, 5_000, Fault::NONE).unwrap_or_else(|violation| panic!("{violation}"));
    assert_eq!(format!("{:?}", run()), format!("{:?}", run()));
}
