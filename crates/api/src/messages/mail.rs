//! E-mails: through an SMTP server, or into a folder.

use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use engine::id::MessageId;
use engine::messages::{Message, Settled};
use futures_util::stream::BoxStream;
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::response::Category;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use super::{Line, files};

/// How long the server may take for one step.
const STEP: Duration = Duration::from_secs(8);
/// How long all of it may take: well within the time for which a job is one node's.
const ALL: Duration = Duration::from_secs(20);

/// Who carries e-mails.
#[derive(Clone)]
pub struct Mail {
    from: Mailbox,
    way: Way,
}

#[derive(Clone)]
enum Way {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    Folder(PathBuf),
}

impl Mail {
    /// E-mails from an address (`Name <name@example.com>`) through the server at a URL, `smtp://user:password@host:25`
    /// or `smtps://…`; `?tls=required` asks for STARTTLS.
    ///
    /// # Errors
    /// What is wrong with the address or the URL, without the URL.
    pub fn smtp(url: &str, from: &str) -> Result<Self, String> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url);
        let transport = transport.map_err(|error| format!("smtp.url: {error}"))?.timeout(Some(STEP)).build();
        Ok(Self { from: sender(from)?, way: Way::Smtp(transport) })
    }

    /// E-mails from an address, in files `….mbox` of a folder.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub fn folder(folder: PathBuf, from: &str) -> Result<Self, String> {
        Ok(Self { from: sender(from)?, way: Way::Folder(folder) })
    }

    /// Hands e-mails on, and tells of each what came of it. One has the same Message-ID whenever it is sent.
    pub(super) fn send<'a>(
        &'a self,
        messages: Vec<&'a Message>,
        line: &'a Line,
    ) -> BoxStream<'a, (MessageId, Settled)> {
        match &self.way {
            Way::Smtp(transport) => line.each(messages, move |message| self.hand_over(transport, message)),
            Way::Folder(folder) => {
                let written = messages.into_iter().map(|message| (message.id, self.boxed(message))).collect();
                line.at_once(files::keep(folder, "mbox", written))
            }
        }
    }

    async fn hand_over(&self, transport: &AsyncSmtpTransport<Tokio1Executor>, message: &Message) -> Settled {
        let written = match self.write(message) {
            Ok(written) => written,
            Err(why) => return Settled::Refused(why),
        };
        match tokio::time::timeout(ALL, transport.send(written)).await {
            Ok(Ok(_)) => Settled::Sent,
            Ok(Err(error)) if is_final(&error) => Settled::Refused(error.to_string()),
            Ok(Err(error)) => Settled::Failed(error.to_string()),
            Err(_) => Settled::Failed("the mail server took too long".to_owned()),
        }
    }

    fn boxed(&self, message: &Message) -> Result<Vec<u8>, String> {
        let written = jiff::Timestamp::from_microsecond(message.created_at.0).map_err(|error| error.to_string())?;
        Ok(files::boxed(&self.write(message)?.formatted(), self.from.email.as_ref(), written))
    }

    fn write(&self, message: &Message) -> Result<lettre::Message, String> {
        let to = message.recipient.parse::<lettre::Address>().map_err(|error| error.to_string())?;
        let micros = u64::try_from(message.created_at.0).unwrap_or(0);
        let builder = lettre::Message::builder()
            .message_id(Some(format!("<{:032x}@{}>", message.id.0, self.from.email.domain())))
            .date(UNIX_EPOCH + Duration::from_micros(micros))
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(&message.content.subject);
        let text = message.content.text.clone();
        let written = match &message.content.html {
            Some(html) => builder.multipart(MultiPart::alternative_plain_html(text, html.clone())),
            None => builder.singlepart(SinglePart::plain(text)),
        };
        written.map_err(|error| error.to_string())
    }
}

fn sender(from: &str) -> Result<Mailbox, String> {
    from.parse().map_err(|error| format!("smtp.from: {error}"))
}

/// Whether the server will not take this message (55x), in contrast to not taking anything from us (53x).
fn is_final(error: &lettre::transport::smtp::Error) -> bool {
    error.is_permanent() && error.status().is_some_and(|code| code.category == Category::MailSystem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::id::BatchId;
    use engine::messages::{Channel, Content, MessageState};
    use engine::time::Time;

    fn message(recipient: &str, subject: &str) -> Message {
        let content =
            Content { subject: subject.to_owned(), text: "본문".to_owned(), html: Some("<p>본문</p>".to_owned()) };
        Message {
            id: MessageId(0xabc),
            batch: BatchId(1),
            channel: Channel::Email,
            recipient: recipient.to_owned(),
            content,
            state: MessageState::Queued,
            created_at: Time::from_millis(1_700_000_000_000),
        }
    }

    fn mail() -> Mail {
        Mail::folder(PathBuf::new(), "매표 <no-reply@maepyo.test>").expect("an address")
    }

    #[test]
    fn an_email_has_one_recipient_and_always_the_same_id_and_date() {
        let write = || mail().write(&message("a@example.com", "예매")).expect("it is written");
        let text = String::from_utf8(write().formatted()).expect("it is ASCII");
        assert!(text.contains("Message-ID: <00000000000000000000000000000abc@maepyo.test>\r\n"), "{text}");
        assert!(text.contains("Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"), "{text}");
        assert_eq!(write().envelope().to().len(), 1);
    }

    #[test]
    fn neither_a_recipient_nor_a_subject_can_add_headers() {
        for recipient in ["a@example.com\r\nBcc: b@example.com", "a@example.com, b@example.com", "a", ""] {
            assert!(mail().write(&message(recipient, "S")).is_err(), "{recipient:?}");
        }
        let written = mail().write(&message("a@example.com", "S\r\nBcc: b@example.com\r\n\r\nX")).expect("written");
        let text = String::from_utf8(written.formatted()).expect("it is ASCII");
        assert!(!text.lines().any(|line| line.starts_with("Bcc:")), "{text}");
    }

    #[test]
    fn a_wrong_url_or_address_is_told_without_its_password() {
        let wrong = Mail::smtp("nonsense://user:hunter2@host", "a@b.c").err().expect("it is wrong");
        assert!(wrong.starts_with("smtp.url: ") && !wrong.contains("hunter2"), "{wrong}");
        assert!(Mail::smtp("smtp://host", "nobody").err().expect("it is wrong").starts_with("smtp.from: "));
    }
}
