//! Clients that stop reading.

use std::io;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::box_office::{Buyer, OnSale, put_seats_on_sale};
use crate::client::{Client, Login};
use crate::server::Server;
use crate::store::Store;

/// How much the system takes for a client that does not read, in bytes: as little as it can be made to.
const BUFFER: u32 = 4_096;
/// The longest segments it is sent, in bytes: what the other side keeps for it goes by this.
const SEGMENT: u32 = 536;
/// A frame a websocket may be sent at any time: a pong of Engine.IO.
const PONG: &str = "3";

/// How many clients stop reading.
const STALLED: usize = 40;
/// How often everybody holds seats and gives them back before the server's memory is looked at, and then. Eight messages
/// each time: many times as many as wait for a client.
const ROUNDS: (usize, usize) = (100, 300);
/// What the server may need more for those that do not read while that happens, in megabytes. What they are not sent
/// would be twice as much.
const MORE_MEMORY: u64 = 64;

/// A connection that reads nothing but what it waits for.
pub struct Stalled {
    stream: TcpStream,
    /// What it says now and then, so that nobody takes it for dead.
    sign_of_life: Vec<u8>,
}

impl Stalled {
    /// Follows the stream of events, and stops reading once that has begun.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn stream(port: u16, who: &Login) -> io::Result<Self> {
        let mut own = Self::connect(port, b"\r\n").await?;
        let head = format!("Host: maepyo\r\nAuthorization: Bearer {}", who.token);
        own.write(format!("GET /api/events/stream HTTP/1.1\r\n{head}\r\n\r\n").as_bytes()).await?;
        own.read_until("200 OK").await?;
        Ok(own)
    }

    /// Joins those who choose seats of an event, by Socket.IO, and stops reading once it has the snapshot.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn socket(port: u16, who: &Login, event: &str) -> io::Result<Self> {
        let mut own = Self::connect(port, &frame(PONG)).await?;
        let head = "Host: maepyo\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
        let path = "/socket.io/?EIO=4&transport=websocket";
        own.write(format!("GET {path} HTTP/1.1\r\n{head}\r\n\r\n").as_bytes()).await?;
        own.read_until("0{").await?;
        own.write(&frame(&format!("40{}", json!({"token": who.token})))).await?;
        own.read_until("40{").await?;
        own.write(&frame(&format!("42{}", json!(["join-seat-selection", {"eventId": event}])))).await?;
        own.read_until("seats-snapshot").await?;
        Ok(own)
    }

    /// Waits until the server has hung up, without reading; gives up after about three minutes.
    ///
    /// # Panics
    /// When it does not.
    pub async fn is_hung_up_on(mut self) {
        for _ in 0..180 {
            let said = self.sign_of_life.clone();
            if self.write(&said).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        panic!("a client that reads nothing is still served");
    }

    async fn connect(port: u16, sign_of_life: &[u8]) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(BUFFER)?;
        SockRef::from(&socket).set_tcp_mss(SEGMENT)?;
        let stream = socket.connect(([127, 0, 0, 1], port).into()).await?;
        Ok(Self { stream, sign_of_life: sign_of_life.to_vec() })
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    async fn read_until(&mut self, text: &str) -> io::Result<()> {
        let mut read = Vec::new();
        while !String::from_utf8_lossy(&read).contains(text) {
            if self.stream.read_buf(&mut read).await? == 0 {
                return Err(io::Error::other(String::from_utf8_lossy(&read).into_owned()));
            }
        }
        Ok(())
    }
}

/// A text frame as a client sends it, masked with zeros.
fn frame(text: &str) -> Vec<u8> {
    let length = match u16::try_from(text.len()).expect("a short text") {
        short @ 0..126 => vec![0x80 | short.to_be_bytes()[1]],
        long => [&[0x80 | 126], &long.to_be_bytes()[..]].concat(),
    };
    [&[0x81], &length[..], &[0; 4], text.as_bytes()].concat()
}

/// Who may be the one whose connection it is: nobody has all of them.
pub struct Who {
    /// The admin.
    pub admin: Login,
    /// One of those who buy.
    pub buyer: Login,
}

/// Has clients stop reading, each opened at a port, by somebody, for an event, while seats of it change: they cost no
/// memory and are hung up on.
///
/// # Panics
/// When it is not so.
pub async fn stop_reading<F>(open: impl Fn(u16, Who, String) -> F)
where
    F: Future<Output = io::Result<Stalled>>,
{
    let store = Store::fresh().await;
    let server = Server::start(&store).await;
    let client = server.client();
    let admin = client.admin().await;
    let event = put_seats_on_sale(client, &admin, 10, 20).await;
    let people = client.register_many("busy", 8).await;
    hold_and_give_back(client, &people, &event, ROUNDS.0).await;
    let who = |number: usize| Who { admin: admin.clone(), buyer: people[number % people.len()].clone() };
    let stalled = (0..STALLED).map(|number| open(server.port(), who(number), event.id.clone()));
    let stalled = join_all(stalled).await;
    let stalled: Vec<Stalled> = stalled.into_iter().map(|own| own.expect("it is let in")).collect();
    let before = server.memory();
    hold_and_give_back(client, &people, &event, ROUNDS.1).await;
    let more = server.memory().saturating_sub(before);
    assert!(more < MORE_MEMORY, "{more} MB more for {STALLED} clients that do not read");
    join_all(stalled.into_iter().map(Stalled::is_hung_up_on)).await;
}

/// Everybody holds four seats of its own and gives them back, so often.
async fn hold_and_give_back(client: &Client, people: &[Login], event: &OnSale, times: usize) {
    let own = people.iter().zip(event.seats.chunks_exact(4)).map(|(who, seats)| async move {
        let buyer = Buyer::new(client, who);
        let seats: Vec<&str> = seats.iter().map(String::as_str).collect();
        for _ in 0..times {
            let held = buyer.hold(&event.id, &seats).await.expect("the server answers").expect(200);
            let booking = held["booking_id"].as_str().expect("an id");
            let _ = buyer.cancel(booking).await.expect("the server answers").expect(200);
        }
    });
    join_all(own).await;
}
