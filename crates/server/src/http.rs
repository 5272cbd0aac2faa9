//! Accepts connections, serves them, and lets them finish when the server stops.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::header::EXPECT;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tower::ServiceExt;

use crate::unread::ReadThrough;

/// A client that has not sent its headers by then is hung up on; also how long an idle connection stays.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);

/// A client that reads nothing of what it is sent for so long is hung up on, whatever it waits for.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Connections the system may keep for us until they are accepted.
const BACKLOG: u32 = 4_096;

/// The first address a text names, `localhost:8000` included.
///
/// # Errors
/// When it names none.
pub async fn resolve(listen: &str) -> std::io::Result<SocketAddr> {
    let mut found = tokio::net::lookup_host(listen).await?;
    found.next().ok_or_else(|| std::io::Error::new(ErrorKind::AddrNotAvailable, "no such address"))
}

/// Listens.
///
/// # Errors
/// When the address is taken or not ours.
pub fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// How many connections, and how long they get to finish.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Connections at once; more wait in the backlog.
    pub connections: usize,
    /// What requests under way get when the server stops.
    pub drain: Duration,
}

/// Serves each router at its address until `stop` turns true, then stops accepting and lets requests finish. Gives
/// whether all did.
pub async fn serve(doors: Vec<(TcpListener, Router)>, patience: Patience, stop: watch::Receiver<bool>) -> bool {
    // The doors share the room; each waits for its next client with a place in hand.
    let waiting = doors.len().saturating_sub(1);
    let room = Arc::new(Semaphore::new(patience.connections + waiting));
    let mut serving = JoinSet::new();
    for (listener, router) in doors {
        serving.spawn(attend(listener, router, room.clone(), patience.drain, stop.clone()));
    }
    serving.join_all().await.into_iter().all(|finished| finished)
}

async fn attend(
    listener: TcpListener,
    router: Router,
    room: Arc<Semaphore>,
    drain: Duration,
    mut stop: watch::Receiver<bool>,
) -> bool {
    // Each connection has a copy of the one end; the other hears when the last of them is gone.
    let (open, mut all_closed) = mpsc::channel::<Infallible>(1);
    let server = builder();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &room) => accepted,
            () = stopped(&mut stop) => break,
        };
        let Some((stream, address, permit)) = accepted else { continue };
        let router = router.clone();
        let service = hyper::service::service_fn(move |request| answer(router.clone(), address, request));
        let connection = server.serve_connection(TokioIo::new(stream), service).with_upgrades();
        let (open, mut stop) = (open.clone(), stop.clone());
        tokio::spawn(async move {
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = stopped(&mut stop) => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%address, %error, "connection ended");
            }
            drop((permit, open));
        });
    }
    drop((listener, open));
    tokio::time::timeout(drain, all_closed.recv()).await.is_ok()
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Whoever was to say so is gone: that says it too.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// HTTP/1.1 only: nobody agrees on HTTP/2 without TLS, and to find out which of them a client speaks one has to wait for what
/// it says, with nothing that ends the wait.
fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADER_READ_TIMEOUT);
    builder
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = room.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, address)) => {
            // Answers are small: waiting to fill a packet would only delay them.
            let _ = stream.set_nodelay(true);
            let _ = socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(UNREAD_TIMEOUT));
            Some((stream, address, permit))
        }
        Err(error) => {
            // Most likely out of file descriptors: give the connections there are a moment to end.
            tracing::warn!(%error, "cannot accept a connection");
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

async fn answer(
    router: Router,
    address: SocketAddr,
    mut request: Request<Incoming>,
) -> Result<axum::response::Response, Infallible> {
    request.extensions_mut().insert(ConnectInfo(address));
    api::slash::take_off(request.uri_mut());
    let waits = request.headers().contains_key(EXPECT);
    router.oneshot(request.map(|body| ReadThrough::new(body, waits))).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn start(drain: Duration) -> (SocketAddr, watch::Sender<bool>, tokio::task::JoinHandle<bool>) {
        let slow = || async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            "done"
        };
        let whoami = |ConnectInfo(address): ConnectInfo<SocketAddr>| async move { address.to_string() };
        let router = Router::new().route("/slow", get(slow)).route("/whoami", get(whoami));
        let listener = listen("127.0.0.1:0".parse().expect("an address")).expect("free");
        let address = listener.local_addr().expect("bound");
        let (stop, stopped) = watch::channel(false);
        let patience = Patience { connections: 10, drain };
        (address, stop, tokio::spawn(serve(vec![(listener, router)], patience, stopped)))
    }

    async fn ask(address: SocketAddr, path: &str) -> (TcpStream, SocketAddr) {
        let mut stream = TcpStream::connect(address).await.expect("listening");
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let own = stream.local_addr().expect("connected");
        (stream, own)
    }

    async fn read(mut stream: TcpStream) -> String {
        let mut text = String::new();
        stream.read_to_string(&mut text).await.expect("read");
        text
    }

    #[tokio::test]
    async fn handlers_see_the_address_of_the_client() {
        let (address, _stop, _server) = start(Duration::from_secs(5));
        let (stream, own) = ask(address, "/whoami").await;
        assert!(read(stream).await.ends_with(&own.to_string()));
    }

    /// The body comes after the answer, and so does the next request on the same connection.
    #[tokio::test]
    async fn a_body_that_nobody_reads_does_not_end_the_connection() {
        let (address, _stop, _server) = start(Duration::from_secs(5));
        let mut stream = TcpStream::connect(address).await.expect("listening");
        let head = |length: usize| format!("POST /nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
        for _ in 0..3 {
            stream.write_all(head(12).as_bytes()).await.expect("sent");
            let mut answer = vec![0; 1_000];
            let length = stream.read(&mut answer).await.expect("answered");
            assert!(answer[..length].starts_with(b"HTTP/1.1 404"));
            tokio::time::sleep(Duration::from_millis(50)).await;
            stream.write_all(b"{\"amount\":1}").await.expect("the connection is there");
        }
        let request = "GET /whoami/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.expect("the connection is there");
        let own = stream.local_addr().expect("connected").to_string();
        assert!(read(stream).await.ends_with(&own));
    }

    #[tokio::test]
    async fn a_stopping_server_finishes_requests_and_takes_no_more() {
        let (address, stop, server) = start(Duration::from_secs(5));
        let (stream, _) = ask(address, "/slow").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        stop.send(true).expect("serving");
        assert!(read(stream).await.ends_with("done"));
        assert!(server.await.expect("no panic"));
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn a_request_that_does_not_end_is_left_behind() {
        let (address, stop, server) = start(Duration::from_millis(50));
        let (_stream, _) = ask(address, "/slow").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        stop.send(true).expect("serving");
        assert!(!server.await.expect("no panic"));
    }
}
