use crate::catalogue::EventStatus;
use crate::command::{Command, Context, Decision, Verdict};
use crate::id::EventId;
use crate::jobs::{Errand, Job};
use crate::time::{Span, Time};
use crate::world::{Key, Row, World};

/// How long before its start people are reminded of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lead {
    /// Seven days.
    Week,
    /// One day.
    Day,
}

impl Lead {
    /// Every one, the longest first.
    pub const ALL: [Self; 2] = [Self::Week, Self::Day];

    /// In days.
    #[must_use]
    pub fn days(self) -> u32 {
        match self {
            Self::Week => 7,
            Self::Day => 1,
        }
    }

    /// The lead of so many days.
    #[must_use]
    pub fn of_days(days: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|lead| lead.days() == days)
    }

    /// The starts of which people are reminded at `now`: after the first moment, up to the second. Once the next
    /// reminder is due, or the event has begun, this one comes too late and is left out.
    #[must_use]
    pub fn starts(self, now: Time) -> (Time, Time) {
        let ahead = |days: u32| now + Span::seconds(i64::from(days) * 24 * 3_600);
        match self {
            Self::Week => (ahead(Self::Day.days()), ahead(self.days())),
            Self::Day => (now, ahead(self.days())),
        }
    }

    /// Whether people are reminded at `now` of what starts then.
    #[must_use]
    pub fn is_due(self, starts_at: Time, now: Time) -> bool {
        let (after, up_to) = self.starts(now);
        after < starts_at && starts_at <= up_to
    }
}

/// Notes that a reminder was called for. One of another start is another reminder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reminder {
    /// The event, and how long before.
    pub of: (EventId, Lead),
    /// The start that people are reminded of.
    pub starts_at: Time,
}

/// Has people reminded of an event, if a reminder is due and was not called for yet: a job writes to all who have
/// bought. Gives whether it called for one.
#[derive(Debug, Clone)]
pub struct CallReminder {
    /// The event.
    pub event: EventId,
    /// How long before its start.
    pub lead: Lead,
}

impl Command for CallReminder {
    type Reply = bool;
    const NAME: &'static str = "CallReminder";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<bool> {
        let of = (self.event, self.lead);
        world.need([Key::Event(self.event), Key::Reminder(of)])?;
        let event = world.events.get(&self.event).filter(|event| event.status == EventStatus::Published);
        let due = event.map(|event| event.billing.starts_at).filter(|start| self.lead.is_due(*start, cx.now));
        let called = world.reminders.get(&of).map(|reminder| reminder.starts_at);
        let Some(starts_at) = due.filter(|start| Some(*start) != called) else { return Ok(Decision::new(false)) };
        let job = Job::new(cx, Errand::Remind(self.event, self.lead));
        Ok(Decision::new(true).put(Row::Reminder(Reminder { of, starts_at })).put(Row::Job(job)))
    }
}
