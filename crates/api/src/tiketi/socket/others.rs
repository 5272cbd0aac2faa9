//! What servers on one database tell each other of their sockets: how many look at an event, and who has its eyes on
//! which seats. It is told a few times a second, so it costs the same however many sockets have something to say.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use desk::{NodeWord, Span, Time};
use engine::id::{EventId, UserId};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::messages::SeatsEyed;
use super::news::stopped;
use super::rooms::Room;
use crate::ids;
use crate::state::AppState;

/// How often the others are told what is new.
const PULSE: Duration = Duration::from_millis(100);
/// How often they are told every count again, in pulses.
const AGAIN: u64 = 50;
/// A count that was not told again for so long is of a server that is gone.
const GOOD_FOR: Span = Span::seconds(15);
/// The most that is told at a time of what people have their eyes on. What is beyond it stays here.
const MOST_EYED: usize = 256;

/// What the other servers have told, and what they are to be told.
#[derive(Default)]
pub struct Others(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// By server, how many of its sockets look at an event, and until when that is good.
    counts: HashMap<EventId, HashMap<i64, (usize, Time)>>,
    /// The events of which this server's count was told and was not zero.
    told: BTreeSet<EventId>,
    /// The events of which this server's count has changed.
    changed: BTreeSet<EventId>,
    /// What people here have their eyes on, since it was told last.
    eyed: BTreeMap<(EventId, UserId), Vec<String>>,
}

/// What a server tells the others.
#[derive(Default, Serialize, Deserialize)]
struct Word {
    /// It has just started and knows no counts.
    asks: bool,
    /// How many of its sockets look at an event.
    counts: Vec<(String, usize)>,
    eyed: Vec<SeatsEyed>,
}

impl Others {
    /// Notes that another number of sockets looks at an event.
    pub fn counted_anew(&self, event: EventId) {
        self.0.lock().changed.insert(event);
    }

    /// Notes what somebody has its eyes on, in the place of what it had before.
    pub fn eyed(&self, event: EventId, user: UserId, seats: &[String]) {
        let mut known = self.0.lock();
        if known.eyed.len() < MOST_EYED || known.eyed.contains_key(&(event, user)) {
            known.eyed.insert((event, user), seats.to_vec());
        }
    }

    /// How many sockets of other servers look at an event.
    pub fn looking(&self, event: EventId, now: Time) -> usize {
        let known = self.0.lock();
        let counts = known.counts.get(&event).into_iter().flatten();
        counts.filter(|(_, (_, until))| *until > now).map(|(_, (count, _))| count).sum()
    }

    /// What is to be told now; `None` where it is nothing.
    fn word(&self, count: impl Fn(EventId) -> usize) -> Option<Word> {
        let (changed, eyed) = {
            let mut known = self.0.lock();
            (std::mem::take(&mut known.changed), std::mem::take(&mut known.eyed))
        };
        let counts: Vec<(EventId, usize)> = changed.into_iter().map(|event| (event, count(event))).collect();
        let mut known = self.0.lock();
        for (event, count) in &counts {
            if *count > 0 {
                known.told.insert(*event)
            } else {
                known.told.remove(event)
            };
        }
        let counts: Vec<_> = counts.into_iter().map(|(event, count)| (ids::uuid(event.0), count)).collect();
        let eyed: Vec<_> = eyed.into_iter().map(|((event, user), seats)| SeatsEyed::new(event, user, seats)).collect();
        (!counts.is_empty() || !eyed.is_empty()).then_some(Word { asks: false, counts, eyed })
    }

    /// Has every count told again.
    fn tell_all(&self) {
        let known = &mut *self.0.lock();
        known.changed.extend(&known.told);
    }

    /// Takes another server's counts. Gives the events of which that changes anything.
    fn take(&self, node: i64, counts: &[(String, usize)], now: Time) -> Vec<EventId> {
        let known = &mut self.0.lock().counts;
        let mut changed = Vec::new();
        for (event, count) in counts {
            let Some(event) = ids::parse_event(event) else { continue };
            let before = known.entry(event).or_default().insert(node, (*count, now + GOOD_FOR));
            if before.map_or(0, |(count, _)| count) != *count {
                changed.push(event);
            }
        }
        changed
    }

    /// Forgets the counts that are no good any more. Gives the events of which that changes anything.
    pub fn forget(&self, now: Time) -> Vec<EventId> {
        let mut changed = Vec::new();
        self.0.lock().counts.retain(|event, counts| {
            let before = counts.len();
            counts.retain(|_, (count, until)| *count > 0 && *until > now);
            if counts.len() < before {
                changed.push(*event);
            }
            !counts.is_empty()
        });
        changed
    }
}

/// Tells the other servers what is new here, where there may be any, until `stop` turns true.
pub async fn speak(state: &AppState, mut stop: watch::Receiver<bool>) {
    if !state.desk.is_shared() {
        return;
    }
    let mut pulse = tokio::time::interval(PULSE);
    pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
    say(state, &Word { asks: true, ..Word::default() }).await;
    let (others, mut beat) = (&state.sockets.others, 0_u64);
    loop {
        tokio::select! {
            () = stopped(&mut stop) => break,
            _ = pulse.tick() => beat += 1,
        }
        if beat.is_multiple_of(AGAIN) {
            others.tell_all();
        }
        if let Some(word) = others.word(|event| state.sockets.members(Room::Event(event)).len()) {
            say(state, &word).await;
        }
    }
    others.tell_all();
    if let Some(word) = others.word(|_| 0) {
        say(state, &word).await;
    }
}

async fn say(state: &AppState, word: &Word) {
    let told = match serde_json::to_string(word) {
        Ok(body) => state.desk.tell_nodes(&body).await.map_err(|stopped| stopped.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = told {
        tracing::warn!(error, "the other servers could not be told of the sockets here");
    }
}

/// Takes what another server told.
pub fn hear(state: &AppState, heard: &NodeWord) {
    let Ok(word) = serde_json::from_str::<Word>(&heard.body) else { return };
    let (sockets, now) = (&state.sockets, state.desk.now());
    if word.asks {
        sockets.others.tell_all();
    }
    for event in sockets.others.take(heard.node, &word.counts, now) {
        sockets.notices.counted_anew(Room::Event(event));
    }
    for eyed in word.eyed {
        if let Some(event) = ids::parse_event(&eyed.event_id) {
            sockets.tell(Room::Seats(event), "seat-update", &eyed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOW: EventId = EventId(1 << 20);
    const NOW: Time = Time(1_000_000);

    fn counts(count: usize) -> Vec<(String, usize)> {
        vec![(ids::uuid(SHOW.0), count)]
    }

    #[test]
    fn the_counts_of_other_servers_add_up_until_they_are_gone() {
        let others = Others::default();
        assert_eq!(others.take(1, &counts(3), NOW), [SHOW]);
        assert_eq!(others.take(2, &counts(4), NOW), [SHOW]);
        assert!(others.take(2, &counts(4), NOW + Span::seconds(10)).is_empty(), "told again, it is no news");
        assert_eq!(others.looking(SHOW, NOW), 7);
        assert_eq!(others.forget(NOW + GOOD_FOR), [SHOW]);
        assert_eq!(others.looking(SHOW, NOW + GOOD_FOR), 4, "the first has not said so again");
        assert_eq!(others.take(2, &counts(0), NOW), [SHOW]);
        assert_eq!(others.looking(SHOW, NOW), 0);
        others.forget(NOW);
        assert!(others.0.lock().counts.is_empty(), "nothing is kept of it");
    }

    #[test]
    fn what_is_new_is_told_once_and_counts_again_when_they_are_asked_for() {
        let others = Others::default();
        others.counted_anew(SHOW);
        others.eyed(SHOW, UserId(1), &["A-1".to_owned()]);
        others.eyed(SHOW, UserId(1), &["A-2".to_owned()]);
        let word = others.word(|_| 2).expect("there is something");
        assert_eq!((word.counts, word.eyed.len()), (counts(2), 1));
        assert_eq!(word.eyed[0].seats, ["A-2"]);
        assert!(others.word(|_| 2).is_none());
        others.tell_all();
        assert_eq!(others.word(|_| 0).expect("the count").counts, counts(0));
        others.tell_all();
        assert!(others.word(|_| 0).is_none(), "nobody is here any more");
    }

    #[test]
    fn of_what_people_have_their_eyes_on_only_so_much_is_told() {
        let others = Others::default();
        (0..1_000).for_each(|user| others.eyed(SHOW, UserId(user), &[]));
        assert_eq!(others.word(|_| 0).expect("there is something").eyed.len(), MOST_EYED);
    }
}
