//! A receiver of HTTP requests, for what the server sends to others. It keeps what came and answers as it is told.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request that came.
#[derive(Debug, Clone)]
pub struct Request {
    /// The headers, their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body as it came.
    pub body: String,
    /// What it was answered.
    pub status: u16,
}

impl Request {
    /// A header; empty where it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(String::as_str).unwrap_or_default()
    }

    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// A running receiver.
#[derive(Clone)]
pub struct Receiver {
    port: u16,
    came: Arc<Mutex<Vec<Request>>>,
    answers: Arc<Mutex<VecDeque<u16>>>,
}

impl Receiver {
    /// Listens on loopback. The first requests are answered with these statuses, all others with 204.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub async fn start(answers: &[u16]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback has a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let answers = Arc::new(Mutex::new(answers.iter().copied().collect()));
        let receiver = Self { port, came: Arc::default(), answers };
        let own = receiver.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(own.clone().serve(stream));
            }
        });
        receiver
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// What came so far.
    ///
    /// # Panics
    /// When a test has panicked with it.
    #[must_use]
    pub fn came(&self) -> Vec<Request> {
        self.came.lock().expect("not poisoned").clone()
    }

    async fn serve(self, mut stream: TcpStream) {
        let mut bytes = Vec::new();
        loop {
            if let Some(request) = self.read(&bytes) {
                let answer = format!("HTTP/1.1 {} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", request.status);
                self.came.lock().expect("not poisoned").push(request);
                let _ = stream.write_all(answer.as_bytes()).await;
                return;
            }
            let mut more = [0; 4_096];
            match stream.read(&mut more).await {
                Ok(read) if read > 0 => bytes.extend_from_slice(&more[..read]),
                _ => return,
            }
        }
    }

    /// The request, once it is whole.
    fn read(&self, bytes: &[u8]) -> Option<Request> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let headers = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let headers: BTreeMap<String, String> =
            headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
        let length: usize = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        if body.len() < length {
            return None;
        }
        let status = self.answers.lock().expect("not poisoned").pop_front().unwrap_or(204);
        Some(Request { headers, body: body.to_owned(), status })
    }
}
