//! Jobs that go on to whoever performs them here, taken up in the transaction that made them: no time is lost in finding
//! them, and nothing is written to take them.

use std::sync::OnceLock;

use engine::command::{Command as _, Context};
use engine::id::JobId;
use engine::jobs::{Duty, Job, TakeJobs};
use engine::time::Span;
use engine::world::World;
use tokio::sync::mpsc::{self, OwnedPermit};

use crate::Desk;

/// Who performs jobs in this process, by duty.
#[derive(Default)]
pub(crate) struct Performers([OnceLock<Performer>; Duty::ALL.len()]);

struct Performer {
    jobs: mpsc::Sender<Job>,
    lease: Span,
}

impl Performers {
    /// Takes up the jobs that a batch has made, as many as there is room for. The others are due, and found later.
    pub(crate) fn take(&self, world: &mut World, cx: &mut Context) -> Vec<Taken> {
        Duty::ALL.into_iter().flat_map(|duty| self.take_of(duty, world, cx)).collect()
    }

    fn take_of(&self, duty: Duty, world: &mut World, cx: &mut Context) -> Vec<Taken> {
        let Some(Performer { jobs: performer, lease }) = self.0[duty as usize].get() else { return Vec::new() };
        let made = world.jobs.dirty().filter(|(_, slot)| !slot.stored).filter_map(|(_, slot)| slot.row.as_ref());
        let own = made.filter(|job| job.errand.duty() == duty);
        let place = |job: &Job| Some((performer.clone().try_reserve_owned().ok()?, job.id));
        let (places, jobs): (Vec<OwnedPermit<Job>>, Vec<JobId>) = own.map_while(place).unzip();
        if jobs.is_empty() {
            return Vec::new();
        }
        // All of them are there, so nothing is missing; and there is nothing to refuse.
        let Ok(taken) = (TakeJobs { jobs, lease: *lease }).decide(world, cx) else { return Vec::new() };
        world.apply(taken.changes);
        places.into_iter().zip(taken.reply).map(|(place, job)| Taken { place, job }).collect()
    }
}

/// A job that was taken up, and its place with whoever performs it, which is free again if this is dropped.
pub(crate) struct Taken {
    place: OwnedPermit<Job>,
    job: Job,
}

impl Taken {
    /// Hands it over, now that it is durable.
    pub(crate) fn hand_over(self) {
        self.place.send(self.job);
    }
}

impl Desk {
    /// The jobs of a duty that commands of this desk make from now on, taken up already for the length of a lease: whoever
    /// asks first performs them. More than `room` of them do not wait here; the others, and those of other processes, are
    /// found by [`Desk::due_jobs`].
    ///
    /// Who asks later is given none.
    #[must_use]
    pub fn new_jobs(&self, duty: Duty, room: usize, lease: Span) -> mpsc::Receiver<Job> {
        let (performer, jobs) = mpsc::channel(room);
        // Where somebody was first this end is dropped, and nothing ever comes.
        let _ = self.0.shared.performers.0[duty as usize].set(Performer { jobs: performer, lease });
        jobs
    }
}
