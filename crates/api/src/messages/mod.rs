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

use engine::id::MessageId;
use engine::messages::{Channel, Message, MessageState, SettleMessage, Settled};

use crate::errands::ErrandFailed;
use crate::state::AppState;

/// Who carries messages, and in which language they are written.
#[derive(Clone)]
pub struct Carriers {
    /// Of e-mails.
    pub mail: Mail,
    /// Of texts to telephones.
    pub texts: Texts,
    /// The language of what is written by itself.
    pub language: Language,
}

impl Default for Carriers {
    /// Nobody: all is put into files of the current folder.
    fn default() -> Self {
        let folder = std::path::PathBuf::from("outbox");
        let mail = Mail::folder(folder.clone(), "no-reply@localhost").expect("this is an address");
        Self { mail, texts: Texts::folder(folder), language: Language::Both }
    }
}

impl Carriers {
    async fn carry(&self, message: &Message) -> Settled {
        match message.channel {
            Channel::Email => self.mail.send(message).await,
            Channel::Sms => self.texts.send(message).await,
        }
    }
}

/// Hands a message on, unless it was handed on before.
///
/// # Errors
/// Where it is to be tried again.
pub async fn send(state: &AppState, id: MessageId) -> Result<(), ErrandFailed> {
    let Some(message) = state.desk.message(id).await? else { return Ok(()) };
    if message.state != MessageState::Queued {
        return Ok(());
    }
    let settled = state.settings.carriers.carry(&message).await;
    let why = match &settled {
        Settled::Sent => String::new(),
        Settled::Refused(why) | Settled::Failed(why) => why.clone(),
    };
    metrics::counter!("maepyo_messages_total", "channel" => message.channel.word(), "sent" => sent(&settled))
        .increment(1);
    match state.desk.run(SettleMessage { message: id, settled }).await? {
        true if why.is_empty() => Ok(()),
        true => {
            tracing::warn!(message = %format_args!("{:032x}", id.0), why, "a message was given up");
            Ok(())
        }
        false => Err(ErrandFailed::NotTaken(why)),
    }
}

fn sent(settled: &Settled) -> &'static str {
    match settled {
        Settled::Sent => "yes",
        Settled::Refused(_) | Settled::Failed(_) => "no",
    }
}
