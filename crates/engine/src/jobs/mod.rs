//! Jobs: effects outside the store, kept in it until they are done.
//!
//! A job is made in the transaction that calls for it and performed after it, at least once, by id.

use crate::command::{Command, Context, Decision, Verdict};
use crate::id::{BatchId, DeliveryId, EventId, JobId, PaymentId};
use crate::messages::Lead;
use crate::payments::News;
use crate::time::{Span, Time};
use crate::world::{Change, Key, Row, World};

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Errand {
    /// Tell the server, as the sandbox gateway, what became of a payment: a signed webhook. Left by programs of before, which
    /// did not act on it at once.
    SandboxWebhook(PaymentId, News),
    /// Give a card payment back through its gateway.
    Refund(PaymentId),
    /// Tell the gateway that nobody will pay this any more.
    CancelIntent(PaymentId),
    /// Give back everything that was sold of an event that is called off.
    SweepEvent(EventId),
    /// Send the messages of a batch.
    SendMessages(BatchId),
    /// Write to all who have bought that the event is so far ahead.
    Remind(EventId, Lead),
    /// Tell a webhook.
    DeliverWebhook(DeliveryId),
}

/// Who does errands of a kind. They are kept apart, so that who waits for a stranger's server holds up nobody's money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// Money: what gateways are told and asked, and what is given back.
    Till,
    /// Messages to people.
    Mail,
    /// Webhooks of organizers.
    Webhooks,
}

impl Duty {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Till, Self::Mail, Self::Webhooks];
}

impl Errand {
    /// Whose it is.
    #[must_use]
    pub fn duty(&self) -> Duty {
        match self {
            Self::SandboxWebhook(..) | Self::Refund(_) | Self::CancelIntent(_) | Self::SweepEvent(_) => Duty::Till,
            Self::SendMessages(_) | Self::Remind(..) => Duty::Mail,
            Self::DeliverWebhook(_) => Duty::Webhooks,
        }
    }
}

/// Something to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// What.
    pub errand: Errand,
    /// Not before this.
    pub run_at: Time,
    /// How often it was taken up.
    pub attempts: u32,
    /// When it was made.
    pub created_at: Time,
}

impl Job {
    /// A job that is due now.
    pub(crate) fn new(cx: &mut Context, errand: Errand) -> Self {
        Self { id: cx.mint.id(), errand, run_at: cx.now, attempts: 0, created_at: cx.now }
    }
}

/// Takes up those of the named jobs that are due: for the length of a lease nobody else takes them, and if whoever took
/// them dies, somebody will.
#[derive(Debug, Clone)]
pub struct TakeJobs {
    /// Which.
    pub jobs: Vec<JobId>,
    /// How long they are the taker's.
    pub lease: Span,
}

impl Command for TakeJobs {
    type Reply = Vec<Job>;
    const NAME: &'static str = "TakeJobs";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<Vec<Job>> {
        world.need(self.jobs.iter().map(|id| Key::Job(*id)))?;
        let due = self.jobs.iter().filter_map(|id| world.jobs.get(id)).filter(|job| job.run_at <= cx.now);
        let taken =
            due.map(|job| Job { run_at: cx.now + self.lease, attempts: job.attempts.saturating_add(1), ..job.clone() });
        let taken: Vec<Job> = taken.collect();
        Ok(Decision::new(taken.clone()).put_all(taken.into_iter().map(Row::Job)))
    }
}

/// Has jobs wait so long from now: taken ones that are still worked on, so that nobody else takes them, and ones that
/// failed. Those that are gone do not matter.
#[derive(Debug, Clone)]
pub struct PutOffJobs {
    /// Which.
    pub jobs: Vec<JobId>,
    /// How long.
    pub by: Span,
    /// Whether they were taken and then not tried, which counts as no attempt.
    pub untried: bool,
}

impl Command for PutOffJobs {
    type Reply = ();
    const NAME: &'static str = "PutOffJobs";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<()> {
        world.need(self.jobs.iter().map(|id| Key::Job(*id)))?;
        let there = self.jobs.iter().filter_map(|id| world.jobs.get(id));
        let attempts = |job: &Job| job.attempts.saturating_sub(self.untried.into());
        let later = there.map(|job| Job { run_at: cx.now + self.by, attempts: attempts(job), ..job.clone() });
        Ok(Decision::new(()).put_all(later.map(Row::Job).collect::<Vec<_>>()))
    }
}

/// Forgets jobs that are done. Those that are gone already do not matter.
#[derive(Debug, Clone)]
pub struct FinishJobs {
    /// Which.
    pub jobs: Vec<JobId>,
}

impl Command for FinishJobs {
    type Reply = ();
    const NAME: &'static str = "FinishJobs";

    fn decide(&self, world: &World, _: &mut Context) -> Verdict<()> {
        let keys = || self.jobs.iter().map(|id| Key::Job(*id));
        world.need(keys())?;
        Ok(Decision::new(()).change(keys().map(Change::Delete).collect()))
    }
}
