//! The engine against a model so plain that it is seen to be right: a list of reservations, and everything
//! else counted from it. Whatever people do, in whatever order and at whatever time, both answer the same.

mod stage;

use engine::holds::{
    CancelReservation, Canceller, ExpireReservation, HoldRules, HoldSeats, Standing, Tender as PaidBy,
};
use engine::id::{PaymentId, ReservationId, UserId};
use engine::money::Won;
use engine::payments::{
    CancelPayment, ChargeSandbox, ConfirmReservation, Gateway, News, OpenPayment, PaymentState, ReceiveNews, Refund,
    RetryRefund, SandboxOutcome, Settlement,
};
use engine::refusal::Refusal;
use engine::tickets::Admit;
use engine::time::{Span, Time};
use engine::wallet::{PayFromWallet, TopUp};
use proptest::prelude::*;
use stage::{Stage, WALLET, billing};

const SEATS: [u32; 3] = [0, 1, 2];
const SEAT: i64 = 10_000;
const TICKETS: u32 = 5;
const TICKET: i64 = 5_000;
const MOST: u32 = 4;
const LIMIT: u32 = 5;

/// What somebody does; people, reservations and payments by number.
#[derive(Debug, Clone)]
enum Step {
    Wait(i64),
    Hold { user: usize, seats: Vec<u32>, tickets: u32, span: i64 },
    Open { user: usize, reservation: usize },
    Charge { payment: usize, outcome: SandboxOutcome },
    CancelPayment { payment: usize },
    Succeeded { payment: usize },
    Refunded { payment: usize },
    RefundFailed { payment: usize },
    RetryRefund { payment: usize },
    Confirm { reservation: usize, payment: usize },
    Wallet { user: usize, reservation: usize },
    Cancel { by: Option<usize>, reservation: usize },
    Expire { reservation: usize },
    Admit { reservation: usize },
    TopUp { user: usize, amount: i64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Held,
    Sold { by: Tender, used: bool },
    GivenUp { back: i64 },
    Expired,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tender {
    Card(usize),
    Wallet,
}

#[derive(Debug, Clone)]
struct Own {
    user: usize,
    seats: Vec<u32>,
    tickets: u32,
    until: Time,
    state: State,
    payment: Option<usize>,
}

impl Own {
    fn price(&self) -> i64 {
        self.seats.len() as i64 * SEAT + i64::from(self.tickets) * TICKET
    }

    fn count(&self) -> u32 {
        self.seats.len() as u32 + self.tickets
    }

    fn live(&self, now: Time) -> bool {
        self.state == State::Held && self.until > now || matches!(self.state, State::Sold { .. })
    }

    fn held(&self, now: Time) -> Result<(), Refusal> {
        match self.state {
            State::Held if self.until > now => Ok(()),
            State::Held | State::Expired => Err(Refusal::ReservationLapsed),
            State::Sold { .. } => Err(Refusal::ReservationPaid),
            State::GivenUp { .. } => Err(Refusal::ReservationCancelled),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Card {
    Open,
    Challenged,
    Taken,
    Returning,
    Stuck,
    Returned,
    Canceled,
}

struct Model {
    now: Time,
    own: Vec<Own>,
    cards: Vec<(usize, Card)>,
    wallets: [i64; 2],
}

impl Model {
    fn others(&self, but: usize) -> impl Iterator<Item = &Own> {
        let all = self.own.iter().enumerate();
        all.filter(move |(number, own)| *number != but && own.live(self.now)).map(|(_, own)| own)
    }

    /// Why the rest of the world leaves no room for this, if it does not.
    fn room(&self, seats: &[u32], tickets: u32, but: usize) -> Result<(), Refusal> {
        for seat in seats {
            if self.others(but).any(|own| own.seats.contains(seat)) {
                return Err(Refusal::SeatTaken { label: format!("A-1-{}", seat + 1) });
            }
        }
        let left = TICKETS - self.others(but).map(|own| own.tickets).sum::<u32>();
        if tickets > left { Err(Refusal::StockShort { left }) } else { Ok(()) }
    }

    fn hold(&mut self, user: usize, seats: &[u32], tickets: u32, span: i64) -> Result<(), Refusal> {
        let own = Own {
            user,
            seats: seats.to_vec(),
            tickets,
            until: self.now + Span::seconds(span),
            state: State::Held,
            payment: None,
        };
        if own.count() == 0 {
            return Err(Refusal::NothingWanted);
        }
        if own.count() > MOST {
            return Err(Refusal::TooMany { limit: MOST });
        }
        if self.has(user) + own.count() > LIMIT {
            return Err(Refusal::PersonLimit { limit: LIMIT });
        }
        self.room(seats, tickets, usize::MAX)?;
        self.own.push(own);
        Ok(())
    }

    fn open(&mut self, user: usize, reservation: usize) -> Result<(), Refusal> {
        let own = &self.own[reservation];
        if own.user != user {
            return Err(Refusal::NotYours);
        }
        own.held(self.now)?;
        if own.payment.is_none_or(|card| self.cards[card].1 == Card::Canceled) {
            self.own[reservation].payment = Some(self.cards.len());
            self.cards.push((reservation, Card::Open));
        }
        Ok(())
    }

    fn charge(&mut self, card: usize, outcome: SandboxOutcome) -> Result<(), Refusal> {
        let state = &mut self.cards[card].1;
        *state = match (*state, outcome) {
            (Card::Canceled, _) => return Err(Refusal::PaymentCanceled),
            (Card::Open | Card::Challenged, SandboxOutcome::Approve) => Card::Taken,
            (Card::Open, SandboxOutcome::Challenge) => Card::Challenged,
            (Card::Challenged, SandboxOutcome::Challenge) => Card::Taken,
            (Card::Open | Card::Challenged, SandboxOutcome::Decline) => Card::Open,
            (Card::Taken | Card::Returning | Card::Stuck | Card::Returned, _) => return Ok(()),
        };
        self.settle(card);
        Ok(())
    }

    fn cancel_payment(&mut self, card: usize) -> Result<(), Refusal> {
        match self.cards[card].1 {
            Card::Open | Card::Challenged => self.cards[card].1 = Card::Canceled,
            Card::Canceled => return Err(Refusal::PaymentCanceled),
            Card::Taken | Card::Returning | Card::Stuck | Card::Returned => return Err(Refusal::PaymentSucceeded),
        }
        Ok(())
    }

    /// The bank has the money: the reservation is sold, or the money goes back. Whether it is sold.
    fn settle(&mut self, card: usize) -> bool {
        let (reservation, state) = self.cards[card];
        if state != Card::Taken {
            return false;
        }
        let own = &self.own[reservation];
        let by = Tender::Card(card);
        match own.state {
            State::Sold { by: paid, .. } if paid == by => return true,
            State::Held | State::Expired if self.may_be_sold(reservation) => {}
            _ => {
                self.cards[card].1 = Card::Returning;
                return false;
            }
        }
        if own.payment != Some(card) {
            self.abandon(reservation);
        }
        let own = &mut self.own[reservation];
        (own.state, own.payment) = (State::Sold { by, used: false }, Some(card));
        true
    }

    /// Whether there is room for it; where its hold has lapsed, also within what the person may have.
    fn may_be_sold(&self, reservation: usize) -> bool {
        let own = &self.own[reservation];
        let late = !own.live(self.now);
        let within = self.has(own.user) + own.count() <= LIMIT;
        self.room(&own.seats, own.tickets, reservation).is_ok() && (within || !late)
    }

    /// How much a person has now.
    fn has(&self, user: usize) -> u32 {
        self.others(usize::MAX).filter(|own| own.user == user).map(Own::count).sum()
    }

    fn abandon(&mut self, reservation: usize) {
        let card = self.own[reservation].payment.map(|card| &mut self.cards[card].1);
        if let Some(card) = card.filter(|card| matches!(card, Card::Open | Card::Challenged)) {
            *card = Card::Canceled;
        }
    }

    fn succeeded(&mut self, card: usize) {
        let state = &mut self.cards[card].1;
        if matches!(state, Card::Open | Card::Challenged | Card::Canceled) {
            *state = Card::Taken;
        }
        self.settle(card);
    }

    fn refunded(&mut self, card: usize) {
        let (reservation, state) = self.cards[card];
        self.cards[card].1 = Card::Returned;
        let own = &mut self.own[reservation];
        let kept = !matches!(state, Card::Returning | Card::Stuck | Card::Returned);
        let paid = own.state == State::Held && own.payment == Some(card)
            || matches!(own.state, State::Sold { by, .. } if by == Tender::Card(card));
        if kept && paid {
            own.state = State::GivenUp { back: own.price() };
        }
    }

    fn refund_failed(&mut self, card: usize) {
        let state = &mut self.cards[card].1;
        if matches!(state, Card::Returning | Card::Returned) {
            *state = Card::Stuck;
        }
    }

    fn retry_refund(&mut self, card: usize) -> Result<(), Refusal> {
        let state = &mut self.cards[card].1;
        match *state {
            Card::Stuck => *state = Card::Returning,
            Card::Returning | Card::Returned => {}
            Card::Open | Card::Challenged | Card::Taken | Card::Canceled => return Err(Refusal::RefundNotDue),
        }
        Ok(())
    }

    fn confirm(&mut self, reservation: usize, card: usize) -> Result<bool, Refusal> {
        let own = &self.own[reservation];
        if self.cards[card].0 != reservation {
            return Err(Refusal::PaymentMismatch);
        }
        match own.state {
            State::Sold { by, .. } if by == Tender::Card(card) => return Ok(true),
            State::Sold { .. } => return Err(Refusal::ReservationPaid),
            State::GivenUp { .. } => return Err(Refusal::ReservationCancelled),
            State::Held | State::Expired => {}
        }
        match self.cards[card].1 {
            Card::Taken => return Ok(self.settle(card)),
            Card::Returning | Card::Stuck | Card::Returned if own.held(self.now).is_err() => return Ok(false),
            _ => own.held(self.now)?,
        }
        Err(if self.cards[card].1 == Card::Canceled { Refusal::PaymentCanceled } else { Refusal::PaymentIncomplete })
    }

    fn wallet(&mut self, user: usize, reservation: usize) -> Result<(), Refusal> {
        let own = &self.own[reservation];
        if own.user != user {
            return Err(Refusal::NotYours);
        }
        own.held(self.now)?;
        let balance = self.wallets[user];
        if balance < own.price() {
            return Err(Refusal::BalanceShort { balance: Won(balance) });
        }
        self.wallets[user] -= own.price();
        self.abandon(reservation);
        self.own[reservation].state = State::Sold { by: Tender::Wallet, used: false };
        Ok(())
    }

    fn cancel(&mut self, by: Option<usize>, reservation: usize) -> Result<(), Refusal> {
        let own = self.own[reservation].clone();
        if by.is_some_and(|user| user != own.user) {
            return Err(Refusal::NotYours);
        }
        let back = match own.state {
            State::Sold { used: true, .. } if by.is_some() => {
                // The moment of use is not modelled.
                return Err(Refusal::TicketUsed { at: Time::NEVER });
            }
            State::Sold { by: Tender::Wallet, .. } => {
                self.wallets[own.user] += own.price();
                own.price()
            }
            State::Sold { by: Tender::Card(card), .. } => {
                self.cards[card].1 = Card::Returning;
                own.price()
            }
            _ => {
                own.held(self.now)?;
                self.abandon(reservation);
                match own.payment {
                    Some(card) if self.cards[card].1 == Card::Taken => {
                        self.cards[card].1 = Card::Returning;
                        own.price()
                    }
                    _ => 0,
                }
            }
        };
        self.own[reservation].state = State::GivenUp { back };
        Ok(())
    }

    fn expire(&mut self, reservation: usize) -> bool {
        let own = &mut self.own[reservation];
        let lapsed = own.state == State::Held && own.until <= self.now;
        if lapsed {
            own.state = State::Expired;
        }
        lapsed
    }

    fn admit(&mut self, reservation: usize) -> Result<(), Refusal> {
        match &mut self.own[reservation].state {
            State::Sold { used: true, .. } => Err(Refusal::TicketUsed { at: Time::NEVER }),
            State::Sold { used, .. } => {
                *used = true;
                Ok(())
            }
            State::GivenUp { .. } => Err(Refusal::ReservationCancelled),
            _ => Err(Refusal::ReservationUnpaid),
        }
    }
}

/// The engine and the model side by side.
struct Both {
    stage: Stage,
    model: Model,
    reservations: Vec<ReservationId>,
    payments: Vec<PaymentId>,
    told: u32,
}

/// The same refusal, the moment of a ticket's use aside.
fn same<T: PartialEq + std::fmt::Debug>(is: Result<T, Refusal>, due: Result<T, Refusal>) {
    let is = is.map_err(|refusal| match refusal {
        Refusal::TicketUsed { .. } => Refusal::TicketUsed { at: Time::NEVER },
        other => other,
    });
    assert_eq!(is, due);
}

impl Both {
    fn new() -> Self {
        let stage = Stage::with(true, engine::catalogue::Billing { max_per_user: Some(LIMIT), ..billing() });
        let model = Model { now: stage.now, own: Vec::new(), cards: Vec::new(), wallets: [WALLET.0; 2] };
        Self { stage, model, reservations: Vec::new(), payments: Vec::new(), told: 0 }
    }

    fn user(&self, number: usize) -> UserId {
        [self.stage.buyer, self.stage.other][number]
    }

    /// Whether there is what the step is about; numbers wrap round to what there is.
    fn fit(&self, step: Step) -> Option<Step> {
        let reservation = |n: usize| n.checked_rem(self.reservations.len());
        let payment = |n: usize| n.checked_rem(self.payments.len());
        Some(match step {
            Step::Open { user, reservation: n } => Step::Open { user, reservation: reservation(n)? },
            Step::Charge { payment: n, outcome } => Step::Charge { payment: payment(n)?, outcome },
            Step::CancelPayment { payment: n } => Step::CancelPayment { payment: payment(n)? },
            Step::Succeeded { payment: n } => Step::Succeeded { payment: payment(n)? },
            Step::Refunded { payment: n } => Step::Refunded { payment: payment(n)? },
            Step::RefundFailed { payment: n } => Step::RefundFailed { payment: payment(n)? },
            Step::RetryRefund { payment: n } => Step::RetryRefund { payment: payment(n)? },
            Step::Confirm { reservation: n, payment: p } => {
                Step::Confirm { reservation: reservation(n)?, payment: payment(p)? }
            }
            Step::Wallet { user, reservation: n } => Step::Wallet { user, reservation: reservation(n)? },
            Step::Cancel { by, reservation: n } => Step::Cancel { by, reservation: reservation(n)? },
            Step::Expire { reservation: n } => Step::Expire { reservation: reservation(n)? },
            Step::Admit { reservation: n } => Step::Admit { reservation: reservation(n)? },
            free => free,
        })
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Wait(seconds) => {
                self.stage.wait(Span::seconds(seconds));
                self.model.now = self.stage.now;
            }
            Step::Hold { user, seats, tickets, span } => self.hold(user, seats, tickets, span),
            Step::Open { user, reservation } => self.open(user, reservation),
            Step::Charge { payment, outcome } => {
                let user = self.user(self.model.own[self.model.cards[payment].0].user);
                let command = ChargeSandbox { user, payment: self.payments[payment], method: "card".into(), outcome };
                same(self.stage.run(&command).map(drop), self.model.charge(payment, outcome));
            }
            Step::CancelPayment { payment } => {
                let command = CancelPayment { user: None, payment: self.payments[payment] };
                same(self.stage.run(&command).map(drop), self.model.cancel_payment(payment));
            }
            Step::Succeeded { payment } => {
                self.tell(payment, Stage::success());
                self.model.succeeded(payment);
            }
            Step::Refunded { payment } => {
                self.tell(payment, News::Refunded);
                self.model.refunded(payment);
            }
            Step::RefundFailed { payment } => {
                self.tell(payment, News::RefundFailed);
                self.model.refund_failed(payment);
            }
            Step::RetryRefund { payment } => {
                let is = self.stage.run(&RetryRefund { payment: self.payments[payment] });
                same(is.map(drop), self.model.retry_refund(payment));
            }
            Step::Confirm { reservation, payment } => {
                let user = self.user(self.model.own[reservation].user);
                let (id, paid) = (self.reservations[reservation], self.payments[payment]);
                let is = self.stage.run(&ConfirmReservation { user, reservation: id, payment: paid });
                let is = is.map(|settled| matches!(settled, Settlement::Confirmed(_)));
                same(is, self.model.confirm(reservation, payment));
            }
            Step::Wallet { user, reservation } => {
                let reservations = vec![self.reservations[reservation]];
                let command = PayFromWallet { user: self.user(user), reservations, stated_total: None };
                same(self.stage.run(&command).map(drop), self.model.wallet(user, reservation));
            }
            Step::Cancel { by, reservation } => {
                let canceller = by.map_or(Canceller::House, |user| Canceller::Buyer(self.user(user)));
                let command = CancelReservation { reservation: self.reservations[reservation], by: canceller };
                same(self.stage.run(&command).map(drop), self.model.cancel(by, reservation));
            }
            Step::Expire { reservation } => {
                let command = ExpireReservation { reservation: self.reservations[reservation] };
                same(self.stage.run(&command), Ok(self.model.expire(reservation)));
            }
            Step::Admit { reservation } => {
                let command = Admit { reservation: self.reservations[reservation] };
                same(self.stage.run(&command).map(drop), self.model.admit(reservation));
            }
            Step::TopUp { user, amount } => {
                self.stage.done(&TopUp { user: self.user(user), amount: Won(amount) });
                self.model.wallets[user] += amount;
            }
        }
    }

    fn hold(&mut self, user: usize, seats: Vec<u32>, tickets: u32, span: i64) {
        let items = (tickets > 0).then_some((self.stage.ticket_type, tickets)).into_iter().collect();
        let rules = HoldRules { span: Span::seconds(span), most: MOST, one_each: false, alone: false };
        let (event, due) = (self.stage.event, self.model.hold(user, &seats, tickets, span));
        let command = HoldSeats { user: self.user(user), event, seats, items, stated_total: None, rules };
        let is = self.stage.run(&command);
        self.reservations.extend(is.iter().flatten().map(|own| own.id));
        same(is.map(drop), due);
    }

    fn open(&mut self, user: usize, reservation: usize) {
        let (id, amount) = (self.reservations[reservation], Won(self.model.own[reservation].price()));
        let (user_id, gateway) = (self.user(user), Gateway::Sandbox);
        let command = OpenPayment { user: user_id, reservation: id, amount, gateway, client_secret: None };
        let is = self.stage.run(&command);
        let new = is.iter().map(|payment| payment.id).find(|id| !self.payments.contains(id));
        self.payments.extend(new);
        same(is.map(drop), self.model.open(user, reservation));
    }

    fn tell(&mut self, payment: usize, news: News) {
        self.told += 1;
        let (event, payment) = (format!("evt_{}", self.told), self.payments[payment]);
        self.stage.done(&ReceiveNews { event, payment, reservation: None, news });
    }

    /// What is stored is what the model says.
    fn compare(&self) {
        assert_eq!(self.payments.len(), self.model.cards.len());
        for (id, own) in self.reservations.iter().zip(&self.model.own) {
            let stored = self.stage.store.reservation(*id).expect("it was made");
            let state = match stored.standing {
                Standing::Pending { .. } => State::Held,
                Standing::Confirmed { tender, admitted_at, .. } => {
                    State::Sold { by: self.tender(tender), used: admitted_at.is_some() }
                }
                Standing::Cancelled { refund, .. } => State::GivenUp { back: refund.0 },
                Standing::Expired { .. } => State::Expired,
            };
            assert_eq!((state, stored.total.0), (own.state, own.price()));
        }
        for (id, (_, card)) in self.payments.iter().zip(&self.model.cards) {
            let stored = self.stage.store.payment(*id).expect("it was made");
            let is = match stored.state {
                PaymentState::Open(engine::payments::Step::Method) => Card::Open,
                PaymentState::Open(_) => Card::Challenged,
                PaymentState::Succeeded { refund: Refund::None, .. } => Card::Taken,
                PaymentState::Succeeded { refund: Refund::Requested, .. } => Card::Returning,
                PaymentState::Succeeded { refund: Refund::Done { .. }, .. } => Card::Returned,
                PaymentState::Succeeded { refund: Refund::Failed { .. }, .. } => Card::Stuck,
                PaymentState::Canceled { .. } => Card::Canceled,
            };
            assert_eq!(is, *card);
        }
        self.compare_places();
    }

    fn tender(&self, tender: PaidBy) -> Tender {
        match tender {
            PaidBy::Wallet(_) => Tender::Wallet,
            PaidBy::Card(id) => Tender::Card(self.payments.iter().position(|own| *own == id).expect("it was opened")),
        }
    }

    fn compare_places(&self) {
        let (store, now) = (&self.stage.store, self.stage.now);
        for seat in SEATS {
            let owner = self.model.own.iter().position(|own| own.live(now) && own.seats.contains(&seat));
            let claim = store.claim((self.stage.event, seat)).filter(|claim| claim.is_live(now));
            assert_eq!(claim.map(|claim| claim.reservation), owner.map(|number| self.reservations[number]));
        }
        let stock = store.stock(self.stage.ticket_type).expect("it stays");
        let taken: u32 = self.model.others(usize::MAX).map(|own| own.tickets).sum();
        assert_eq!(stock.sold + stock.held - store.lapsed(self.stage.ticket_type, now), taken);
        for (number, balance) in self.model.wallets.iter().enumerate() {
            assert_eq!(store.wallet(self.user(number)).map(|own| own.balance.0), Some(*balance));
        }
    }
}

fn steps() -> impl Strategy<Value = Step> {
    let (user, any) = (0..2_usize, any::<usize>());
    let outcome = prop_oneof![
        4 => Just(SandboxOutcome::Approve),
        1 => Just(SandboxOutcome::Decline),
        1 => Just(SandboxOutcome::Challenge)
    ];
    let seats = proptest::sample::subsequence(SEATS.to_vec(), 0..=3);
    let hold = (user.clone(), seats, 0..4_u32, 1..60_i64);
    prop_oneof![
        3 => (0..40_i64).prop_map(Step::Wait),
        6 => hold.prop_map(|(user, seats, tickets, span)| Step::Hold { user, seats, tickets, span }),
        6 => (user.clone(), any).prop_map(|(user, reservation)| Step::Open { user, reservation }),
        4 => (any, outcome).prop_map(|(payment, outcome)| Step::Charge { payment, outcome }),
        1 => any.prop_map(|payment| Step::CancelPayment { payment }),
        3 => any.prop_map(|payment| Step::Succeeded { payment }),
        1 => any.prop_map(|payment| Step::Refunded { payment }),
        1 => any.prop_map(|payment| Step::RefundFailed { payment }),
        1 => any.prop_map(|payment| Step::RetryRefund { payment }),
        3 => (any, any).prop_map(|(reservation, payment)| Step::Confirm { reservation, payment }),
        2 => (user.clone(), any).prop_map(|(user, reservation)| Step::Wallet { user, reservation }),
        3 => (proptest::option::of(user.clone()), any)
            .prop_map(|(by, reservation)| Step::Cancel { by, reservation }),
        2 => any.prop_map(|reservation| Step::Expire { reservation }),
        1 => any.prop_map(|reservation| Step::Admit { reservation }),
        1 => (user, 1..30_000_i64).prop_map(|(user, amount)| Step::TopUp { user, amount }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_answers_as_the_plain_model_does(steps in proptest::collection::vec(steps(), 1..60)) {
        let mut both = Both::new();
        for step in steps {
            let Some(step) = both.fit(step) else { continue };
            both.step(step);
            both.compare();
        }
    }
}
