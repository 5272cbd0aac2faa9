//! Texts to telephones: through a provider that is told by HTTP, or into a folder.

use std::path::PathBuf;
use std::time::Duration;

use engine::messages::{Message, Settled};
use http::StatusCode;
use reqwest::redirect::Policy;
use serde_json::json;

use super::files;

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

    /// Texts as files `….json` of a folder.
    #[must_use]
    pub fn folder(folder: PathBuf) -> Self {
        Self(Way::Folder(folder))
    }

    /// Whether they reach telephones.
    #[must_use]
    pub fn reach_telephones(&self) -> bool {
        matches!(self.0, Way::Http { .. })
    }

    /// Hands a text on.
    pub(super) async fn send(&self, message: &Message) -> Settled {
        let id = format!("{:032x}", message.id.0);
        let body = json!({"id": id, "to": message.recipient, "text": message.content.text});
        match &self.0 {
            Way::Folder(folder) => files::write(folder, format!("{id}.json"), body.to_string().into_bytes()).await,
            Way::Http { client, url, token } => {
                let mut request = client.post(url.clone()).header("idempotency-key", &id).json(&body);
                if let Some(token) = token {
                    request = request.bearer_auth(token);
                }
                match request.send().await {
                    Ok(response) => settled(response.status()),
                    Err(error) => Settled::Failed(error.without_url().to_string()),
                }
            }
        }
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
