//! Many at one movie ticket, on the store under test.

#[expect(dead_code, reason = "no event and nobody is needed here")]
mod stores;

use std::collections::BTreeSet;
use std::sync::Arc;

use desk::{Answer, Desk, MovieTicketQuery, Once};
use engine::command::{Command, Context, Decision, Verdict};
use engine::id::MovieTicketId;
use engine::money::Won;
use engine::movie::{IssueTickets, MovieStanding, MovieTicket, RefundOutcome, RefundTickets};
use engine::refusal::Refusal;
use engine::world::{Key, Row, World};
use futures_util::future::join_all;
use stores::Store;
use tokio::sync::Barrier;

const MANY: usize = 30;

fn issue(title: &str, quantity: u32) -> IssueTickets {
    IssueTickets {
        theater: "극장".to_owned(),
        title: title.to_owned(),
        price: Won(15_000),
        quantity,
        holder: "anonymous".to_owned(),
        memo: None,
    }
}

async fn how_many(desk: &Desk, title: &str) -> i64 {
    let query = MovieTicketQuery { title: Some(title.to_owned()), limit: 1, ..MovieTicketQuery::default() };
    desk.movie_tickets(query).await.expect("a list").1
}

/// Issues five tickets thirty times at once, the n-th under the n-th key.
async fn storm(desk: &Desk, title: &str, key: impl Fn(usize) -> Option<String>) -> Vec<Answer> {
    let render = |made: Result<&Vec<MovieTicketId>, &Refusal>| {
        let ids = made.expect("nothing forbids it").iter().flat_map(|id| id.0.to_be_bytes());
        Answer { status: 201, body: ids.collect(), replayed: false }
    };
    let send = |n| {
        let (desk, command) = (desk.clone(), issue(title, 5));
        let once = key(n).map(|key| Once { key, request: [1; 32] });
        tokio::spawn(async move { desk.run_once(command, once, Box::new(render)).await.expect("an answer") })
    };
    let tasks: Vec<_> = (0..MANY).map(send).collect();
    join_all(tasks).await.into_iter().map(|joined| joined.expect("a task does not panic")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_issues_once_however_often_it_is_sent_at_once() {
    let store = Store::fresh().await;
    let desk = store.desk(4).await;
    let answers = storm(&desk, "once", |_| Some("one key".to_owned())).await;
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert!(answers.iter().all(|answer| answer.body == answers[0].body && answer.body.len() == 5 * 16));
    assert_eq!(how_many(&desk, "once").await, 5);
}

/// The storm can tell: with nothing to hold them together, all thirty happen.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_or_with_its_own_each_of_them_issues() {
    let store = Store::fresh().await;
    let desk = store.desk(4).await;
    for (title, keyed) in [("no key", false), ("own keys", true)] {
        let answers = storm(&desk, title, |n| keyed.then(|| format!("key {n}"))).await;
        let different: BTreeSet<_> = answers.into_iter().map(|answer| answer.body).collect();
        assert_eq!(different.len(), MANY);
        assert_eq!(how_many(&desk, title).await, 5 * 30);
    }
}

/// Thirty refunds of each ticket at once, some of several tickets in different orders.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_refunds_of_a_ticket_one_says_that_it_did_it() {
    let store = Store::fresh().await;
    let desk = store.desk(4).await;
    let tickets = desk.run(issue("refunds", 10)).await.expect("it is issued");
    let refund = |n: usize| {
        let (desk, mut tickets) = (desk.clone(), tickets.clone());
        tickets.rotate_left(n % 10);
        let reason = Some(format!("reason {n}"));
        tokio::spawn(async move {
            let outcomes = desk.run(RefundTickets { tickets: tickets.clone(), reason }).await.expect("it runs");
            let own = tickets.into_iter().zip(outcomes);
            own.filter(|(_, outcome)| *outcome == RefundOutcome::Refunded).map(|(id, _)| id).collect::<Vec<_>>()
        })
    };
    let tasks: Vec<_> = (0..MANY).map(refund).collect();
    let told = join_all(tasks).await.into_iter().flat_map(|joined| joined.expect("a task does not panic"));
    let mut told: Vec<MovieTicketId> = told.collect();
    told.sort_unstable();
    let mut all = tickets.clone();
    all.sort_unstable();
    assert_eq!(told, all, "each was refunded by exactly one");
    let canceled = MovieTicketQuery { status: Some("canceled"), limit: 100, ..MovieTicketQuery::default() };
    assert_eq!(desk.movie_tickets(canceled).await.expect("a list").1, 10);
    let report = desk.check(10).await.expect("the audit runs");
    assert!(report.checks.iter().all(|(_, _, broken)| broken.is_empty()), "{report:?}");
}

/// A refund that trusts what its caller saw before: what the rule is there to prevent.
struct CancelUnseen(MovieTicket);

impl Command for CancelUnseen {
    type Reply = ();
    const NAME: &'static str = "CancelUnseen";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<()> {
        world.need([Key::MovieTicket(self.0.id)])?;
        let standing = MovieStanding::Canceled { at: cx.now, reason: None };
        Ok(Decision::new(()).put(Row::MovieTicket(MovieTicket { standing, ..self.0.clone() })))
    }
}

/// The storm can tell: looking first and canceling then has every one of them say that it did it.
#[tokio::test(flavor = "multi_thread")]
async fn looking_before_the_transaction_refunds_a_ticket_many_times() {
    let store = Store::fresh().await;
    let desk = store.desk(4).await;
    let id = desk.run(issue("naive", 1)).await.expect("it is issued")[0];
    let together = Arc::new(Barrier::new(MANY));
    let refund = |_| {
        let (desk, together) = (desk.clone(), together.clone());
        tokio::spawn(async move {
            let seen = desk.movie_ticket(id).await.expect("a read").expect("it is there");
            together.wait().await;
            let good = seen.standing == MovieStanding::Issued;
            if good {
                desk.run(CancelUnseen(seen)).await.expect("it runs");
            }
            good
        })
    };
    let tasks: Vec<_> = (0..MANY).map(refund).collect();
    let told = join_all(tasks).await.into_iter().filter(|joined| matches!(joined, Ok(true))).count();
    assert!(told > 1, "{told} said so");
}

/// Pages and their total are of one moment: while tickets are issued by the ten, no total is anything else.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_and_its_total_are_of_one_moment() {
    let store = Store::fresh().await;
    let desk = store.desk(4).await;
    let writer = desk.clone();
    let writing = tokio::spawn(async move {
        for _ in 0..60 {
            writer.run(issue("pages", 10)).await.expect("it is issued");
        }
    });
    let mut looks = 0;
    while !writing.is_finished() || looks == 0 {
        let query = MovieTicketQuery { title: Some("pages".to_owned()), limit: 1_000, ..MovieTicketQuery::default() };
        let (page, total) = desk.movie_tickets(query).await.expect("a list");
        assert_eq!((page.len() as i64, total % 10), (total, 0));
        let place = |ticket: &MovieTicket| (ticket.issued_at, ticket.id);
        assert!(page.windows(2).all(|pair| place(&pair[0]) > place(&pair[1])), "newest first, then by id");
        looks += 1;
    }
    writing.await.expect("a task does not panic");
    assert_eq!(how_many(&desk, "pages").await, 600);
}
