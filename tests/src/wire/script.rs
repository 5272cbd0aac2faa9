//! The form of a file of wire tests.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// A file of wire tests.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// Whose errors are expected: the dialect that the file's folder is named after.
    #[serde(skip)]
    pub dialect: String,
    /// Further settings of the server.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// People to register before the first step. `admin` is always there.
    #[serde(default)]
    pub people: Vec<String>,
    /// What is sent, in order.
    pub step: Vec<Step>,
}

impl Script {
    /// Reads a file.
    ///
    /// # Panics
    /// When it is not of the form, saying where.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).expect("the file can be read");
        let script: Self = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let folder = path.parent().and_then(Path::file_name).expect("the file is in a dialect's folder");
        Self { dialect: folder.to_string_lossy().into_owned(), ..script }
    }
}

/// One request and what has to come back.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    /// What it shows, as part of a sentence.
    pub name: String,
    /// Method and path, `POST /api/bookings`.
    pub request: String,
    /// Who sends it: one of the people; nobody when absent.
    #[serde(rename = "as")]
    pub sender: Option<String>,
    /// Sends a doctored token instead of the true one.
    pub token: Option<Token>,
    /// Headers to send.
    pub headers: BTreeMap<String, String>,
    /// The body, as JSON.
    pub json: Option<toml::Value>,
    /// The body, as it is.
    pub raw: Option<String>,
    /// The body: a JSON object of exactly this many bytes.
    pub bytes: Option<usize>,
    /// Signs the body as the payment gateway would.
    pub sign: Option<Sign>,
    /// Sends the same this many times; every answer has to be as expected.
    pub times: Option<usize>,
    /// Sends the same again, for ten seconds at most, until the answer is as expected.
    pub eventually: bool,
    /// The expected status, or a list of allowed ones where the interface leaves it open.
    pub status: Statuses,
    /// The expected error code, or what the dialect has in its place; the whole envelope is checked anyway.
    pub error: Option<String>,
    /// Whose envelope an error has, where it is not the file's dialect's.
    pub dialect: Option<String>,
    /// What the body has to contain.
    pub body: Option<toml::Value>,
    /// What the body has to be like as text: a regular expression.
    pub text: Option<String>,
    /// What headers have to be like.
    pub reply_headers: BTreeMap<String, String>,
    /// Values to keep for later steps: a name, and a JSON pointer, `header:Name`, or `qr` for what the QR code in a
    /// PNG says.
    pub save: BTreeMap<String, String>,
}

/// Allowed statuses.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Statuses {
    /// This one.
    One(u16),
    /// Any of these.
    AnyOf(Vec<u16>),
}

impl Default for Statuses {
    fn default() -> Self {
        Self::One(200)
    }
}

impl Statuses {
    /// Whether a status is allowed.
    #[must_use]
    pub fn allow(&self, status: u16) -> bool {
        match self {
            Self::One(one) => *one == status,
            Self::AnyOf(list) => list.contains(&status),
        }
    }
}

/// How a true token is doctored.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Token {
    /// The algorithm it names.
    pub alg: Option<String>,
    /// The key it is signed with.
    pub key: Option<String>,
    /// In how many seconds it expires; negative is in the past.
    pub expires_in: Option<i64>,
    /// Claims to put in.
    pub claims: BTreeMap<String, toml::Value>,
    /// Whether the true signature stays under the changed claims.
    pub keep_signature: bool,
}

/// How a webhook is signed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sign {
    /// Another secret than the server's.
    pub secret: Option<String>,
    /// Signed so many seconds from now.
    pub offset: i64,
    /// Signs this instead of what is sent.
    pub over: Option<String>,
}
