//! The run: a clock, a queue of requests, batches, crashes and lost replies.

use std::collections::BTreeMap;
use std::fmt;

use engine::command::Fact;
use engine::holds::{CancelReservation, Canceller, ExpireReservation, Reservation, Standing};
use engine::id::{EventId, JobId, MessageId, PaymentId};
use engine::jobs::{Errand, FinishJobs, Job, TakeJobs};
use engine::messages::{Channel, Content, Draft, Lead, QueueMessages, SettleMessages, Settled};
use engine::payments::{CompleteRefund, Gateway, News, Payment, PaymentState, ReceiveNews, Refund, RetryRefund};
use engine::refusal::Refusal;
use engine::time::{Span, Time};
use engine::webhooks::{SettleDelivery, Tried};

use crate::audit::Auditor;
use crate::bank::{Bank, Intent};
use crate::call::{Answer, Call};
use crate::dice::Dice;
use crate::store::{Changes, Fault, Store};
use crate::workload::Known;

const START: Time = Time(1_700_000_000_000_000);
const BATCHES_PER_AUDIT: u64 = 100;
/// After so many rounds without new requests everything is done, or something never will be.
const ROUNDS_TO_REST: u32 = 500;

/// A request on its way.
struct Request {
    call: Call,
    /// Whether the sender tries until it is answered; others may give up.
    stubborn: bool,
    /// Whether what it says may be over when the sender asks again, so that it does not.
    fleeting: bool,
    /// What the sender does once it is answered.
    then: Option<Call>,
}

/// What happened in a run, to see that it was not a quiet one.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Commands that were decided.
    pub commands: u64,
    /// Commands that were done, by name.
    pub done: BTreeMap<&'static str, u64>,
    /// Commands that were refused, by name.
    pub refused: BTreeMap<&'static str, u64>,
    /// Batches.
    pub batches: u64,
    /// Batches lost in a crash.
    pub crashes: u64,
    /// Batches that were committed, but nobody was told.
    pub lost_replies: u64,
    /// Audits.
    pub audits: u64,
    /// Reservations that were paid.
    pub sold: usize,
    /// Payments that came too late and went back.
    pub returned: usize,
}

/// The auditor's complaint, with what is needed to see it again.
#[derive(Debug)]
pub struct Violation {
    /// The seed of the run.
    pub seed: u64,
    /// How many commands had been decided.
    pub commands: u64,
    /// What is wrong.
    pub found: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { seed, commands, found } = self;
        writeln!(f, "MAEPYO_SIM_SEED={seed}: {} violations after {commands} commands", found.len())?;
        found.iter().take(10).try_for_each(|line| writeln!(f, "  {line}"))
    }
}

/// One run.
pub struct Simulation {
    pub(crate) store: Store,
    pub(crate) now: Time,
    pub(crate) dice: Dice,
    pub(crate) bank: Bank,
    pub(crate) known: Known,
    queue: BTreeMap<(Time, u64), Request>,
    sent: u64,
    auditor: Auditor,
    tally: Tally,
    seed: u64,
}

impl Simulation {
    /// Runs about this many commands, then lets everything come to rest.
    ///
    /// # Errors
    /// What the auditor found.
    pub fn run(seed: u64, commands: u64, fault: Fault) -> Result<Tally, Violation> {
        let mut run = Self::new(seed, fault);
        while run.tally.commands < commands {
            run.advance();
            let requests = run.gather();
            run.batch(requests);
            if run.tally.batches.is_multiple_of(BATCHES_PER_AUDIT) {
                run.audit()?;
            }
        }
        run.rest()?;
        let count = |of: fn(&Fact) -> bool| run.store.stream().iter().filter(|fact| of(fact)).count();
        let sold = count(|fact| matches!(fact, Fact::Confirmed(_)));
        let returned = count(|fact| matches!(fact, Fact::PaymentReturned(_)));
        Ok(Tally { sold, returned, ..run.tally })
    }

    fn new(seed: u64, fault: Fault) -> Self {
        let (known, bank, queue, auditor, tally) = Default::default();
        let (store, dice) = (Store::new(fault), Dice::new(seed));
        Self { store, now: START, dice, bank, known, queue, sent: 0, auditor, tally, seed }
    }

    /// Time passes: mostly a moment, now and then enough to let holds lapse.
    fn advance(&mut self) {
        let millis = match self.dice.below(1_000) {
            0..=1 => 900_000,
            2..=20 => 60_000,
            _ => 1_000,
        };
        self.now = self.now + Span(i64::from(self.dice.below(millis)) * 1_000);
    }

    fn gather(&mut self) -> Vec<Request> {
        let size = 1 + self.dice.below(32) as usize;
        let mut requests = self.due(size);
        for _ in requests.len()..size {
            let call = self.new_call();
            requests.extend(call.map(|call| Request { call, stubborn: false, fleeting: false, then: None }));
        }
        requests
    }

    /// The requests that have arrived, up to a number.
    fn due(&mut self, most: usize) -> Vec<Request> {
        let mut due = Vec::new();
        while due.len() < most
            && let Some(first) = self.queue.first_entry()
            && first.key().0 <= self.now
        {
            due.push(first.remove());
        }
        due
    }

    fn batch(&mut self, requests: Vec<Request>) {
        let mut batch = self.store.batch(self.now, self.dice.throw());
        let answers: Vec<_> = requests.iter().map(|request| request.call.run(&mut batch)).collect();
        let changes = batch.close();
        self.tally.batches += 1;
        self.count(&requests, &answers);
        match self.dice.below(100) {
            0 => {
                self.tally.crashes += 1;
                self.store.crash(changes);
                requests.into_iter().for_each(|request| self.unanswered(request));
            }
            1 => {
                self.tally.lost_replies += 1;
                self.commit(changes);
                requests.into_iter().for_each(|request| self.unanswered(request));
            }
            _ => {
                self.commit(changes);
                requests.into_iter().zip(answers).for_each(|(request, answer)| self.answered(request, answer));
            }
        }
    }

    fn count(&mut self, requests: &[Request], answers: &[Result<Answer, Refusal>]) {
        self.tally.commands += requests.len() as u64;
        for (request, answer) in requests.iter().zip(answers) {
            let tally = if answer.is_ok() { &mut self.tally.done } else { &mut self.tally.refused };
            *tally.entry(request.call.name()).or_default() += 1;
        }
    }

    fn commit(&mut self, changes: Changes) {
        changes.rows.iter().for_each(|(key, row)| self.known.note(key, row.is_some()));
        self.store.commit(changes);
    }

    fn answered(&mut self, request: Request, answer: Result<Answer, Refusal>) {
        match answer {
            Ok(Answer::Held(made)) => self.auditor.promise(made),
            Ok(Answer::Placed(place)) => self.auditor.promise_place(place),
            Ok(Answer::Jobs(jobs)) => jobs.into_iter().for_each(|job| self.perform(job)),
            Ok(Answer::Issued(made)) => self.auditor.promise_tickets(made),
            Ok(Answer::Refunded(outcomes)) => {
                if let Call::RefundTickets(command) = &request.call {
                    self.auditor.hear_of_refunds(command, &outcomes);
                }
            }
            Ok(Answer::Done) | Err(_) => {}
        }
        if let Some(call) = request.then {
            self.send(1_000, Request { call, stubborn: false, fleeting: false, then: None });
        }
    }

    /// Nobody knows whether it was done: most ask again, some go away.
    fn unanswered(&mut self, request: Request) {
        if !request.fleeting && (request.stubborn || self.dice.percent(70)) {
            self.send(5_000, request);
        }
    }

    /// Sends a request that arrives within so many milliseconds.
    fn send(&mut self, within: u32, request: Request) {
        self.sent += 1;
        let at = self.now + Span(i64::from(self.dice.below(within)) * 1_000);
        self.queue.insert((at, self.sent), request);
    }

    /// The gateway tells its news: at its leisure, in any order, sometimes twice, but surely.
    pub(crate) fn deliver(&mut self, news: ReceiveNews) {
        let copies = if self.dice.percent(20) { 2 } else { 1 };
        for _ in 0..copies {
            let within = if self.dice.percent(5) { 1_200_000 } else { 20_000 };
            self.send(within, Request { call: news.clone().into(), stubborn: true, fleeting: false, then: None });
        }
    }

    /// Performs a job, unless its performer dies before or in the middle of it: then it comes up again.
    fn perform(&mut self, job: Job) {
        if self.dice.percent(5) {
            return;
        }
        let finish = || Call::from(FinishJobs { jobs: vec![job.id] });
        let (call, then) = match job.errand {
            Errand::SandboxWebhook(payment, news) => {
                let event = format!("sandbox_{}", job.id.0);
                (ReceiveNews { event, payment, reservation: None, news }.into(), Some(finish()))
            }
            // The bank could not give it back: it says so to whoever asked.
            Errand::Refund(payment) if self.refund_fails(payment) => {
                (self.bank.say(payment, News::RefundFailed).into(), Some(finish()))
            }
            Errand::Refund(payment) => {
                if self.store.payment(payment).is_some_and(|own| own.gateway == Gateway::Stripe) {
                    let news = self.bank.refund(payment);
                    news.into_iter().for_each(|news| self.deliver(news));
                }
                (CompleteRefund { payment }.into(), Some(finish()))
            }
            Errand::CancelIntent(payment) => {
                let news = self.bank.cancel(payment);
                news.into_iter().for_each(|news| self.deliver(news));
                (finish(), None)
            }
            Errand::SweepEvent(event) if self.sweep(event) => return,
            Errand::SweepEvent(_) => (finish(), None),
            Errand::SendMessages(batch) => {
                let batch = self.store.messages().filter(|own| own.batch == batch);
                let settled = batch.map(|own| (own.id, Settled::Sent)).collect();
                (SettleMessages { settled }.into(), Some(finish()))
            }
            Errand::Remind(event, lead) => (self.remind(event, lead).into(), Some(finish())),
            Errand::DeliverWebhook(delivery) => {
                (SettleDelivery { delivery, tried: Tried::Answered(200) }.into(), Some(finish()))
            }
        };
        if !self.dice.percent(5) {
            let fleeting = matches!(&call, Call::ReceiveNews(news) if news.news == News::RefundFailed);
            self.send(2_000, Request { call, stubborn: false, fleeting, then });
        }
    }

    /// Whether the bank fails to give back what it is to give back now.
    fn refund_fails(&mut self, payment: PaymentId) -> bool {
        let asked = self.store.payment(payment).filter(|own| own.gateway == Gateway::Stripe);
        let requested = |own: &Payment| matches!(own.state, PaymentState::Succeeded { refund: Refund::Requested, .. });
        asked.is_some_and(requested) && self.bank.intent(payment) == Some(Intent::Taken) && self.dice.percent(15)
    }

    /// A message to everybody who has bought, about the event and how long before.
    fn remind(&self, event: EventId, lead: Lead) -> QueueMessages {
        let sold = self.store.reservations().filter(|own| own.event == event && own.claimed_until() == Time::FOREVER);
        let draft = |own: &Reservation| Draft {
            id: Some(MessageId(own.id.0 ^ u128::from(lead.days()))),
            channel: Channel::Email,
            recipient: "buyer@maepyo.test".to_owned(),
            content: Content::default(),
        };
        QueueMessages { advance: None, drafts: sold.map(draft).collect() }
    }

    /// Gives up every live reservation of an event; whether there were any.
    fn sweep(&mut self, event: EventId) -> bool {
        let live = self.store.reservations().filter(|own| own.event == event && own.claimed_until() > self.now);
        let live: Vec<_> = live.map(|own| own.id).collect();
        for reservation in &live {
            let call = CancelReservation { reservation: *reservation, by: Canceller::House }.into();
            self.send(2_000, Request { call, stubborn: false, fleeting: false, then: None });
        }
        !live.is_empty()
    }

    fn audit(&mut self) -> Result<(), Violation> {
        self.tally.audits += 1;
        let found = self.auditor.audit(&self.store, self.now);
        verdict(self.seed, &self.tally, found)
    }

    /// No new requests: what is under way arrives, jobs are performed, holds run out.
    fn rest(&mut self) -> Result<(), Violation> {
        for _ in 0..ROUNDS_TO_REST {
            self.now = self.now + Span::seconds(1_200);
            let jobs: Vec<JobId> = self.store.jobs().map(|job| job.id).collect();
            let pending = self.store.reservations().filter(|own| matches!(own.standing, Standing::Pending { .. }));
            let expire = pending.map(|own| Call::from(ExpireReservation { reservation: own.id }));
            let take = jobs.chunks(50).map(|jobs| take(jobs.to_vec()));
            let failed =
                |own: &&Payment| matches!(own.state, PaymentState::Succeeded { refund: Refund::Failed { .. }, .. });
            let again = self.store.payments().filter(failed).map(|own| RetryRefund { payment: own.id }.into());
            let tidy: Vec<Call> = expire.chain(take).chain(again).collect();
            if tidy.is_empty() && self.queue.is_empty() {
                break;
            }
            let mut requests = self.due(usize::MAX);
            requests.extend(tidy.into_iter().map(|call| Request {
                call,
                stubborn: false,
                fleeting: false,
                then: None,
            }));
            self.batch(requests);
            self.audit()?;
        }
        let found = self.auditor.audit_at_rest(&self.store, &self.bank, self.now);
        verdict(self.seed, &self.tally, found)
    }
}

/// Takes jobs up, each to be tried again later and later.
pub(crate) fn take(jobs: Vec<JobId>) -> Call {
    TakeJobs { jobs, lease: Span::seconds(5) }.into()
}

fn verdict(seed: u64, tally: &Tally, found: &[String]) -> Result<(), Violation> {
    match found {
        [] => Ok(()),
        _ => Err(Violation { seed, commands: tally.commands, found: found.to_vec() }),
    }
}
