//! A client that speaks JSON to one server.

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use std::time::Duration;

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub bytes: Vec<u8>,
}

impl Answer {
    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    /// The body where the status is the expected one.
    ///
    /// # Panics
    /// With the body, when the status is another.
    #[must_use]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.bytes));
        self.json()
    }

    /// The error code of the envelope; empty where there is none.
    #[must_use]
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Somebody who has signed in.
#[derive(Debug, Clone)]
pub struct Login {
    /// The user's id.
    pub user: String,
    /// The access token.
    pub token: String,
    /// The refresh token.
    pub refresh: String,
}

/// Speaks to one server. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    /// A client of the server at an address, `http://host:port`.
    ///
    /// # Panics
    /// When no client can be made.
    #[must_use]
    pub fn new(base: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60));
        Self { http: http.build().expect("a client needs nothing that can be missing"), base: base.to_owned() }
    }

    /// A request to build upon.
    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).expect("the method is a word");
        self.http.request(method, format!("{}{path}", self.base))
    }

    /// Sends; `None` when no whole answer came back.
    pub async fn attempt(&self, method: &str, path: &str, who: Option<&Login>, body: Option<&Value>) -> Option<Answer> {
        let mut request = self.request(method, path);
        if let Some(login) = who {
            request = request.bearer_auth(&login.token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        read(request).await
    }

    /// GET as somebody.
    pub async fn get(&self, path: &str, who: &Login) -> Answer {
        self.attempt("GET", path, Some(who), None).await.expect("the server answers")
    }

    /// POST as somebody.
    pub async fn post(&self, path: &str, who: &Login, body: Value) -> Answer {
        self.attempt("POST", path, Some(who), Some(&body)).await.expect("the server answers")
    }

    /// Signs in.
    pub async fn login(&self, email: &str, password: &str) -> Login {
        let body = json!({"email": email, "password": password});
        let answer = self.attempt("POST", "/api/auth/login", None, Some(&body)).await.expect("the server answers");
        let body = answer.expect(200);
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        Login { user: text("/user/user_id"), token: text("/access_token"), refresh: text("/refresh_token") }
    }

    /// Registers somebody and signs in.
    pub async fn register(&self, name: &str) -> Login {
        let email = format!("{name}@maepyo.test");
        let body = json!({"email": email, "password": "a-password-of-tests", "name": name});
        let answer = self.attempt("POST", "/api/auth/register", None, Some(&body)).await.expect("the server answers");
        let _ = answer.expect(200);
        self.login(&email, "a-password-of-tests").await
    }

    /// Registers as many people, called `name`, a dash and a number.
    pub async fn register_many(&self, name: &str, count: usize) -> Vec<Login> {
        let names: Vec<String> = (0..count).map(|number| format!("{name}-{number}")).collect();
        futures_util::future::join_all(names.iter().map(|name| self.register(name))).await
    }

    /// Signs the first admin in.
    pub async fn admin(&self) -> Login {
        self.login(crate::server::ADMIN.0, crate::server::ADMIN.1).await
    }
}

/// Sends a request and reads the whole answer; `None` when none came back.
pub async fn read(request: reqwest::RequestBuilder) -> Option<Answer> {
    let response = request.send().await.ok()?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = response.bytes().await.ok()?.to_vec();
    Some(Answer { status, headers, bytes })
}
