//! The card gateway as the world outside sees it: it takes money, gives it back, and talks about it.

use std::collections::BTreeMap;

use engine::id::PaymentId;
use engine::payments::{News, ReceiveNews};

/// Where an intent stands at the bank, whatever the server believes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// The buyer's money is here.
    Taken,
    /// Nobody can pay it any more.
    Canceled,
    /// The buyer has the money back.
    Refunded,
}

/// The bank. An intent it was never asked about is open.
#[derive(Debug, Default)]
pub struct Bank {
    intents: BTreeMap<PaymentId, Intent>,
    events: u64,
}

impl Bank {
    /// The buyer pays; nothing where the intent is not open.
    pub fn pay(&mut self, payment: PaymentId) -> Option<ReceiveNews> {
        if self.intents.contains_key(&payment) {
            return None;
        }
        self.intents.insert(payment, Intent::Taken);
        Some(self.say(payment, News::Succeeded { method: "card".to_owned() }))
    }

    /// Nobody is to pay this any more. Who was faster keeps what is.
    pub fn cancel(&mut self, payment: PaymentId) -> Option<ReceiveNews> {
        if self.intents.contains_key(&payment) {
            return None;
        }
        self.intents.insert(payment, Intent::Canceled);
        Some(self.say(payment, News::Canceled))
    }

    /// The money goes back, where it is here; once.
    pub fn refund(&mut self, payment: PaymentId) -> Option<ReceiveNews> {
        let intent = self.intents.get_mut(&payment).filter(|intent| **intent == Intent::Taken)?;
        *intent = Intent::Refunded;
        Some(self.say(payment, News::Refunded))
    }

    /// An event about a payment, with an id of its own.
    pub fn say(&mut self, payment: PaymentId, news: News) -> ReceiveNews {
        self.events += 1;
        ReceiveNews { event: format!("evt_{}", self.events), payment, reservation: None, news }
    }

    /// Where an intent stands; `None` while it is open.
    #[must_use]
    pub fn intent(&self, payment: PaymentId) -> Option<Intent> {
        self.intents.get(&payment).copied()
    }
}
