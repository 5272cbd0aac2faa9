//! Thousands of sockets in one room: whether a change reaches all of them, and what each costs in memory.
//!
//! The clients speak just enough WebSocket (RFC 6455), Engine.IO 4 and Socket.IO 5 for that.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc, watch};

/// How many connect at the same time.
const AT_ONCE: usize = 64;
/// What a client gets to be in the room, and a change to reach it.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest message a client takes.
const LONGEST: usize = 16 * 1024 * 1024;

/// Clients in the room of an event's seats.
pub struct Crowd {
    /// How many got in.
    pub inside: usize,
    heard: mpsc::Receiver<Instant>,
    /// Dropped, it sends all home.
    _stay: watch::Sender<()>,
}

impl Crowd {
    /// Takes so many clients into the room, in turn of the people with these tokens: nobody may have many.
    pub async fn gather(address: SocketAddr, tokens: &[String], event: &str, clients: usize) -> Self {
        let (entered, mut entering) = mpsc::channel(clients.max(1));
        let (hears, heard) = mpsc::channel(clients.max(1));
        let (stay, home) = watch::channel(());
        let door = Arc::new(Semaphore::new(AT_ONCE));
        for token in tokens.iter().cycle().take(clients) {
            let client = Script { address, token: token.clone(), event: event.to_owned() };
            let (entered, hears, door, mut home) = (entered.clone(), hears.clone(), door.clone(), home.clone());
            tokio::spawn(async move {
                let inside = client.enter(&door).await;
                let _ = entered.send(inside.is_some()).await;
                drop(entered);
                let Some(socket) = inside else { return };
                tokio::select! {
                    _ = home.changed() => {}
                    _ = socket.listen(&hears) => {}
                }
            });
        }
        drop(entered);
        let mut inside = 0;
        while let Some(entered) = entering.recv().await {
            inside += usize::from(entered);
        }
        Self { inside, heard, _stay: stay }
    }

    /// Waits until all have heard of a change made at `from`; gives how many did, and how long it took the last one.
    pub async fn all_heard(&mut self, from: Instant) -> (usize, Duration) {
        let (mut count, mut last) = (0, Duration::ZERO);
        let until = tokio::time::Instant::now() + PATIENCE;
        while count < self.inside
            && let Ok(Some(at)) = tokio::time::timeout_at(until, self.heard.recv()).await
        {
            count += 1;
            last = last.max(at.saturating_duration_since(from));
        }
        (count, last)
    }
}

/// What one client does.
struct Script {
    address: SocketAddr,
    token: String,
    event: String,
}

impl Script {
    /// Connects, says whose it is, and joins the room; `None` where any of it fails.
    async fn enter(&self, door: &Semaphore) -> Option<Socket> {
        let _turn = door.acquire().await.ok()?;
        tokio::time::timeout(PATIENCE, self.join()).await.ok()?
    }

    async fn join(&self) -> Option<Socket> {
        let mut socket = Socket::open(self.address).await?;
        socket.until(|text| text.starts_with('0')).await?;
        socket.send(&format!(r#"40{{"token":"{}"}}"#, self.token)).await?;
        socket.until(|text| text.starts_with("40")).await?;
        socket.send(&format!(r#"42["join-seat-selection",{{"eventId":"{}"}}]"#, self.event)).await?;
        socket.until(ends_snapshot).await?;
        Some(socket)
    }
}

/// Whether a message is the last part of a snapshot.
fn ends_snapshot(text: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Part {
        from: usize,
        total: usize,
        seats: String,
    }
    let said = text.strip_prefix("42").and_then(|said| serde_json::from_str::<(String, Part)>(said).ok());
    said.is_some_and(|(name, part)| name == "seats-snapshot" && part.from + part.seats.len() == part.total)
}

/// A WebSocket, from the client's side.
struct Socket {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Socket {
    async fn open(address: SocketAddr) -> Option<Self> {
        let mut stream = TcpStream::connect(address).await.ok()?;
        let request = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: bench\r\nconnection: Upgrade\r\n\
                       upgrade: websocket\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut socket = Self { stream, unread: Vec::new() };
        loop {
            if let Some(end) = socket.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                let upgraded = socket.unread.starts_with(b"HTTP/1.1 101");
                socket.unread.drain(..end + 4);
                return upgraded.then_some(socket);
            }
            socket.more().await?;
        }
    }

    async fn more(&mut self) -> Option<()> {
        // Small: thousands of these are in one process.
        let mut buffer = [0; 1_024];
        let count = self.stream.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
        self.unread.extend_from_slice(&buffer[..count]);
        Some(())
    }

    /// The next message. Pings are answered.
    async fn next(&mut self) -> Option<String> {
        loop {
            match frame(&self.unread) {
                Frame::Text { from, to } => {
                    let text = String::from_utf8_lossy(&self.unread[from..to]).into_owned();
                    self.unread.drain(..to);
                    self.unread.shrink_to(1_024);
                    if text == "2" {
                        self.send("3").await?;
                        continue;
                    }
                    return Some(text);
                }
                Frame::Other => return None,
                Frame::Part => self.more().await?,
            }
        }
    }

    async fn until(&mut self, fits: impl Fn(&str) -> bool) -> Option<String> {
        loop {
            let text = self.next().await?;
            if fits(&text) {
                return Some(text);
            }
        }
    }

    /// Sends a text; a client masks what it sends, with zeros as well as with anything else.
    async fn send(&mut self, text: &str) -> Option<()> {
        let mut frame = vec![0x81];
        match u8::try_from(text.len()) {
            Ok(length) if length < 126 => frame.push(0x80 | length),
            _ => {
                frame.push(0x80 | 126);
                frame.extend_from_slice(&u16::try_from(text.len()).ok()?.to_be_bytes());
            }
        }
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(text.as_bytes());
        self.stream.write_all(&frame).await.ok()
    }

    /// Says when it hears of a seat.
    async fn listen(mut self, hears: &mpsc::Sender<Instant>) -> Option<()> {
        self.until(|text| text.starts_with(r#"42["seat-locked""#)).await?;
        hears.send(now()).await.ok()?;
        self.until(|_| false).await.map(drop)
    }
}

/// What stands at the beginning of what was received.
#[derive(Debug, PartialEq, Eq)]
enum Frame {
    /// A whole text, and where.
    Text { from: usize, to: usize },
    /// Something that is no text, or too long.
    Other,
    /// Not all of it yet.
    Part,
}

fn frame(bytes: &[u8]) -> Frame {
    let [head, length, ..] = bytes else { return Frame::Part };
    if *head != 0x81 {
        return Frame::Other;
    }
    let (from, length): (usize, usize) = match (*length, bytes) {
        (126, [_, _, a, b, ..]) => (4, usize::from(u16::from_be_bytes([*a, *b]))),
        (127, [_, _, a, b, c, d, e, f, g, h, ..]) => {
            let length = u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]);
            (10, usize::try_from(length).unwrap_or(usize::MAX))
        }
        (126 | 127, _) => return Frame::Part,
        (length, _) => (2, usize::from(length)),
    };
    match from.checked_add(length) {
        Some(to) if to > LONGEST => Frame::Other,
        Some(to) if to <= bytes.len() => Frame::Text { from, to },
        Some(_) => Frame::Part,
        None => Frame::Other,
    }
}

/// For measuring only.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_every_length_are_found_once_they_are_whole() {
        let framed = |length: &[u8], text: &[u8]| [&[0x81], length, text].concat();
        assert_eq!(frame(&framed(&[2], b"40")), Frame::Text { from: 2, to: 4 });
        assert_eq!(frame(&framed(&[2], b"4")), Frame::Part);
        assert_eq!(frame(&[0x81]), Frame::Part);
        assert_eq!(frame(&framed(&[126, 1, 0], &[b'x'; 256])), Frame::Text { from: 4, to: 260 });
        assert_eq!(frame(&framed(&[126, 1], &[])), Frame::Part);
        let long = framed(&[127, 0, 0, 0, 0, 0, 1, 0, 0], &[b'x'; 65_536]);
        assert_eq!(frame(&long), Frame::Text { from: 10, to: 65_546 });
        assert_eq!(frame(&framed(&[127, 255, 255, 255, 255, 255, 255, 255, 255], &[])), Frame::Other);
        assert_eq!(frame(&[0x88, 0]), Frame::Other, "the server hangs up");
    }
}
