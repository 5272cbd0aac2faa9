//! Telling others: reminders by the moment, messages once, and what is told to webhooks in turn.

mod stage;

use engine::catalogue::{Editor, UpdateEvent};
use engine::id::{DeliveryId, EventId, MessageId, WebhookId};
use engine::jobs::{Errand, FinishJobs, Job};
use engine::messages::{
    BATCH, CallReminder, Channel, Content, Draft, Lead, MessageState, QueueMessages, SettleMessages, Settled,
};
use engine::people::Role;
use engine::refusal::Refusal;
use engine::stream::{Advance, AdvanceCursor, LeaseCursor};
use engine::time::{Span, Time};
use engine::webhooks::{
    CreateWebhook, DeleteWebhook, DeliveryState, Kind, NewDelivery, QueueDeliveries, ReplayDelivery, SettleDelivery,
    Tried,
};
use stage::Stage;

const DAY: Span = Span::seconds(24 * 3_600);

fn before(start: Time, days: i64, seconds: i64) -> Time {
    Time(start.0 - days * DAY.0 - seconds * 1_000_000)
}

fn start(stage: &Stage) -> Time {
    stage.store.event(stage.event).expect("it is there").billing.starts_at
}

/// Calls for both reminders at a moment; gives which were called for.
fn remind_at(stage: &mut Stage, now: Time) -> Vec<Lead> {
    stage.now = now;
    let event = stage.event;
    Lead::ALL.into_iter().filter(|lead| stage.done(&CallReminder { event, lead: *lead })).collect()
}

#[test]
fn each_reminder_is_called_for_once_and_in_its_time() {
    let mut stage = Stage::with(true, in_thirty_days());
    let start = start(&stage);
    for (now, called) in [
        (before(start, 7, 1), vec![]),
        (before(start, 7, 0), vec![Lead::Week]),
        (before(start, 7, 0), vec![]),
        (before(start, 1, 1), vec![]),
        (before(start, 1, 0), vec![Lead::Day]),
        (before(start, 0, 1), vec![]),
        (start, vec![]),
    ] {
        assert_eq!(remind_at(&mut stage, now), called, "{now:?}");
    }
    let errands: Vec<Errand> = stage.store.jobs().map(|job| job.errand.clone()).collect();
    assert_eq!(errands, [Errand::Remind(stage.event, Lead::Week), Errand::Remind(stage.event, Lead::Day)]);
}

#[test]
fn a_reminder_that_comes_too_late_is_left_out() {
    let mut stage = Stage::with(true, in_thirty_days());
    let start = start(&stage);
    assert_eq!(remind_at(&mut stage, before(start, 1, 0)), [Lead::Day]);
    let mut stage = Stage::with(true, in_thirty_days());
    assert_eq!(remind_at(&mut stage, start), []);
}

#[test]
fn a_postponed_event_is_reminded_of_again() {
    let mut stage = Stage::with(true, in_thirty_days());
    let first = start(&stage);
    assert_eq!(remind_at(&mut stage, before(first, 6, 0)), [Lead::Week]);
    let event = stage.store.event(stage.event).expect("it is there").clone();
    let mut billing = event.billing.clone();
    (billing.starts_at, billing.ends_at) = (first + Span(10 * DAY.0), first + Span(11 * DAY.0));
    stage.done(&UpdateEvent { editor: stage.organizer, event: event.id, version: event.version, billing, offer: None });
    assert_eq!(remind_at(&mut stage, before(first, 5, 0)), []);
    assert_eq!(remind_at(&mut stage, before(first + Span(10 * DAY.0), 6, 0)), [Lead::Week]);
}

#[test]
fn nobody_is_reminded_of_a_draft_or_a_cancelled_event() {
    let mut stage = Stage::with(false, in_thirty_days());
    let start = start(&stage);
    assert_eq!(remind_at(&mut stage, before(start, 3, 0)), []);
    let mut stage = Stage::with(true, in_thirty_days());
    stage.done(&engine::catalogue::CancelEvent { editor: stage.organizer, event: stage.event });
    assert_eq!(remind_at(&mut stage, before(start, 3, 0)), []);
}

fn in_thirty_days() -> engine::catalogue::Billing {
    let mut billing = stage::billing();
    billing.starts_at = Time::from_millis(1_700_000_000_000) + Span(30 * DAY.0);
    billing.ends_at = billing.starts_at + DAY;
    billing
}

fn draft(id: u128) -> Draft {
    let content = Content { subject: "S".to_owned(), text: "T".to_owned(), html: None };
    Draft { id: Some(MessageId(id)), channel: Channel::Email, recipient: "a@example.com".to_owned(), content }
}

#[test]
fn a_message_is_queued_once_however_often_it_is_called_for() {
    let mut stage = Stage::new();
    let queue = |drafts| QueueMessages { advance: None, drafts };
    assert!(stage.done(&queue(vec![draft(1), draft(2), draft(1)])));
    assert!(stage.done(&queue(vec![draft(2), draft(3)])));
    // A job for those that were queued together.
    assert_eq!((stage.store.messages().count(), stage.store.jobs().count()), (3, 2));
    let nameless = Draft { id: None, ..draft(0) };
    assert!(stage.done(&queue(vec![nameless.clone(), nameless])));
    assert_eq!(stage.store.messages().count(), 5);
}

#[test]
fn many_messages_are_sent_in_batches_each_with_a_job_of_its_own() {
    let mut stage = Stage::new();
    let drafts = (1..=BATCH as u128 + 1).map(draft).collect();
    assert!(stage.done(&QueueMessages { advance: None, drafts }));
    let batch = |job: &Job| match job.errand {
        Errand::SendMessages(batch) => batch,
        ref other => panic!("{other:?}"),
    };
    let sizes = stage.store.jobs().map(batch).map(|id| stage.store.messages().filter(|own| own.batch == id).count());
    let mut sizes: Vec<usize> = sizes.collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, BATCH]);
}

#[test]
fn sending_is_tried_for_three_days_and_a_refusal_ends_it() {
    let mut stage = Stage::new();
    stage.done(&QueueMessages { advance: None, drafts: vec![draft(1), draft(2), draft(3)] });
    let id = MessageId;
    let settle = |stage: &mut Stage, settled: &[(u128, Settled)]| {
        stage.done(&SettleMessages { settled: settled.iter().map(|(of, how)| (id(*of), how.clone())).collect() })
    };
    let failed = || Settled::Failed("no answer".to_owned());
    let refused = || Settled::Refused("no such box".to_owned());
    assert_eq!(settle(&mut stage, &[(1, failed()), (2, refused()), (3, failed())]), [id(1), id(3)]);
    assert_eq!(settle(&mut stage, &[(1, Settled::Sent)]), []);
    stage.now = stage.now + Span(3 * DAY.0 - 1);
    assert_eq!(settle(&mut stage, &[(3, failed())]), [id(3)]);
    stage.now = stage.now + Span(1);
    assert_eq!(settle(&mut stage, &[(3, failed())]), []);
    // What is settled stays so.
    assert_eq!(settle(&mut stage, &[(1, failed()), (2, Settled::Sent)]), []);
    assert_eq!(stage.store.message(id(1)).expect("it is there").content, Content::default());
    let state = |id| stage.store.message(MessageId(id)).expect("it is there").state.clone();
    assert!(matches!(state(1), MessageState::Sent { .. }));
    assert!(matches!(state(2), MessageState::Failed { why, .. } if why == "no such box"));
    assert!(matches!(state(3), MessageState::Failed { why, .. } if why == "no answer"));
}

fn lease(stage: &mut Stage, holder: u64) -> Option<u64> {
    stage.done(&LeaseCursor { name: "c".to_owned(), holder, span: Span::seconds(10) })
}

fn advance(holder: u64, from: u64, to: u64) -> Advance {
    Advance { name: "c".to_owned(), holder, from, to }
}

#[test]
fn a_cursor_is_one_nodes_until_its_lease_is_over_and_moves_only_from_where_it_is() {
    let mut stage = Stage::new();
    assert_eq!((lease(&mut stage, 1), lease(&mut stage, 2)), (Some(0), None));
    assert!(!stage.done(&AdvanceCursor(advance(2, 0, 5))), "another node's");
    assert!(stage.done(&AdvanceCursor(advance(1, 0, 5))));
    assert!(!stage.done(&AdvanceCursor(advance(1, 0, 5))), "it is not there any more");
    stage.now = stage.now + Span::seconds(6);
    assert_eq!((lease(&mut stage, 1), lease(&mut stage, 2)), (Some(5), None), "renewed");
    stage.now = stage.now + Span::seconds(10);
    assert_eq!((lease(&mut stage, 2), lease(&mut stage, 1)), (Some(5), None));
    let late = QueueMessages { advance: Some(advance(1, 5, 6)), drafts: vec![draft(1)] };
    assert!(!stage.done(&late), "who lost the cursor does nothing");
    assert_eq!(stage.store.messages().count(), 0);
}

struct Told {
    stage: Stage,
    webhook: WebhookId,
}

impl Told {
    fn new() -> Self {
        let mut stage = Stage::new();
        let create = CreateWebhook {
            editor: stage.organizer,
            url: "https://example.com".to_owned(),
            kinds: Kind::ALL.to_vec(),
            secret: "s".to_owned(),
        };
        let webhook = stage.done(&create).id;
        lease(&mut stage, 1);
        Self { stage, webhook }
    }

    /// Queues something of each event named, from a position on.
    fn tell(&mut self, from: u64, events: &[u128]) {
        let new = |event: &u128| NewDelivery {
            webhook: self.webhook,
            event: EventId(*event),
            kind: Kind::Created,
            body: format!("{from}"),
        };
        let new = events.iter().map(new).collect();
        assert!(self.stage.done(&QueueDeliveries { advance: advance(1, from, from + 1), new }));
    }

    /// The deliveries that may go out now, by event.
    fn due(&self) -> Vec<DeliveryId> {
        let errand = |errand: &Errand| match errand {
            Errand::DeliverWebhook(id) => Some(*id),
            _ => None,
        };
        let mut due: Vec<DeliveryId> = self.stage.store.jobs().filter_map(|job| errand(&job.errand)).collect();
        due.sort_by_key(|id| self.stage.store.delivery(*id).map(|own| own.event));
        due
    }

    /// Tries a delivery and lets go of its job where it is over.
    fn try_it(&mut self, delivery: DeliveryId, tried: Tried) -> bool {
        let jobs = self.stage.store.jobs().filter(|job| job.errand == Errand::DeliverWebhook(delivery));
        let jobs = jobs.map(|job| job.id).collect();
        let over = self.stage.done(&SettleDelivery { delivery, tried });
        if over {
            self.stage.done(&FinishJobs { jobs });
        }
        over
    }

    fn state(&self, id: DeliveryId) -> DeliveryState {
        self.stage.store.delivery(id).expect("it is there").state
    }
}

#[test]
fn what_is_told_of_one_event_goes_out_in_turn_and_events_do_not_wait_for_each_other() {
    let mut told = Told::new();
    told.tell(0, &[7, 7, 8]);
    told.tell(1, &[7]);
    let [seven, eight] = told.due()[..] else { panic!("one of each event is due: {:?}", told.due()) };
    assert!(!told.try_it(seven, Tried::Answered(500)));
    assert!(told.try_it(eight, Tried::Answered(204)));
    assert_eq!(told.due(), [seven], "the others of its event wait for it");
    let mut order = vec![seven];
    while let [due] = told.due()[..] {
        order.push(due);
        assert!(told.try_it(due, Tried::Answered(200)));
    }
    assert_eq!(order.len(), 4);
    let last = told.stage.store.delivery(order[3]).expect("it is there");
    assert_eq!((last.body.as_str(), last.attempts), ("1", 1));
    assert_eq!((told.stage.store.sequences().count(), told.due().len()), (0, 0));
    told.tell(2, &[7]);
    assert_eq!(told.due().len(), 1, "a sequence that is empty begins anew");
}

/// They are listed by their ids.
#[test]
fn what_is_told_together_is_in_order() {
    let mut told = Told::new();
    told.tell(0, &[7; 50]);
    let mut order = told.due();
    while let Some(next) = order.last().and_then(|last| told.stage.store.delivery(*last)).and_then(|own| own.next) {
        order.push(next);
    }
    assert_eq!(order.len(), 50);
    assert!(order.is_sorted());
}

#[test]
fn what_nobody_takes_is_given_up_after_three_days_and_can_be_told_again() {
    let mut told = Told::new();
    told.tell(0, &[7, 7]);
    let first = told.due()[0];
    told.stage.now = told.stage.now + Span(3 * DAY.0);
    assert!(told.try_it(first, Tried::Failed("no answer".to_owned())));
    assert!(matches!(told.state(first), DeliveryState::Failed { .. }));
    let second = told.due()[0];
    let editor = told.stage.organizer;
    let again = told.stage.done(&ReplayDelivery { editor, delivery: first }).expect("it is there");
    assert_eq!((again.attempts, again.next), (0, None));
    assert_eq!(told.due(), [second], "it waits for what was there before");
    assert!(told.try_it(second, Tried::Answered(200)));
    assert_eq!(told.due(), [first]);
    let waiting = told.stage.done(&ReplayDelivery { editor, delivery: first }).expect("it is there");
    assert!(matches!(waiting.state, DeliveryState::Waiting { .. }));
    assert_eq!(told.due(), [first], "what waits is not queued twice");
    assert!(told.try_it(first, Tried::Answered(200)));
    assert!(told.try_it(first, Tried::Answered(500)), "what is over stays so");
    assert!(matches!(told.state(first), DeliveryState::Delivered { .. }));
}

#[test]
fn a_webhook_is_its_owners_and_what_waits_for_one_that_is_gone_is_given_up() {
    let mut told = Told::new();
    told.tell(0, &[7]);
    let (webhook, delivery) = (told.webhook, told.due()[0]);
    let stranger = Editor { user: told.stage.other, role: Role::Organizer };
    let refused = told.stage.run(&DeleteWebhook { editor: stranger, webhook });
    assert_eq!(refused, Err(Refusal::NotYours));
    assert_eq!(told.stage.run(&ReplayDelivery { editor: stranger, delivery }), Err(Refusal::NotYours));
    let buyer = Editor { user: told.stage.buyer, role: Role::User };
    let create = CreateWebhook { editor: buyer, url: String::new(), kinds: Vec::new(), secret: String::new() };
    assert_eq!(told.stage.run(&create), Err(Refusal::NotYours));
    assert!(told.stage.done(&DeleteWebhook { editor: told.stage.organizer, webhook }));
    assert!(!told.stage.done(&DeleteWebhook { editor: told.stage.organizer, webhook }));
    assert!(told.try_it(delivery, Tried::Gone));
    assert!(matches!(told.state(delivery), DeliveryState::Failed { .. }));
}
