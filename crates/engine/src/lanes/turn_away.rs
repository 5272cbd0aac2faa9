use crate::command::{Command, Context, Verdict};
use crate::refusal::Refusal;
use crate::world::World;

/// Turns a purchase away because the waiting room says wait: a command, so that the answer is kept under the
/// idempotency key like any other refusal.
#[derive(Debug, Clone)]
pub struct TurnAway;

impl Command for TurnAway {
    type Reply = ();
    const NAME: &'static str = "TurnAway";

    fn decide(&self, _: &World, _: &mut Context) -> Verdict<()> {
        Err(Refusal::MustWait.into())
    }
}
