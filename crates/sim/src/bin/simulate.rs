//! One run by hand: `simulate [seed] [commands]`.

use std::process::ExitCode;

use sim::Simulation;
use sim::store::Fault;

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>().ok());
    let seed = numbers.next().flatten().unwrap_or_else(sim::dice::seed);
    let commands = numbers.next().flatten().unwrap_or(1_000_000);
    println!("MAEPYO_SIM_SEED={seed}, {commands} commands");
    match Simulation::run(seed, commands, Fault::NONE) {
        Ok(tally) => {
            println!("{tally:#?}");
            ExitCode::SUCCESS
        }
        Err(violation) => {
            println!("{violation}");
            ExitCode::FAILURE
        }
    }
}
