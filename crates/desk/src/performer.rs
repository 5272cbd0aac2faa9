//! Jobs that go on to whoever performs them here, taken up in the transaction that made them: no time is lost in finding
//! them, and nothing is written to take them.

use std::sync::OnceLock;

use engine::command::{Command as _, Context};
use engine::id::JobId;
use engine::jobs::{Job, TakeJobs};
use engine::time::Time;
use engine::world::World;
use tokio::sync::mpsc::{self, OwnedPermit};

use crate::Desk;

/// When a job that was taken up is due again, by how often it was taken up before.
pub type RetryAt = fn(now: Time, attempts: u32) -> Time;

/// Who performs jobs in this process.
#[derive(Default)]
pub(crate) struct Performer(OnceLock<(mpsc::Sender<Job>, RetryAt)>);

impl Performer {
    /// Takes up the jobs that a batch has made, as many as there is room for. The others are due, and found later.
    pub(crate) fn take(&self, world: &mut World, cx: &mut Context) -> Vec<Taken> {
        let Some((performer, retry_at)) = self.0.get() else { return Vec::new() };
        let made = world.jobs.dirty().filter(|(_, slot)| !slot.stored).filter_map(|(_, slot)| slot.row.as_ref());
        let place = |job: &Job| Some((performer.clone().try_reserve_owned().ok()?, job.id));
        let (places, jobs): (Vec<OwnedPermit<Job>>, Vec<JobId>) = made.map_while(place).unzip();
        // All of them are there, so nothing is missing; and there is nothing to refuse.
        let Ok(taken) = (TakeJobs { jobs, retry_at: *retry_at }).decide(world, cx) else { return Vec::new() };
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
    /// The jobs that commands of this desk make from now on, taken up already: whoever asks first performs them. More
    /// than `room` of them do not wait here; the others, and those of other processes, are found by [`Desk::due_jobs`].
    ///
    /// Who asks later is given none.
    #[must_use]
    pub fn new_jobs(&self, room: usize, retry_at: RetryAt) -> mpsc::Receiver<Job> {
        let (performer, jobs) = mpsc::channel(room);
        // Where somebody was first this end is dropped, and nothing ever comes.
        let _ = self.0.shared.performer.0.set((performer, retry_at));
        jobs
    }
}
