//! The loader: one thread, many keep-alive connections, each sending its next request when it has its answer.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::response::{self, Head};

/// What one connection sends. A unit of work is one request or several in a row.
pub trait Script {
    /// Appends the next request.
    fn request(&mut self, out: &mut Vec<u8>);
    /// Takes its answer.
    fn answer(&mut self, status: u16, body: &[u8]) -> Step;
}

/// What an answer meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The unit of work succeeded.
    Done,
    /// It goes on with another request.
    More,
    /// It failed, and this is why; the next request starts a new one.
    Failed(String),
}

/// How hard and how long.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub connections: usize,
    pub warm_up: Duration,
    pub measured: Duration,
}

/// What was measured.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// How long each unit that succeeded took, in microseconds; sorted.
    latencies: Vec<u32>,
    /// What went wrong, and how often.
    pub errors: BTreeMap<String, u64>,
    seconds: f64,
    /// Units that succeeded, those of the warm-up too.
    all: u64,
    /// The processor time of the server over all of them, in microseconds.
    pub processor: Option<u64>,
}

impl Measured {
    /// The server's processor time for a unit, in microseconds.
    pub fn cost(&self) -> f64 {
        self.processor.filter(|_| self.all > 0).map_or(f64::NAN, |micros| micros as f64 / self.all as f64)
    }

    /// Units that succeeded, per second.
    pub fn rate(&self) -> f64 {
        if self.seconds > 0.0 { self.latencies.len() as f64 / self.seconds } else { 0.0 }
    }

    /// The rate as a ratio to another; not a number where it is not sound or there is no other.
    pub fn ratio_to(&self, base: f64) -> f64 {
        if self.is_sound() && base > 0.0 { self.rate() / base } else { f64::NAN }
    }

    /// Whether hardly any unit failed: a rate among many failures says nothing.
    pub fn is_sound(&self) -> bool {
        self.errors.values().sum::<u64>() * 100 <= self.latencies.len() as u64
    }

    /// The latency below which this share of units stayed, in milliseconds.
    pub fn percentile(&self, share: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let index = (last as f64 * share).round() as usize;
        self.latencies.get(index).map_or(0.0, |micros| f64::from(*micros) / 1_000.0)
    }

    fn take(&mut self, step: Step, began: Instant) {
        match step {
            Step::Done => self.latencies.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX)),
            Step::More => {}
            Step::Failed(why) => *self.errors.entry(why).or_default() += 1,
        }
    }
}

/// Runs a script on every connection for the time of the load; counts after the warm-up.
///
/// # Errors
/// When no thread can be had.
pub fn run(address: SocketAddr, load: Load, script: &dyn Fn() -> Box<dyn Script>) -> Result<Measured, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let measured = Rc::new(RefCell::new(Measured::default()));
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let start = Instant::now() + load.warm_up;
        let span = Span { start, end: start + load.measured };
        let connections: Vec<_> = (0..load.connections)
            .map(|_| tokio::task::spawn_local(keep_going(address, script(), span, measured.clone())))
            .collect();
        for connection in connections {
            if let Err(panic) = connection.await {
                *measured.borrow_mut().errors.entry(panic.to_string()).or_default() += 1;
            }
        }
    });
    let mut measured = measured.take();
    measured.seconds = load.measured.as_secs_f64();
    measured.latencies.sort_unstable();
    Ok(measured)
}

#[derive(Clone, Copy)]
struct Span {
    start: Instant,
    end: Instant,
}

/// Connects again whenever the connection is lost.
async fn keep_going(address: SocketAddr, mut script: Box<dyn Script>, span: Span, measured: Rc<RefCell<Measured>>) {
    while Instant::now() < span.end {
        if let Err(error) = converse(address, &mut *script, span, &measured).await {
            *measured.borrow_mut().errors.entry(error).or_default() += 1;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn converse(
    address: SocketAddr,
    script: &mut dyn Script,
    span: Span,
    measured: &RefCell<Measured>,
) -> Result<(), String> {
    let text = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect(address).await.map_err(text)?;
    stream.set_nodelay(true).map_err(text)?;
    let (mut out, mut answer) = (Vec::with_capacity(1 << 10), Vec::with_capacity(1 << 14));
    let mut began = Instant::now();
    loop {
        out.clear();
        script.request(&mut out);
        stream.write_all(&out).await.map_err(text)?;
        let head = receive(&mut stream, &mut answer).await?;
        let step = script.answer(head.status, &answer[head.body..head.end]);
        let now = Instant::now();
        if now >= span.end {
            return Ok(());
        }
        let over = step != Step::More;
        measured.borrow_mut().all += u64::from(step == Step::Done);
        if now >= span.start && (began >= span.start || step != Step::Done) {
            measured.borrow_mut().take(step, began);
        }
        if over {
            began = now;
        }
    }
}

/// Reads one answer into `answer`.
pub async fn receive(stream: &mut TcpStream, answer: &mut Vec<u8>) -> Result<Head, String> {
    answer.clear();
    let mut known = None;
    loop {
        if stream.read_buf(answer).await.map_err(|error| error.to_string())? == 0 {
            return Err("the connection was closed".to_owned());
        }
        if known.is_none() {
            known = response::head(answer)?;
        }
        match known {
            Some(head) if answer.len() == head.end => return Ok(head),
            Some(head) if answer.len() > head.end => return Err("more than one answer".to_owned()),
            Some(head) => answer.reserve(head.end - answer.len()),
            None => answer.reserve(1 << 12),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::http::StatusCode;
    use axum::routing::get;

    struct Ask {
        turn: u32,
    }

    impl Script for Ask {
        fn request(&mut self, out: &mut Vec<u8>) {
            let path = ["/ok", "/ok", "/no"][self.turn as usize % 3];
            out.extend_from_slice(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes());
        }
        fn answer(&mut self, status: u16, body: &[u8]) -> Step {
            self.turn += 1;
            match (status, self.turn % 3) {
                (200, 1) => Step::More,
                (200, _) if body == b"well" => Step::Done,
                _ => Step::Failed(format!("status {status}")),
            }
        }
    }

    #[test]
    fn only_successes_are_counted_and_errors_are_listed() {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("free");
        let address = listener.local_addr().expect("bound");
        let no = || std::future::ready(StatusCode::IM_A_TEAPOT);
        let router = Router::new().route("/ok", get(|| std::future::ready("well"))).route("/no", get(no));
        runtime.spawn(async move { axum::serve(listener, router).await });
        let load = Load { connections: 3, warm_up: Duration::from_millis(20), measured: Duration::from_millis(200) };
        let measured = run(address, load, &|| Box::new(Ask { turn: 0 })).expect("a thread");
        let failed = measured.errors.get("status 418").copied().expect("some");
        assert_eq!(measured.errors.len(), 1, "{:?}", measured.errors);
        assert!(measured.latencies.len().abs_diff(usize::try_from(failed).expect("few")) <= 6);
        assert!(measured.rate() > 0.0 && measured.percentile(0.99) >= measured.percentile(0.5));
    }

    #[test]
    fn percentiles_are_taken_of_the_sorted_latencies() {
        let measured = Measured {
            latencies: (0..=100).map(|n| n * 1_000).collect(),
            errors: BTreeMap::new(),
            seconds: 2.0,
            ..Measured::default()
        };
        assert_eq!((measured.percentile(0.5), measured.percentile(0.99), measured.rate()), (50.0, 99.0, 50.5));
        assert_eq!(Measured::default().percentile(0.5), 0.0);
    }

    #[test]
    fn more_than_one_failure_in_a_hundred_makes_a_rate_unsound() {
        let measured = |failed| Measured {
            latencies: vec![1; 100],
            errors: BTreeMap::from([("why".to_owned(), failed)]),
            seconds: 1.0,
            ..Measured::default()
        };
        assert!(measured(1).is_sound() && !measured(2).is_sound());
    }
}
