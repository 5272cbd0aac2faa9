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
use futures_util::stream::{self, BoxStream, FuturesUnordered};
use futures_util::{Stream, StreamExt as _};
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
    line: Line,
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
        Self { mail, texts, language, per_second, line: Line(Arc::new(Semaphore::new(AT_ONCE))) }
    }

    fn carry<'a>(&'a self, messages: &'a [Message]) -> impl Stream<Item = (MessageId, Settled)> + 'a {
        let of = |channel| messages.iter().filter(|message| message.channel == channel).collect::<Vec<_>>();
        let mails = self.mail.send(of(Channel::Email), &self.line).inspect(|sent| count(Channel::Email, sent));
        let texts = self.texts.send(of(Channel::Sms), &self.line).inspect(|sent| count(Channel::Sms, sent));
        stream::select(mails, texts)
    }

    /// How long to wait after so many messages were queued.
    fn pause_after(&self, queued: usize) -> Duration {
        let queued = u32::try_from(queued).unwrap_or(u32::MAX);
        Duration::from_secs(1).saturating_mul(queued).checked_div(self.per_second).unwrap_or_default()
    }
}

/// Where messages wait to be handed on.
#[derive(Clone)]
struct Line(Arc<Semaphore>);

impl Line {
    /// Each by itself, so many at once.
    fn each<'a, F>(
        &'a self,
        messages: Vec<&'a Message>,
        hand_on: impl Fn(&'a Message) -> F + Copy + Send + 'a,
    ) -> BoxStream<'a, (MessageId, Settled)>
    where
        F: Future<Output = Settled> + Send + 'a,
    {
        let one = move |message: &'a Message| async move {
            // Nobody closes it.
            let _place = self.0.acquire().await;
            (message.id, hand_on(message).await)
        };
        messages.into_iter().map(one).collect::<FuturesUnordered<_>>().boxed()
    }

    /// All together, as if they were one.
    fn at_once<'a>(
        &'a self,
        work: impl Future<Output = Vec<(MessageId, Settled)>> + Send + 'a,
    ) -> BoxStream<'a, (MessageId, Settled)> {
        let settled = async move {
            let _place = self.0.acquire().await;
            stream::iter(work.await)
        };
        stream::once(settled).flatten().boxed()
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
    let mut settling = carriers.carry(&queued).ready_chunks(BATCH);
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

fn count(channel: Channel, (_, settled): &(MessageId, Settled)) {
    let sent = match settled {
        Settled::Sent => "yes",
        Settled::Refused(_) | Settled::Failed(_) => "no",
    };
    metrics::counter!("maepyo_messages_total", "channel" => channel.word(), "sent" => sent).increment(1);
}
