//! The auditor: reads the whole store and says what must never be there.

mod movie;

use std::collections::{BTreeMap, BTreeSet};

use engine::command::Fact;
use engine::holds::{Reservation, Standing, Tender};
use engine::id::{EventId, LaneId, MovieTicketId, PaymentId, ReservationId, TicketTypeId, UserId};
use engine::movie::{RefundOutcome, RefundTickets};
use engine::payments::{Gateway, Payment, PaymentState, Refund};
use engine::seats::Stock;
use engine::time::Time;
use engine::wallet::Account;

use crate::bank::{Bank, Intent};
use crate::lane_audit;
use crate::store::Store;
use crate::workload::holds_alone;

/// What the stream last said of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Held,
    Confirmed,
    Cancelled,
    Expired,
}

/// Follows the stream, remembers what was promised, and compares both with the store.
#[derive(Debug, Default)]
pub struct Auditor {
    told: usize,
    stages: BTreeMap<ReservationId, Stage>,
    promised: BTreeSet<ReservationId>,
    promised_places: BTreeSet<(LaneId, i64)>,
    movie: movie::Told,
    violations: Vec<String>,
}

impl Auditor {
    /// A client was told that these reservations are made: from now on they exist, whatever happens.
    pub fn promise(&mut self, made: impl IntoIterator<Item = ReservationId>) {
        self.promised.extend(made);
    }

    /// A client was told that these movie tickets are issued.
    pub fn promise_tickets(&mut self, made: impl IntoIterator<Item = MovieTicketId>) {
        self.movie.issued(made);
    }

    /// A client was told what became of the movie tickets of its command.
    pub fn hear_of_refunds(&mut self, command: &RefundTickets, outcomes: &[RefundOutcome]) {
        self.movie.refunded(command, outcomes, &mut self.violations);
    }

    /// A client was told that this place is taken.
    pub fn promise_place(&mut self, place: (LaneId, i64)) {
        self.promised_places.insert(place);
    }

    /// Audits every invariant. Gives what is wrong, all that was ever found included.
    pub fn audit(&mut self, store: &Store, now: Time) -> &[String] {
        self.follow(store);
        let found = &mut self.violations;
        seats(store, now, found);
        stocks(store, now, found);
        limits(store, now, found);
        lane_audit::lanes(store, found);
        lane_audit::promises(store, &mut self.promised_places, found);
        single_holds(store, now, found);
        money(store, found);
        payments(store, found);
        self.movie.audit(store, found);
        for own in store.reservations() {
            let stage = self.stages.get(&own.id);
            if stage != Some(&stage_of(own)) {
                found.push(format!("{:?} stands {:?}, but the stream says {stage:?}", own.id, own.standing));
            }
        }
        for lost in self.promised.iter().filter(|id| store.reservation(**id).is_none()) {
            found.push(format!("{lost:?} was acknowledged and is gone"));
        }
        found
    }

    /// As [`Auditor::audit`], when nothing is left to do: no money is under way, and the bank agrees.
    pub fn audit_at_rest(&mut self, store: &Store, bank: &Bank, now: Time) -> &[String] {
        self.audit(store, now);
        let found = &mut self.violations;
        let balances = Balances::of(store);
        if balances.unsettled != 0 || balances.refunds != 0 {
            found.push(format!("at rest {} won unsettled, {} in refunds", balances.unsettled, balances.refunds));
        }
        for job in store.jobs() {
            found.push(format!("at rest {job:?} is left"));
        }
        for payment in store.payments().filter(|own| own.gateway == Gateway::Stripe) {
            let (kept, taken) = (earned(payment, store), bank.intent(payment.id) == Some(Intent::Taken));
            if kept != taken {
                found.push(format!("{:?}: the bank has the money: {taken}; the seats are sold: {kept}", payment.id));
            }
        }
        found
    }

    /// Every reservation is held first, and takes no way that does not exist.
    fn follow(&mut self, store: &Store) {
        for fact in &store.stream()[self.told..] {
            let (id, next) = match fact {
                Fact::Held(own) => (own.id, Stage::Held),
                Fact::Confirmed(own) => (own.id, Stage::Confirmed),
                Fact::Cancelled { reservation, .. } => (reservation.id, Stage::Cancelled),
                Fact::Expired { reservation, .. } => (reservation.id, Stage::Expired),
                Fact::PaymentReturned(_) | Fact::EventChanged(_) | Fact::EventDeleted(_) => continue,
            };
            let last = self.stages.insert(id, next);
            let allowed = match next {
                Stage::Held => last.is_none(),
                Stage::Confirmed => matches!(last, Some(Stage::Held | Stage::Expired)),
                Stage::Cancelled => matches!(last, Some(Stage::Held | Stage::Confirmed)),
                Stage::Expired => last == Some(Stage::Held),
            };
            if !allowed {
                self.violations.push(format!("{id:?} went from {last:?} to {next:?}"));
            }
        }
        self.told = store.stream().len();
    }
}

fn stage_of(own: &Reservation) -> Stage {
    match own.standing {
        Standing::Pending { .. } => Stage::Held,
        Standing::Confirmed { .. } => Stage::Confirmed,
        Standing::Cancelled { .. } => Stage::Cancelled,
        Standing::Expired { .. } => Stage::Expired,
    }
}

/// A seat has at most one live claim, and it is its reservation's.
fn seats(store: &Store, now: Time, found: &mut Vec<String>) {
    let mut owners = BTreeMap::<(EventId, u32), ReservationId>::new();
    for own in store.reservations().filter(|own| own.claimed_until() > now) {
        for seat in &own.seats {
            let place = (own.event, seat.ordinal);
            if let Some(other) = owners.insert(place, own.id) {
                found.push(format!("{place:?} belongs to {other:?} and to {:?}", own.id));
            }
            let claim = store.claim(place);
            if claim.map(|claim| (claim.reservation, claim.until)) != Some((own.id, own.claimed_until())) {
                found.push(format!("{:?} stands {:?}, but {place:?} is {claim:?}", own.id, own.standing));
            }
        }
    }
    for claim in store.claims().filter(|claim| claim.is_live(now)) {
        if owners.get(&claim.seat) != Some(&claim.reservation) {
            found.push(format!("{claim:?} is live, its reservation is not"));
        }
    }
}

/// Every count of a stock is the sum of its portions, every portion its reservation's, and none is sold twice.
fn stocks(store: &Store, now: Time, found: &mut Vec<String>) {
    let mut sums = BTreeMap::<TicketTypeId, (u32, u32)>::new();
    for portion in store.portions() {
        let (sold, held) = sums.entry(portion.key.1).or_default();
        *(if portion.until == Time::FOREVER { sold } else { held }) += portion.quantity;
        let own = store.reservation(portion.key.0);
        let owned = own.is_some_and(|own| own.items.iter().any(|item| item.ticket_type == portion.key.1));
        if !owned || own.map(Reservation::claimed_until) != Some(portion.until) {
            found.push(format!("{portion:?} is not its reservation's"));
        }
    }
    for Stock { ticket_type, quantity, sold, held, .. } in store.stocks() {
        let lapsed = store.lapsed(*ticket_type, now);
        if sums.remove(ticket_type).unwrap_or_default() != (*sold, *held) || sold + held - lapsed > *quantity {
            found.push(format!("{ticket_type:?}: {sold} sold, {held} held, {lapsed} lapsed of {quantity}"));
        }
    }
    for (ticket_type, (sold, held)) in sums {
        found.push(format!("{ticket_type:?} has {sold} sold and {held} held, but no stock"));
    }
    for own in store.reservations().filter(|own| own.claimed_until() != Time::NEVER) {
        for item in &own.items {
            if store.portion((own.id, item.ticket_type)).is_none_or(|portion| portion.quantity != item.quantity) {
                found.push(format!("{:?} stands {:?} without its {item:?}", own.id, own.standing));
            }
        }
    }
}

/// Nobody has more of an event than it allows.
fn limits(store: &Store, now: Time, found: &mut Vec<String>) {
    let mut has = BTreeMap::<(UserId, EventId), u32>::new();
    for own in store.reservations().filter(|own| own.claimed_until() > now) {
        *has.entry((own.user, own.event)).or_default() += own.count();
    }
    for ((user, event), count) in has {
        let limit = store.event(event).and_then(|event| event.billing.max_per_user);
        if limit.is_some_and(|limit| count > limit) {
            found.push(format!("{user:?} has {count} of {event:?}, which allows {limit:?}"));
        }
    }
}

/// Who holds one thing at a time does.
fn single_holds(store: &Store, now: Time, found: &mut Vec<String>) {
    let mut holding = BTreeMap::<UserId, ReservationId>::new();
    for own in store.reservations().filter(|own| holds_alone(own.user) && own.held_at(now).is_ok()) {
        if let Some(other) = holding.insert(own.user, own.id) {
            found.push(format!("{:?} holds {other:?} and {:?} at a time", own.user, own.id));
        }
    }
}

/// The ledger's accounts.
#[derive(Debug, Default, PartialEq, Eq)]
struct Balances {
    gateway: i64,
    top_ups: i64,
    unsettled: i64,
    refunds: i64,
    sales: BTreeMap<EventId, i64>,
    wallets: BTreeMap<UserId, i64>,
}

impl Balances {
    fn of(store: &Store) -> Self {
        let mut all = Self::default();
        for transfer in store.transfers() {
            *all.account(transfer.debit) -= transfer.amount.0;
            *all.account(transfer.credit) += transfer.amount.0;
        }
        all
    }

    fn account(&mut self, account: Account) -> &mut i64 {
        match account {
            Account::Gateway => &mut self.gateway,
            Account::TopUps => &mut self.top_ups,
            Account::Unsettled => &mut self.unsettled,
            Account::Refunds => &mut self.refunds,
            Account::Sales(event) => self.sales.entry(event).or_default(),
            Account::Wallet(user) => self.wallets.entry(user).or_default(),
        }
    }

    /// What the accounts must hold, by everything but the ledger; the top-ups are what is left to zero.
    fn due(store: &Store) -> Self {
        let mut all = Self::default();
        for payment in store.payments() {
            let PaymentState::Succeeded { refund, .. } = payment.state else { continue };
            let amount = payment.amount.0;
            match refund {
                Refund::None if earned(payment, store) => all.gateway -= amount,
                Refund::None => (all.gateway, all.unsettled) = (all.gateway - amount, all.unsettled + amount),
                Refund::Requested | Refund::Failed { .. } => {
                    (all.gateway, all.refunds) = (all.gateway - amount, all.refunds + amount)
                }
                Refund::Done { .. } => {}
            }
        }
        for own in store.reservations().filter(|own| matches!(own.standing, Standing::Confirmed { .. })) {
            *all.account(Account::Sales(own.event)) += own.total.0;
        }
        for wallet in store.wallets() {
            *all.account(Account::Wallet(wallet.user)) += wallet.balance.0;
        }
        let earned = all.sales.values().sum::<i64>() + all.wallets.values().sum::<i64>();
        all.top_ups = -(all.gateway + all.unsettled + all.refunds + earned);
        all
    }

    /// Without accounts that hold nothing.
    fn trimmed(mut self) -> Self {
        self.sales.retain(|_, balance| *balance != 0);
        self.wallets.retain(|_, balance| *balance != 0);
        self
    }
}

/// Whether a payment pays for a confirmed reservation.
fn earned(payment: &Payment, store: &Store) -> bool {
    let own = store.reservation(payment.reservation);
    own.is_some_and(
        |own| matches!(own.standing, Standing::Confirmed { tender, .. } if tender == Tender::Card(payment.id)),
    )
}

/// The ledger says what the rows say, and no wallet is below zero.
fn money(store: &Store, found: &mut Vec<String>) {
    let (is, due) = (Balances::of(store).trimmed(), Balances::due(store).trimmed());
    if is != due {
        found.push(format!("the ledger holds {is:?}, the rows say {due:?}"));
    }
    for wallet in store.wallets().filter(|wallet| wallet.balance.0 < 0) {
        found.push(format!("{wallet:?} is below zero"));
    }
}

/// A reservation is paid at most once and for its price, and what paid for it is still there.
fn payments(store: &Store, found: &mut Vec<String>) {
    let mut paid = BTreeMap::<ReservationId, Vec<i64>>::new();
    for transfer in store.transfers() {
        if let (Account::Sales(_), Some(own)) = (transfer.credit, transfer.reservation) {
            paid.entry(own).or_default().push(transfer.amount.0);
        }
    }
    for own in store.reservations() {
        let paid = paid.remove(&own.id).unwrap_or_default();
        let confirmed = matches!(own.standing, Standing::Confirmed { .. });
        let once = paid == [own.total.0] || paid.is_empty() && !(confirmed && own.total.0 > 0);
        if !once {
            found.push(format!("{:?} of {:?} stands {:?} and was paid {paid:?}", own.id, own.total, own.standing));
        }
        if !tender_is_right(own, store) {
            found.push(format!("{:?} stands {:?}, but its payment does not fit", own.id, own.standing));
        }
    }
    for (unknown, paid) in paid {
        found.push(format!("{paid:?} was earned by {unknown:?}, which is not there"));
    }
}

fn tender_is_right(own: &Reservation, store: &Store) -> bool {
    let refund = |id: PaymentId| {
        let payment = store.payment(id).filter(|payment| payment.reservation == own.id);
        match payment?.state {
            PaymentState::Succeeded { refund, .. } => Some(refund),
            _ => None,
        }
    };
    match own.standing {
        Standing::Confirmed { tender: Tender::Card(id), .. } => refund(id) == Some(Refund::None),
        Standing::Cancelled { tender: Some(Tender::Card(id)), .. } => {
            matches!(refund(id), Some(Refund::Requested | Refund::Done { .. } | Refund::Failed { .. }))
        }
        _ => true,
    }
}
