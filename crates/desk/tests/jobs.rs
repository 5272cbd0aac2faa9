//! Who performs the jobs that commands make, on the store under test: SQLite, or PostgreSQL where
//! `MAEPYO_TEST_DATABASE_URL` names one.

mod stores;

use desk::Desk;
use engine::catalogue::Event;
use engine::holds::HoldSeats;
use engine::id::JobId;
use engine::jobs::{Duty, Errand, FinishJobs, TakeJobs};
use engine::payments::{CancelPayment, Gateway, OpenPayment};
use engine::time::Span;
use stores::{Store, event, rules, user};

const LEASE: Span = Span::seconds(600);

/// Opens a payment and calls it off, which the gateway is to be told.
async fn make_job(desk: &Desk, event: &Event, buyer: engine::id::UserId, seat: u32) {
    let seats = vec![seat];
    let hold =
        HoldSeats { user: buyer, event: event.id, seats, items: Vec::new(), stated_total: None, rules: rules(600) };
    let own = desk.run(hold).await.expect("it is free").remove(0);
    let (gateway, client_secret) = (Gateway::Sandbox, None);
    let open = OpenPayment { user: buyer, reservation: own.id, amount: own.total, gateway, client_secret };
    let payment = desk.run(open).await.expect("it is held").id;
    desk.run(CancelPayment { user: Some(buyer), payment }).await.expect("it is open");
}

async fn due(desk: &Desk) -> Vec<JobId> {
    desk.due_jobs(Duty::Till, 10).await.expect("reads")
}

#[tokio::test(flavor = "multi_thread")]
async fn new_jobs_go_to_who_performs_them_here_and_what_has_no_room_is_found() {
    let store = Store::fresh().await;
    let desk = store.desk(64).await;
    let event = event(&desk, 100, 0).await;
    let buyer = user(&desk, "buyer@example.com").await;
    make_job(&desk, &event, buyer, 0).await;
    let before = due(&desk).await;
    assert_eq!(before.len(), 1, "nobody performs here yet");

    let mut jobs = desk.new_jobs(Duty::Till, 2, LEASE);
    for seat in 1..4 {
        make_job(&desk, &event, buyer, seat).await;
    }
    let mut taken = Vec::new();
    assert_eq!(jobs.recv_many(&mut taken, 10).await, 2, "there is room for two");
    assert!(taken.iter().all(|job| matches!(job.errand, Errand::CancelIntent(_)) && job.attempts == 1));
    assert!(taken.iter().all(|job| job.run_at == job.created_at + LEASE), "nobody else takes them meanwhile");
    for other in [Duty::Mail, Duty::Webhooks] {
        let mut jobs = desk.new_jobs(other, 2, LEASE);
        assert!(jobs.try_recv().is_err() && desk.due_jobs(other, 10).await.expect("reads").is_empty(), "{other:?}");
    }
    let left = due(&desk).await;
    assert_eq!(left.len(), 2, "the one from before, and the one that had no room");
    assert!(left.contains(&before[0]) && taken.iter().all(|job| !left.contains(&job.id)));

    let found = desk.run(TakeJobs { jobs: left, lease: LEASE }).await.expect("they are due");
    let all: Vec<JobId> = found.iter().chain(&taken).map(|job| job.id).collect();
    desk.run(FinishJobs { jobs: all.clone() }).await.expect("they are done");
    desk.run(FinishJobs { jobs: all }).await.expect("that they are gone does not matter");
    assert_eq!(desk.gauges().await.expect("reads").jobs, 0);
    assert_eq!(desk.new_jobs(Duty::Till, 2, LEASE).recv().await.map(|job| job.id), None, "one performs");
    desk.close().await;
}
