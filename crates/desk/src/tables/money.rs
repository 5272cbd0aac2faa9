use engine::id::{PaymentId, TransferId, UserId};
use engine::money::Won;
use engine::payments::{Gateway, GatewayEvent, Payment, PaymentState, Refund, Step};
use engine::time::Time;
use engine::wallet::{Account, Transfer, Wallet};

use super::{Table, id_values, values};
use crate::value::{Columns, Corrupt, Kind, Value};

impl Table for Payment {
    type Key = PaymentId;
    const NAME: &'static str = "payments";
    const COLUMNS: &'static [(&'static str, Kind)] = &[
        ("id", Kind::Bytes),
        ("reservation_id", Kind::Bytes),
        ("event_id", Kind::Bytes),
        ("user_id", Kind::Bytes),
        ("amount", Kind::Int),
        ("gateway", Kind::Text),
        ("reference", Kind::Text),
        ("client_secret", Kind::Text),
        ("status", Kind::Text),
        ("status_at", Kind::Int),
        ("method", Kind::Text),
        ("refund", Kind::Text),
        ("refunded_at", Kind::Int),
        ("created_at", Kind::Int),
    ];
    const KEYS: usize = 1;
    const FIXED: &'static [&'static str] =
        &["reservation_id", "event_id", "user_id", "amount", "gateway", "created_at"];

    fn key_values(key: &PaymentId) -> Vec<Value> {
        id_values(*key)
    }

    fn key(&self) -> PaymentId {
        self.id
    }

    fn values(&self) -> Vec<Value> {
        let (status, at, method, refund) = match &self.state {
            PaymentState::Open(Step::Method) => ("method", None, None, None),
            PaymentState::Open(Step::Action) => ("action", None, None, None),
            PaymentState::Open(Step::Processing) => ("processing", None, None, None),
            PaymentState::Succeeded { at, method, refund } => {
                ("succeeded", Some(*at), Some(method.as_str()), Some(*refund))
            }
            PaymentState::Canceled { at } => ("canceled", Some(*at), None, None),
        };
        let (refund, refunded_at) = match refund {
            Some(Refund::Requested) => (Some("requested"), None),
            Some(Refund::Done { at }) => (Some("done"), Some(at)),
            Some(Refund::Failed { at }) => (Some("failed"), Some(at)),
            Some(Refund::None) | None => (None, None),
        };
        values![
            self.id.0,
            self.reservation.0,
            self.event.0,
            self.user.0,
            self.amount.0,
            self.gateway.word(),
            self.reference.as_deref(),
            self.client_secret.as_deref(),
            status,
            at.map(|time| time.0),
            method,
            refund,
            refunded_at.map(|time| time.0),
            self.created_at.0,
        ]
    }

    fn read(columns: &mut Columns) -> Result<Self, Corrupt> {
        Ok(Self {
            id: columns.id()?,
            reservation: columns.id()?,
            event: columns.id()?,
            user: columns.id()?,
            amount: Won(columns.int()?),
            gateway: Gateway::from_word(&columns.text()?).ok_or(Corrupt("no such gateway"))?,
            reference: columns.text_or()?,
            client_secret: columns.text_or()?,
            state: read_state(columns)?,
            created_at: Time(columns.int()?),
        })
    }
}

fn read_state(columns: &mut Columns) -> Result<PaymentState, Corrupt> {
    let (word, at) = (columns.text()?, columns.int_or()?.map(Time));
    let (method, refund) = (columns.text_or()?, columns.text_or()?);
    let refunded_at = columns.int_or()?.map(Time);
    let refund = match (refund.as_deref(), refunded_at) {
        (None, _) => Refund::None,
        (Some("requested"), _) => Refund::Requested,
        (Some("done"), Some(at)) => Refund::Done { at },
        (Some("failed"), Some(at)) => Refund::Failed { at },
        _ => return Err(Corrupt("a payment's refund")),
    };
    match (word.as_str(), at) {
        ("method", _) => Ok(PaymentState::Open(Step::Method)),
        ("action", _) => Ok(PaymentState::Open(Step::Action)),
        ("processing", _) => Ok(PaymentState::Open(Step::Processing)),
        ("canceled", Some(at)) => Ok(PaymentState::Canceled { at }),
        ("succeeded", Some(at)) => Ok(PaymentState::Succeeded { at, method: method.unwrap_or_default(), refund }),
        _ => Err(Corrupt("a payment's status")),
    }
}

impl Table for GatewayEvent {
    type Key = String;
    const NAME: &'static str = "gateway_events";
    const COLUMNS: &'static [(&'static str, Kind)] = &[("id", Kind::Text), ("received_at", Kind::Int)];
    const KEYS: usize = 1;

    fn key_values(key: &String) -> Vec<Value> {
        values![key.as_str()]
    }

    fn key(&self) -> String {
        self.id.clone()
    }

    fn values(&self) -> Vec<Value> {
        values![self.id.as_str(), self.received_at.0]
    }

    fn read(columns: &mut Columns) -> Result<Self, Corrupt> {
        Ok(Self { id: columns.text()?, received_at: Time(columns.int()?) })
    }
}

impl Table for Wallet {
    type Key = UserId;
    const NAME: &'static str = "wallets";
    const COLUMNS: &'static [(&'static str, Kind)] = &[("user_id", Kind::Bytes), ("balance", Kind::Int)];
    const KEYS: usize = 1;

    fn key_values(key: &UserId) -> Vec<Value> {
        id_values(*key)
    }

    fn key(&self) -> UserId {
        self.user
    }

    fn values(&self) -> Vec<Value> {
        values![self.user.0, self.balance.0]
    }

    fn read(columns: &mut Columns) -> Result<Self, Corrupt> {
        Ok(Self { user: columns.id()?, balance: Won(columns.int()?) })
    }
}

fn account_values(account: Account) -> (&'static str, Option<u128>) {
    match account {
        Account::Gateway => ("gateway", None),
        Account::TopUps => ("top_ups", None),
        Account::Unsettled => ("unsettled", None),
        Account::Refunds => ("refunds", None),
        Account::Sales(event) => ("sales", Some(event.0)),
        Account::Wallet(user) => ("wallet", Some(user.0)),
    }
}

fn read_account(columns: &mut Columns) -> Result<Account, Corrupt> {
    match (columns.text()?.as_str(), columns.id_or::<u128>()?) {
        ("gateway", None) => Ok(Account::Gateway),
        ("top_ups", None) => Ok(Account::TopUps),
        ("unsettled", None) => Ok(Account::Unsettled),
        ("refunds", None) => Ok(Account::Refunds),
        ("sales", Some(id)) => Ok(Account::Sales(id.into())),
        ("wallet", Some(id)) => Ok(Account::Wallet(id.into())),
        _ => Err(Corrupt("a ledger account")),
    }
}

impl Table for Transfer {
    type Key = TransferId;
    const NAME: &'static str = "transfers";
    const COLUMNS: &'static [(&'static str, Kind)] = &[
        ("id", Kind::Bytes),
        ("made_at", Kind::Int),
        ("debit", Kind::Text),
        ("debit_id", Kind::Bytes),
        ("credit", Kind::Text),
        ("credit_id", Kind::Bytes),
        ("amount", Kind::Int),
        ("reservation_id", Kind::Bytes),
        ("payment_id", Kind::Bytes),
    ];
    const KEYS: usize = 1;

    fn key_values(key: &TransferId) -> Vec<Value> {
        id_values(*key)
    }

    fn key(&self) -> TransferId {
        self.id
    }

    fn values(&self) -> Vec<Value> {
        let (debit, debit_id) = account_values(self.debit);
        let (credit, credit_id) = account_values(self.credit);
        let (reservation, payment) = (self.reservation.map(|id| id.0), self.payment.map(|id| id.0));
        values![self.id.0, self.at.0, debit, debit_id, credit, credit_id, self.amount.0, reservation, payment,]
    }

    fn read(columns: &mut Columns) -> Result<Self, Corrupt> {
        Ok(Self {
            id: columns.id()?,
            at: Time(columns.int()?),
            debit: read_account(columns)?,
            credit: read_account(columns)?,
            amount: Won(columns.int()?),
            reservation: columns.id_or()?,
            payment: columns.id_or()?,
        })
    }
}
