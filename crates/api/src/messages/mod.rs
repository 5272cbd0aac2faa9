//! Messages to people: what they say, when bookings call for one, and who carries them.

mod bookings;
mod files;
mod mail;
mod sms;
mod templates;

pub use bookings::{follow, remind};
pub use mail::Mail;
pub use sms::Texts;
pub use templates::{Language, Missing, Template, write};

use std::sync::Arc;
use std::time::Duration;

use engine::id::{BatchId, MessageId};
use engine::messages::{BATCH, Channel, Message, SettleMessages, Settled};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Semaphore;

use crate::errands::ErrandFailed;
use crate::state::AppState;

/// How many messages are handed on at once.
const AT_ONCE: usize = 32;

/// Who carries messages, and in which language they are written.
#[derive(Clone)]
pub struct Carriers {
    /// Of e-mails.
    pub mail: Mail,
    /// Of texts to telephones.
    pub texts: Texts,
    /// The language of what is written by itself.
    pub language: Language,
    /// How many that bookings call for are queued in a second, so that telling does not slow down selling; 0: all.
    pub per_second: u32,
    under_way: Arc<Semaphore>,
}

impl Default for Carriers {
    /// Nobody: all is put into files of the current folder.
    fn default() -> Self {
        let folder = std::path::PathBuf::from("outbox");
        let mail = Mail::folder(folder.clone(), "no-reply@localhost").expect("this is an address");
        Self::new(mail, Texts::folder(folder), Language::Both, 0)
    }
}

impl Carriers {
    /// Those who carry messages; see the fields.
    #[must_use]
    pub fn new(mail: Mail, texts: Texts, language: Language, per_second: u32) -> Self {
        Self { mail, texts, language, per_second, under_way: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    async fn carry(&self, message: &Message) -> (MessageId, Settled) {
        // Nobody closes it.
        let _one = self.under_way.acquire().await;
        let settled = match message.channel {
            Channel::Email => self.mail.send(message).await,
            Channel::Sms => self.texts.send(message).await,
        };
        metrics::counter!("maepyo_messages_total", "channel" => message.channel.word(), "sent" => sent(&settled))
            .increment(1);
        (message.id, settled)
    }

    /// How long to wait after so many messages were queued.
    fn pause_after(&self, queued: usize) -> Duration {
        let queued = u32::try_from(queued).unwrap_or(u32::MAX);
        Duration::from_secs(1).saturating_mul(queued).checked_div(self.per_second).unwrap_or_default()
    }
}

/// Hands on the messages of a batch, but those that were handed on before. What has come of some is noted while others
/// are under way.
///
/// # Errors
/// Where some are to be tried again.
pub async fn send(state: &AppState, batch: BatchId) -> Result<(), ErrandFailed> {
    let queued = state.desk.queued_messages(batch).await?;
    let carriers = &state.settings.carriers;
    let sending: FuturesUnordered<_> = queued.iter().map(|message| carriers.carry(message)).collect();
    let mut settling = sending.ready_chunks(BATCH);
    let (mut left, mut why) = (0, String::new());
    while let Some(settled) = settling.next().await {
        let failed = reasons(&settled);
        let again = state.desk.run(SettleMessages { settled }).await?;
        for (message, reason) in failed {
            if again.contains(&message) {
                why = reason;
            } else {
                tracing::warn!(message = %format_args!("{:032x}", message.0), why = reason, "a message was given up");
            }
        }
        left += again.len();
    }
    if left == 0 { Ok(()) } else { Err(ErrandFailed::NotTaken { left, of: queued.len(), why }) }
}

/// Why messages were not taken.
fn reasons(settled: &[(MessageId, Settled)]) -> Vec<(MessageId, String)> {
    let reason = |(id, settled): &(MessageId, Settled)| match settled {
        Settled::Sent => None,
        Settled::Refused(why) | Settled::Failed(why) => Some((*id, why.clone())),
    };
    settled.iter().filter_map(reason).collect()
}

fn sent(settled: &Settled) -> &'static str {
    match settled {
        Settled::Sent => "yes",
        Settled::Refused(_) | Settled::Failed(_) => "no",
    }
}
