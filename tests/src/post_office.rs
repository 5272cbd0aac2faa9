//! A mail server that speaks SMTP (RFC 5321) on loopback, keeps what it is given, and now and then has no time.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// An e-mail that was taken.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Whom the envelope names.
    pub to: Vec<String>,
    /// All of it, its lines with `\n`.
    pub text: String,
}

impl Mail {
    /// A header, unfolded; empty where it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> String {
        let head = self.text.split("\n\n").next().unwrap_or_default().replace("\n ", " ");
        let found = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned));
        found.unwrap_or_default()
    }

    /// The subject, decoded (RFC 2047).
    #[must_use]
    pub fn subject(&self) -> String {
        let decode = |word: &str| {
            let inner = word.strip_prefix("=?utf-8?b?").and_then(|rest| rest.strip_suffix("?="))?;
            String::from_utf8(STANDARD.decode(inner).ok()?).ok()
        };
        self.header("Subject").split(' ').map(|word| decode(word).unwrap_or_else(|| format!("{word} "))).collect()
    }
}

/// A running mail server.
#[derive(Clone)]
pub struct PostOffice {
    port: u16,
    taken: Arc<Mutex<Vec<Mail>>>,
    refusals: Arc<Mutex<VecDeque<&'static str>>>,
}

impl PostOffice {
    /// Opens. The first e-mails are turned away with these replies, such as `451 later`.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub async fn open(refusals: &[&'static str]) -> Self {
        Self::open_on(0, refusals).await
    }

    /// Opens on a port.
    ///
    /// # Panics
    /// When it is taken.
    pub async fn open_on(port: u16, refusals: &[&'static str]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let refusals = Arc::new(Mutex::new(refusals.iter().copied().collect()));
        let office = Self { port, taken: Arc::default(), refusals };
        let own = office.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let own = own.clone();
                tokio::spawn(async move { own.serve(stream).await });
            }
        });
        office
    }

    /// Where it is, as the server is told.
    #[must_use]
    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// What it has taken so far.
    ///
    /// # Panics
    /// When a test has panicked with it.
    #[must_use]
    pub fn taken(&self) -> Vec<Mail> {
        self.taken.lock().expect("not poisoned").clone()
    }

    async fn serve(&self, stream: TcpStream) -> Option<()> {
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        let mut to = Vec::new();
        write.write_all(b"220 post.test ESMTP\r\n").await.ok()?;
        while let Some(line) = lines.next_line().await.ok()? {
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            let reply = match verb.as_str() {
                "EHLO" => "250-post.test\r\n250 8BITMIME".to_owned(),
                "RCPT" => {
                    to.push(line.split(['<', '>']).nth(1).unwrap_or_default().to_owned());
                    "250 ok".to_owned()
                }
                "DATA" => {
                    write.write_all(b"354 go on\r\n").await.ok()?;
                    let mut text = String::new();
                    loop {
                        let line = lines.next_line().await.ok()??;
                        if line == "." {
                            break;
                        }
                        // A line that begins with a dot was sent with one more.
                        text += line.strip_prefix('.').unwrap_or(&line);
                        text.push('\n');
                    }
                    self.take(Mail { to: std::mem::take(&mut to), text })
                }
                "QUIT" => "221 bye".to_owned(),
                _ => "250 ok".to_owned(),
            };
            write.write_all(format!("{reply}\r\n").as_bytes()).await.ok()?;
        }
        Some(())
    }

    fn take(&self, mail: Mail) -> String {
        if let Some(refusal) = self.refusals.lock().expect("not poisoned").pop_front() {
            return refusal.to_owned();
        }
        self.taken.lock().expect("not poisoned").push(mail);
        "250 taken".to_owned()
    }
}
