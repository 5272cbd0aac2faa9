//! What the virtual people do: everything the engine knows, mostly sensible, sometimes not.

use std::collections::BTreeSet;
use std::sync::Arc;

use engine::catalogue::layout::section;
use engine::catalogue::{
    Billing, CancelEvent, CreateEvent, DeleteEvent, Editor, Event, NewOffer, NewTicketType, PublishEvent, UpdateEvent,
};
use engine::holds::{CancelReservation, Canceller, ExpireReservation, HoldRules, HoldSeats, Reservation};
use engine::id::{EventId, JobId, MovieTicketId, ReservationId, UserId};
use engine::jobs::PutOffJobs;
use engine::messages::{CallReminder, Lead};
use engine::money::Won;
use engine::movie::{IssueTickets, RefundTickets};
use engine::payments::{
    AttachIntent, CancelPayment, ChargeSandbox, ConfirmReservation, Gateway, News, OpenPayment, Payment, RetryRefund,
    SandboxOutcome,
};
use engine::people::{AdoptUser, RegisterUser, RevokeToken, Role, SetRole};
use engine::tickets::Admit;
use engine::time::Span;
use engine::wallet::{PayFromWallet, TopUp};
use engine::world::Key;

use crate::call::Call;
use crate::simulation::{Simulation, take};

/// What can be talked about: what was committed, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Known {
    users: Vec<UserId>,
    events: Vec<EventId>,
    reservations: Vec<ReservationId>,
    movie_tickets: Vec<MovieTicketId>,
    jobs: BTreeSet<JobId>,
    seen: BTreeSet<Key>,
}

impl Known {
    /// Notes a committed change of a row: it is there, or it is gone.
    pub(crate) fn note(&mut self, key: &Key, there: bool) {
        if let Key::Job(id) = key {
            if there {
                self.jobs.insert(*id)
            } else {
                self.jobs.remove(id)
            };
        }
        let named = matches!(key, Key::User(_) | Key::Event(_) | Key::Reservation(_) | Key::MovieTicket(_));
        if !named || !self.seen.insert(key.clone()) {
            return;
        }
        match key {
            Key::User(id) => self.users.push(*id),
            Key::Event(id) => self.events.push(*id),
            Key::Reservation(id) => self.reservations.push(*id),
            Key::MovieTicket(id) => self.movie_tickets.push(*id),
            _ => {}
        }
    }
}

/// Whether a person buys where one thing is held at a time.
pub(crate) fn holds_alone(user: UserId) -> bool {
    user.0.is_multiple_of(4)
}

impl Simulation {
    /// What somebody asks for now; nothing when there is nothing to ask it about.
    pub(crate) fn new_call(&mut self) -> Option<Call> {
        match self.dice.below(100) {
            0..=1 => Some(self.register()),
            2 => self.change_person(),
            3..=4 => self.create_event(),
            5 => self.change_event(),
            6..=33 => self.hold(),
            34..=47 => self.open_payment(),
            48..=62 => self.pay_by_card(),
            63..=67 => self.confirm(),
            68..=71 => self.cancel_reservation(),
            72..=77 => self.pay_from_wallet(),
            78..=79 => self.top_up(),
            80 => self.an_event().map(|own| CallReminder { event: own.id, lead: Lead::Week }.into()),
            81 => self.change_payment(),
            82..=84 => self.a_reservation().map(|own| Admit { reservation: own.id }.into()),
            85..=86 => self.a_reservation().map(|own| ExpireReservation { reservation: own.id }.into()),
            87..=89 => self.queue(),
            90 => Some(self.issue_tickets()),
            91 => self.refund_tickets(),
            _ => self.take_jobs(),
        }
    }

    pub(crate) fn a_user(&mut self) -> Option<UserId> {
        self.dice.one(&self.known.users).copied()
    }

    /// Whose it is, or now and then a stranger.
    fn owner_or_stranger(&mut self, owner: UserId) -> UserId {
        if self.dice.percent(3) { self.a_user().unwrap_or(owner) } else { owner }
    }

    pub(crate) fn an_event(&mut self) -> Option<Arc<Event>> {
        let id = *self.dice.recent(&self.known.events, 6)?;
        self.store.event(id).cloned()
    }

    fn a_reservation(&mut self) -> Option<Reservation> {
        let id = *self.dice.recent(&self.known.reservations, 60)?;
        self.store.reservation(id).cloned()
    }

    fn a_payment(&mut self) -> Option<Payment> {
        let id = self.a_reservation()?.payment_id();
        self.store.payment(id).cloned()
    }

    fn register(&mut self) -> Call {
        let email = format!("person{}@example.com", self.dice.below(60));
        let role = if self.dice.percent(30) { Role::Organizer } else { Role::User };
        RegisterUser { email, password_hash: None, name: "사람".to_owned(), phone: None, role }.into()
    }

    fn change_person(&mut self) -> Option<Call> {
        let user = self.a_user()?;
        Some(match self.dice.below(3) {
            0 => {
                let email = format!("adopted{}@example.com", self.dice.below(20));
                AdoptUser { id: UserId(u128::from(self.dice.below(20))), email, role: Role::User }.into()
            }
            1 => SetRole { user, role: Role::Organizer, password_hash: None }.into(),
            _ => RevokeToken { token: u128::from(self.dice.below(1_000)), expires_at: self.now }.into(),
        })
    }

    /// An event of a few dozen places, so that people get in each other's way.
    fn create_event(&mut self) -> Option<Call> {
        let editor = Editor { user: self.a_user()?, role: Role::Organizer };
        let publish = self.dice.percent(85);
        Some(CreateEvent { editor, billing: self.billing(), offer: self.offer(), publish }.into())
    }

    fn billing(&mut self) -> Billing {
        let sale_opens = self.dice.percent(10).then(|| self.now + Span::seconds(20));
        let sale_closes = self.dice.percent(10).then(|| self.now + Span::seconds(400));
        Billing {
            title: "공연".to_owned(),
            category: "concert".to_owned(),
            venue: "회관".to_owned(),
            location: "서울".to_owned(),
            starts_at: self.now + Span::seconds(100_000),
            ends_at: self.now + Span::seconds(107_200),
            sale_opens,
            sale_closes,
            max_per_user: self.dice.percent(20).then_some(2),
            ..Billing::default()
        }
    }

    fn offer(&mut self) -> NewOffer {
        // One in ten is free.
        let price = if self.dice.percent(10) { Won::ZERO } else { Won(10_000) };
        let seats = self.dice.below(40);
        let rows = section("A", seats, 10, price).collect();
        let kinds = if seats == 0 { 1 } else { self.dice.below(3) };
        let types = (0..kinds).map(|kind| NewTicketType {
            name: format!("{kind}"),
            price,
            quantity: 1 + self.dice.below(30),
            description: None,
        });
        NewOffer { rows, types: types.collect(), total: None, prices: None }
    }

    fn change_event(&mut self) -> Option<Call> {
        let event = self.an_event()?;
        let user = self.owner_or_stranger(event.owner);
        let (editor, id) = (Editor { user, role: Role::Organizer }, event.id);
        Some(match self.dice.below(10) {
            0..=3 => PublishEvent { editor, event: id }.into(),
            4..=5 => DeleteEvent { editor, event: id }.into(),
            6..=8 => {
                let version = event.version - i64::from(self.dice.percent(10));
                let offer = self.dice.percent(30).then(|| self.offer());
                // The limit stays, so that the auditor can hold everybody to it.
                let billing = Billing { max_per_user: event.billing.max_per_user, ..self.billing() };
                UpdateEvent { editor, event: id, version, billing, offer }.into()
            }
            _ => CancelEvent { editor, event: id }.into(),
        })
    }

    fn hold(&mut self) -> Option<Call> {
        let (event, user) = (self.an_event()?, self.a_user()?);
        let places = event.offer.layout.total();
        let (mut seats, mut items) = (Vec::new(), Vec::new());
        if places > 0 && (event.offer.types.is_empty() || self.dice.percent(60)) {
            // One past the end is asked for too.
            seats = (0..=self.dice.below(3)).map(|_| self.dice.below(places + 1)).collect();
        }
        if seats.is_empty() || self.dice.percent(30) {
            let own = self.dice.one(&event.offer.types).map(|own| own.id);
            items.extend(own.map(|own| (own, self.dice.below(4))));
        }
        let span = Span::seconds(i64::from(10 + self.dice.below(110)));
        let alone = holds_alone(user);
        let rules = HoldRules { span, most: 5, one_each: self.dice.percent(15) && !alone, alone };
        Some(HoldSeats { user, event: event.id, seats, items, stated_total: None, rules }.into())
    }

    fn open_payment(&mut self) -> Option<Call> {
        let own = self.a_reservation()?;
        let user = self.owner_or_stranger(own.user);
        let gateway = if self.dice.percent(50) { Gateway::Stripe } else { Gateway::Sandbox };
        let amount = if self.dice.percent(2) { Won(1) } else { own.total };
        Some(OpenPayment { user, reservation: own.id, amount, gateway, client_secret: None }.into())
    }

    /// At the sandbox's till it is a command; at the bank's the server hears of it later.
    fn pay_by_card(&mut self) -> Option<Call> {
        let payment = self.a_payment()?;
        if payment.gateway == Gateway::Stripe {
            let told = match self.dice.below(10) {
                0 => Some(self.bank.say(payment.id, News::Failed)),
                1 => Some(self.bank.say(payment.id, News::ActionRequired)),
                2 => Some(self.bank.say(payment.id, News::Processing)),
                3 => self.bank.refund(payment.id),
                _ => self.bank.pay(payment.id),
            };
            told.into_iter().for_each(|news| self.deliver(news));
            return None;
        }
        let outcome = match self.dice.below(10) {
            0..=1 => SandboxOutcome::Decline,
            2..=3 => SandboxOutcome::Challenge,
            _ => SandboxOutcome::Approve,
        };
        let user = self.owner_or_stranger(payment.user);
        Some(ChargeSandbox { user, payment: payment.id, method: "card".to_owned(), outcome }.into())
    }

    fn confirm(&mut self) -> Option<Call> {
        let own = self.a_reservation()?;
        let user = self.owner_or_stranger(own.user);
        let foreign = self.dice.percent(5);
        let payment = if foreign { self.a_payment()?.id } else { self.store.payment(own.payment_id())?.id };
        Some(ConfirmReservation { user, reservation: own.id, payment }.into())
    }

    fn cancel_reservation(&mut self) -> Option<Call> {
        let own = self.a_reservation()?;
        let user = self.owner_or_stranger(own.user);
        let by = if self.dice.percent(10) { Canceller::House } else { Canceller::Buyer(user) };
        Some(CancelReservation { reservation: own.id, by }.into())
    }

    /// One reservation, or as many of the same person as a glance finds.
    fn pay_from_wallet(&mut self) -> Option<Call> {
        let own = self.a_reservation()?;
        let mut reservations = BTreeSet::from([own.id]);
        if self.dice.percent(30) {
            let last = self.known.reservations.iter().rev().take(200);
            let others = last.filter_map(|id| self.store.reservation(*id)).filter(|other| other.user == own.user);
            reservations.extend(others.filter(|other| other.held_at(self.now).is_ok()).map(|other| other.id));
        }
        let mut reservations: Vec<_> = reservations.into_iter().collect();
        if self.dice.percent(2) {
            reservations.push(own.id);
        }
        let user = self.owner_or_stranger(own.user);
        let stated_total = self.dice.percent(2).then_some(Won(1));
        Some(PayFromWallet { user, reservations, stated_total }.into())
    }

    fn top_up(&mut self) -> Option<Call> {
        let amount = Won(i64::from(self.dice.below(40)) * 1_000);
        Some(TopUp { user: self.a_user()?, amount }.into())
    }

    fn change_payment(&mut self) -> Option<Call> {
        let payment = self.a_payment()?;
        let user = self.owner_or_stranger(payment.user);
        if self.dice.percent(20) {
            return Some(RetryRefund { payment: payment.id }.into());
        }
        if self.dice.percent(50) {
            return Some(CancelPayment { user: Some(user), payment: payment.id }.into());
        }
        let (reference, client_secret) = (format!("pi_{}", self.dice.below(1_000)), "secret".to_owned());
        Some(AttachIntent { payment: payment.id, reference, client_secret }.into())
    }

    /// Sometimes more than may be issued at once, or for nothing.
    fn issue_tickets(&mut self) -> Call {
        let (quantity, price) = (self.dice.below(12), Won(i64::from(self.dice.below(20)) * 1_000));
        let (theater, title) = ("극장".to_owned(), "영화".to_owned());
        IssueTickets { theater, title, price, quantity, holder: "anonymous".to_owned(), memo: None }.into()
    }

    /// A few of the newest, some of them twice or for the second time, and one that is not there.
    fn refund_tickets(&mut self) -> Option<Call> {
        let mut tickets = vec![MovieTicketId(u128::from(self.dice.below(10)))];
        for _ in 0..=self.dice.below(6) {
            tickets.push(*self.dice.recent(&self.known.movie_tickets, 20)?);
        }
        Some(RefundTickets { tickets, reason: None }.into())
    }

    /// A performer takes up a few of the jobs it sees, due or not.
    fn take_jobs(&mut self) -> Option<Call> {
        let jobs: Vec<JobId> = self.known.jobs.iter().take(8).copied().collect();
        match jobs.is_empty() {
            true => None,
            false if self.dice.percent(10) => {
                Some(PutOffJobs { jobs, by: Span::seconds(5), untried: self.dice.percent(50) }.into())
            }
            false => Some(take(jobs)),
        }
    }
}
