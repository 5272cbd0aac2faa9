//! Texts to telephones: through a provider that is told by HTTP, or into a folder.

use std::path::PathBuf;
use std::time::Duration;

use engine::id::MessageId;
use engine::messages::{Message, Settled};
use futures_util::stream::BoxStream;
use http::StatusCode;
use reqwest::redirect::Policy;
use serde_json::{Value, json};

use super::{Line, files};

const ALL: Duration = Duration::from_secs(15);

/// Who carries texts.
#[derive(Clone)]
pub struct Texts(Way);

#[derive(Clone)]
enum Way {
    Http { client: reqwest::Client, url: reqwest::Url, token: Option<String> },
    Folder(PathBuf),
}

impl Texts {
    /// Texts through the provider at a URL: each is a POST of `{"id","to","text"}` with an `Idempotency-Key`, and a
    /// bearer token where there is one.
    ///
    /// # Errors
    /// What is wrong with the URL, without the URL.
    pub fn http(url: &str, token: Option<&str>) -> Result<Self, String> {
        let url = reqwest::Url::parse(url).map_err(|error| format!("sms.url: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err("sms.url: must be an http or https address".to_owned());
        }
        let client = reqwest::Client::builder().timeout(ALL).redirect(Policy::none()).no_proxy().build();
        let client = client.map_err(|error| format!("sms.url: {}", error.without_url()))?;
        Ok(Self(Way::Http { client, url, token: token.map(str::to_owned) }))
    }

    /// Texts in files `….jsonl` of a folder, a line each.
    #[must_use]
    pub fn folder(folder: PathBuf) -> Self {
        Self(Way::Folder(folder))
    }

    /// Whether they reach telephones.
    #[must_use]
    pub fn reach_telephones(&self) -> bool {
        matches!(self.0, Way::Http { .. })
    }

    /// Hands texts on, and tells of each what came of it.
    pub(super) fn send<'a>(
        &'a self,
        messages: Vec<&'a Message>,
        line: &'a Line,
    ) -> BoxStream<'a, (MessageId, Settled)> {
        match &self.0 {
            Way::Http { client, url, token } => line.each(messages, move |message| {
                let key = format!("{:032x}", message.id.0);
                let request = client.post(url.clone()).header("idempotency-key", key).json(&body(message));
                ask(match token {
                    Some(token) => request.bearer_auth(token),
                    None => request,
                })
            }),
            Way::Folder(folder) => {
                let text = |message: &Message| format!("{}\n", body(message)).into_bytes();
                let written = messages.into_iter().map(|message| (message.id, Ok(text(message)))).collect();
                line.at_once(files::keep(folder, "jsonl", written))
            }
        }
    }
}

fn body(message: &Message) -> Value {
    json!({"id": format!("{:032x}", message.id.0), "to": message.recipient, "text": message.content.text})
}

async fn ask(request: reqwest::RequestBuilder) -> Settled {
    match request.send().await {
        Ok(response) => settled(response.status()),
        Err(error) => Settled::Failed(error.without_url().to_string()),
    }
}

fn settled(status: StatusCode) -> Settled {
    let why = || format!("the provider answered {}", status.as_u16());
    match status {
        status if status.is_success() => Settled::Sent,
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Settled::Refused(why()),
        _ => Settled::Failed(why()),
    }
}
