//! A payment gateway that answers as Stripe does, or hangs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A gateway, for as long as the test lasts.
#[derive(Clone)]
pub struct Bank {
    base: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    hangs: AtomicBool,
    refunds_asked: AtomicUsize,
}

impl Bank {
    /// Starts one.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback has a free port");
        let base = format!("http://{}", listener.local_addr().expect("it is bound"));
        let state = Arc::new(State::default());
        let own = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, own.clone()));
            }
        });
        Self { base, state }
    }

    /// Its address.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// From now on refunds get no answer, or get one again.
    pub fn hang(&self, hangs: bool) {
        self.state.hangs.store(hangs, Ordering::SeqCst);
    }

    /// How often it was asked to give money back.
    #[must_use]
    pub fn refunds_asked(&self) -> usize {
        self.state.refunds_asked.load(Ordering::SeqCst)
    }
}

async fn serve(mut stream: TcpStream, state: Arc<State>) -> Option<()> {
    let (line, form) = read(&mut stream).await?;
    let amount = || form.split('&').find_map(|field| field.strip_prefix("amount=")?.parse::<i64>().ok());
    let answer: Value = match line.split('?').next().unwrap_or_default() {
        "POST /v1/payment_intents" => json!({
            "id": "pi_bank", "client_secret": "pi_bank_secret", "amount": amount(), "currency": "krw",
            "status": "requires_payment_method",
        }),
        "POST /v1/refunds" => {
            state.refunds_asked.fetch_add(1, Ordering::SeqCst);
            if state.hangs.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            json!({"id": "re_bank", "amount": amount(), "status": "succeeded"})
        }
        _ => json!({"object": "list", "data": []}),
    };
    let body = answer.to_string();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n", body.len());
    stream.write_all(format!("{head}connection: close\r\n\r\n{body}").as_bytes()).await.ok()
}

/// One request: its method and path, and its body.
async fn read(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut text = String::new();
    loop {
        let mut bytes = [0; 4096];
        let count = stream.read(&mut bytes).await.ok().filter(|count| *count > 0)?;
        text.push_str(&String::from_utf8_lossy(&bytes[..count]));
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
        if body.len() >= length.unwrap_or(0) {
            let line = head.lines().next().unwrap_or_default();
            let line = line.rsplit_once(' ').map_or(line, |(start, _)| start);
            return Some((line.to_owned(), body.to_owned()));
        }
    }
}
