//! Points under many hands at once: every charge counts, everybody pays only what is their own, once, and no balance
//! goes below zero. The judge is tried on a till without guards first, which it has to find out.

use std::cell::RefCell;

use futures_util::future::join_all;
use harness::box_office::put_seats_on_sale;
use harness::client::{Client, Login};
use harness::server::{Server, check};
use harness::store::Store;
use serde_json::{Value, json};

const PEOPLE: usize = 12;
/// Reservations of each, of which the points buy some.
const SEATS: usize = 6;
const PRICE: i64 = 50_000;
const CHARGES: usize = 20;
const CHARGE: i64 = 11_000;
/// What everybody has then.
const CHARGED: i64 = CHARGES as i64 * CHARGE;
const AFFORDABLE: usize = 4;

/// Who charges and takes points.
enum Till {
    /// The real one: two dialects at one server.
    Server { client: Client, people: Vec<Login>, reservations: Vec<String> },
    /// One that looks first, and acts when others have had their turn.
    Careless { balances: RefCell<Vec<i64>>, paid: RefCell<Vec<bool>> },
}

impl Till {
    /// Adds to somebody's points, through one dialect and the other in turn.
    async fn charge(&self, person: usize, attempt: usize) {
        match self {
            Self::Server { client, people, .. } => {
                let who = &people[person];
                let (method, path, body) = match attempt % 2 {
                    0 => ("PATCH", "/points/charge", json!({"amount": CHARGE})),
                    _ => ("POST", "/api/payment/recharge", json!({"userId": who.user, "amount": CHARGE})),
                };
                let answer = client.attempt(method, path, Some(who), Some(&body)).await;
                let _ = answer.expect("the server answers").expect(200);
            }
            Self::Careless { balances, .. } => {
                let balance = balances.borrow()[person];
                tokio::task::yield_now().await;
                balances.borrow_mut()[person] = balance + CHARGE;
            }
        }
    }

    /// Whether somebody's attempt to pay a reservation succeeded.
    async fn pay(&self, person: usize, reservation: usize) -> bool {
        match self {
            Self::Server { client, people, reservations } => {
                let body = json!({"reservationIds": [reservations[reservation]]});
                let answer = client.attempt("POST", "/payment", Some(&people[person]), Some(&body)).await;
                let answer = answer.expect("the server answers");
                assert!([200, 402, 403, 409].contains(&answer.status), "{}", answer.json());
                answer.status == 200
            }
            Self::Careless { balances, paid } => {
                let may = balances.borrow()[person] >= PRICE && !paid.borrow()[reservation];
                tokio::task::yield_now().await;
                if may {
                    balances.borrow_mut()[person] -= PRICE;
                    paid.borrow_mut()[reservation] = true;
                }
                may
            }
        }
    }

    async fn balance(&self, person: usize) -> i64 {
        match self {
            Self::Server { client, people, .. } => {
                let points = client.get("/points", &people[person]).await.expect(200);
                points["points"].as_i64().expect("points are a whole number")
            }
            Self::Careless { balances, .. } => balances.borrow()[person],
        }
    }

    async fn balances(&self) -> Vec<i64> {
        join_all((0..PEOPLE).map(|person| self.balance(person))).await
    }
}

fn owner(reservation: usize) -> usize {
    reservation / SEATS
}

/// Everybody charges, all at once. Gives what went wrong.
async fn charges(till: &Till) -> Vec<String> {
    let charges = (0..PEOPLE * CHARGES).map(|attempt| till.charge(attempt % PEOPLE, attempt / PEOPLE));
    join_all(charges).await;
    let balances = till.balances().await.into_iter().enumerate();
    let missing = balances.filter(|(_, balance)| *balance != CHARGED);
    missing.map(|(person, balance)| format!("charges of {person} are missing: {balance} of {CHARGED}")).collect()
}

/// Everybody tries to pay everything, their own three times. Gives what went wrong.
async fn payments(till: &Till) -> Vec<String> {
    let attempts = (0..PEOPLE * SEATS).flat_map(|reservation| {
        let own = [owner(reservation); 2];
        (0..PEOPLE).chain(own).map(move |person| (person, reservation))
    });
    let attempts: Vec<(usize, usize)> = attempts.collect();
    let paid = join_all(attempts.iter().map(|(person, reservation)| till.pay(*person, *reservation))).await;
    let paid: Vec<(usize, usize)> =
        attempts.into_iter().zip(paid).filter(|(_, paid)| *paid).map(|(who, _)| who).collect();
    judge(&paid, &till.balances().await)
}

/// What cannot be, by who paid which reservation and what is left.
fn judge(paid: &[(usize, usize)], left: &[i64]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (person, reservation) in paid.iter().filter(|(person, reservation)| *person != owner(*reservation)) {
        wrong.push(format!("{person} paid {reservation}, which is another's"));
    }
    for reservation in 0..PEOPLE * SEATS {
        let times = paid.iter().filter(|(_, own)| *own == reservation).count();
        if times > 1 {
            wrong.push(format!("{reservation} was paid {times} times"));
        }
    }
    for (person, left) in left.iter().enumerate() {
        let bought = paid.iter().filter(|(who, _)| *who == person).count();
        if *left < 0 {
            wrong.push(format!("{person} has {left}, which is below zero"));
        }
        if bought != AFFORDABLE || *left != CHARGED - bought as i64 * PRICE {
            wrong.push(format!("{person} bought {bought} and has {left}"));
        }
    }
    wrong
}

#[tokio::test]
async fn a_careless_till_is_found_out() {
    let till = |has: i64| Till::Careless {
        balances: RefCell::new(vec![has; PEOPLE]),
        paid: RefCell::new(vec![false; PEOPLE * SEATS]),
    };
    let wrong = [charges(&till(0)).await, payments(&till(CHARGED)).await].concat().join("\n");
    for complaint in ["are missing", "another's", "times", "below zero"] {
        assert!(wrong.contains(complaint), "nobody noticed: {complaint}\n{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_charge_counts_and_everybody_pays_their_own_once() {
    let store = Store::fresh().await;
    let server = Server::start_with(&store, &[("MAEPYO_SAIL_INSIDE", "100"), ("MAEPYO_LOG_LEVEL", "warn")]).await;
    let client = server.client().clone();
    let admin = client.admin().await;
    let event = put_seats_on_sale(&client, &admin, PEOPLE, SEATS).await;
    let people = client.register_many("payer", PEOPLE).await;
    let seats = list(&client, &admin, &format!("/reservation/{}/seats?limit=200", event.id), "seats").await;
    let mut reservations = Vec::new();
    for (person, seats) in people.iter().zip(seats.chunks(SEATS)) {
        let _ = client.get(&format!("/concerts/{}/queue-entry", event.id), person).await.expect(201);
        let seats: Vec<&Value> = seats.iter().map(|seat| &seat["id"]).collect();
        let wish = json!({"concertId": event.id, "seatIds": seats});
        let made = client.post("/reservation/seat", person, wish).await.expect(201);
        let made = made["reservations"].as_array().expect("a list").clone();
        reservations.extend(made.iter().map(|own| own["id"].as_str().expect("an id").to_owned()));
    }
    let till = Till::Server { client: client.clone(), people: people.clone(), reservations };
    let wrong = [charges(&till).await, payments(&till).await].concat();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for person in &people {
        let own = list(&client, person, "/reservation", "reservations").await;
        let confirmed = own.iter().filter(|own| own["status"] == "CONFIRMED").count();
        assert_eq!(confirmed, AFFORDABLE);
    }
    check(&store).expect("the store is in order");
}

async fn list(client: &Client, who: &Login, path: &str, name: &str) -> Vec<Value> {
    client.get(path, who).await.expect(200)[name].as_array().expect("a list").clone()
}
