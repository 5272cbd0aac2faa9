//! One measurement after the other.

use std::cell::Cell;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use ::desk::{DeskConfig, StoreConfig};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::child::Server;
use super::ground::Ground;
use super::loader::{self, Load, Measured, Script};
use super::queue::{self, Ask, Join};
use super::scripts::{Buy, Each, Hold, Issue, SailHold, Same, TiketiHold};
use super::sockets::{self, Crowd};
use super::table::{Floor, Table};
use super::{BenchArgs, Scene, listing, response};
use crate::cli::{Failure, Runtime, runtime};
use crate::config::Secret;
use crate::folder::random_hex;

/// Lines that every buyer joins, for each second that is measured: more than can be joined.
const LINES_JOINED: u64 = 20;
/// The most memory while seats are sold, in MiB.
const SEATS_FLOOR: Floor = Floor::Below(300.0);

/// Runs what is asked for.
///
/// # Errors
/// When a server cannot be started or the store cannot be prepared.
pub fn all(args: &BenchArgs) -> Result<Table, Failure> {
    let runtime = runtime()?;
    let mut bench = Bench::new(args, &runtime)?;
    let small = bench.prepare(args.events, None)?;
    let gathered = bench.first_server(&small)?;
    if args.wants(Scene::Sail) {
        bench.sail(&small)?;
    }
    if args.wants(Scene::Sockets) {
        bench.sockets(&small)?;
    }
    if args.wants(Scene::Queue) {
        bench.queue()?;
    }
    if args.wants(Scene::Ungathered) {
        bench.ungathered(&small, &gathered)?;
    }
    if args.wants(Scene::Scale) {
        bench.scale(&small)?;
    }
    if args.wants(Scene::Search) || args.wants(Scene::Autocomplete) {
        bench.searches(&small)?;
    }
    Ok(bench.table)
}

/// A folder that is removed in the end.
struct Scratch(PathBuf);

impl Scratch {
    /// One that is not there yet, inside another.
    fn new(inside: &Path, name: &str) -> Result<Self, Failure> {
        let folder = inside.join(format!("maepyo-{name}-{}", std::process::id()));
        std::fs::create_dir(&folder).map_err(|error| Failure::new(format!("{}: {error}", folder.display())))?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is left to whoever looks after the folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Bench<'a> {
    args: &'a BenchArgs,
    runtime: &'a Runtime,
    scratch: Scratch,
    secret: Secret,
    load: Load,
    echo: Server,
    table: Table,
}

/// Holds as they were measured: how many, as a ratio to echo, and the rate itself.
struct Holds {
    ratio: f64,
    rate: f64,
}

impl<'a> Bench<'a> {
    fn new(args: &'a BenchArgs, runtime: &'a Runtime) -> Result<Self, Failure> {
        let scratch = Scratch::new(&args.folder, "bench")?;
        let load = Load {
            connections: usize::from(args.connections),
            warm_up: Duration::from_secs(1),
            measured: Duration::from_secs(args.seconds),
        };
        let echo = runtime.block_on(Server::echo(None))?;
        Ok(Self { args, runtime, scratch, secret: random_hex(), load, echo, table: Table::default() })
    }

    fn postgres(&self) -> bool {
        self.args.database_url.is_some()
    }

    /// Makes more events, with no server on the store.
    fn prepare(&self, events: u16, known: Option<&Ground>) -> Result<Rc<Ground>, Failure> {
        let made = Ground::prepare(self.desk(), &self.secret, usize::from(events), self.args.seats, known);
        self.runtime.block_on(made)
    }

    /// The waiting room: joining it, with nobody joining a line twice; and asking, with many waiting.
    fn queue(&mut self) -> Result<(), Failure> {
        let events = usize::try_from((self.args.seconds + 1) * LINES_JOINED).map_err(Failure::new)?;
        let ground = self.runtime.block_on(Ground::prepare(self.desk(), &self.secret, events, 10, None))?;
        self.runtime.block_on(queue::fill(self.desk(), &ground))?;
        let server = self.start(&[])?;
        let next = Rc::new(Cell::new(0));
        let joins = || Join::new(ground.clone(), next.clone());
        let (measured, echo) = self.beside_echo(&ground, &server, joins)?;
        self.table.rate("waiting room: joined", &measured, "echo", echo, self.hold_floor());
        let next = Rc::new(Cell::new(0));
        let asks = || Ask::new(ground.clone(), next.clone());
        let (measured, echo) = self.beside_echo(&ground, &server, asks)?;
        self.table.rate("waiting room: asked, 100,000 waiting", &measured, "echo", echo, Floor::AtLeast(0.5));
        Ok(())
    }

    /// A desk of its own, for when no server is on the store.
    fn desk(&self) -> DeskConfig {
        let store = match &self.args.database_url {
            Some(url) => StoreConfig::Postgres(url.clone()),
            None => StoreConfig::Sqlite(self.scratch.0.clone()),
        };
        DeskConfig { store, queue: 16_384, batch: 1_024, gatherers: 1, readers: 1 }
    }

    /// How much of the echo's rate holds have to reach.
    fn hold_floor(&self) -> Floor {
        Floor::AtLeast(if self.postgres() { 0.20 } else { 0.25 })
    }

    fn start(&self, more: &[(&'static str, &str)]) -> Result<Server, Failure> {
        let mut settings = vec![
            ("DATA", self.scratch.0.display().to_string()),
            ("JWT_SECRET", self.secret.reveal().to_owned()),
            ("RATE_LIMITS", "off".to_owned()),
            ("LOG_LEVEL", "warn".to_owned()),
        ];
        settings.extend(self.args.database_url.iter().map(|url| ("DATABASE_URL", url.clone())));
        settings.extend(self.args.set.iter().map(|(name, text)| (name.as_str(), text.clone())));
        settings.extend(more.iter().map(|(name, text)| (*name, (*text).to_owned())));
        self.runtime.block_on(Server::maepyo(&settings))
    }

    /// Measures, with the echo before and after; gives the mean of the two echoes too.
    fn beside_echo<S: Script + 'static>(
        &self,
        ground: &Ground,
        server: &Server,
        script: impl Fn() -> S,
    ) -> Result<(Measured, f64), Failure> {
        let before = self.measure(&self.echo, || Same::echo(ground))?.rate();
        let measured = self.measure(server, script)?;
        let after = self.measure(&self.echo, || Same::echo(ground))?.rate();
        Ok((measured, f64::midpoint(before, after)))
    }

    fn measure<S: Script + 'static>(&self, server: &Server, script: impl Fn() -> S) -> Result<Measured, Failure> {
        let before = server.processor();
        let mut measured = loader::run(server.address, self.load, &|| Box::new(script())).map_err(Failure::new)?;
        measured.processor = server.processor().zip(before).map(|(after, before)| after - before);
        Ok(measured)
    }

    fn holds(&mut self, what: &str, ground: &Rc<Ground>, server: &Server, floor: Floor) -> Result<Holds, Failure> {
        let (measured, echo) = self.beside_echo(ground, server, || Hold(ground.clone()))?;
        self.table.rate(what, &measured, "echo", echo, floor);
        let rate = if measured.is_sound() { measured.rate() } else { f64::NAN };
        Ok(Holds { ratio: measured.ratio_to(echo), rate })
    }

    /// Everything that is measured on the store as it is first made.
    fn first_server(&mut self, ground: &Rc<Ground>) -> Result<Holds, Failure> {
        let server = self.start(&[])?;
        let echo = self.measure(&self.echo, || Same::echo(ground))?;
        self.table.rate("JSON echo (the ceiling)", &echo, "itself", echo.rate(), Floor::None);
        let floor = self.hold_floor();
        // What gathering brings is told as a ratio to this.
        let others = [Scene::Holds, Scene::Ungathered];
        let holds = match others.into_iter().any(|scene| self.args.wants(scene)) {
            true => self.holds("holds", ground, &server, floor)?,
            false => Holds { ratio: 0.0, rate: 0.0 },
        };
        if self.args.wants(Scene::Sales) {
            let (measured, echo) = self.beside_echo(ground, &server, || Buy::new(ground.clone()))?;
            self.table.rate("complete sales", &measured, "echo", echo, Floor::AtLeast(0.05));
        }
        if self.args.wants(Scene::Movie) {
            let count = Rc::new(Cell::new(0));
            let (measured, echo) = self.beside_echo(ground, &server, || Issue(count.clone()))?;
            self.table.rate("movie tickets, each under a key", &measured, "echo", echo, Floor::AtLeast(0.25));
        }
        if self.args.wants(Scene::Tiketi) {
            let (measured, echo) = self.beside_echo(ground, &server, || TiketiHold(ground.clone()))?;
            self.table.rate("holds through tiketi", &measured, "echo", echo, floor);
        }
        self.memory("resident memory at most, holds and sales", &server, SEATS_FLOOR);
        if self.args.wants(Scene::Map) || self.args.wants(Scene::Etag) {
            self.maps(ground, &server)?;
            self.memory("resident memory at most, seat maps too", &server, SEATS_FLOOR);
        }
        Ok(holds)
    }

    fn memory(&mut self, what: &str, server: &Server, floor: Floor) {
        if let Some(peak) = server.peak_memory() {
            self.table.figure(what, peak, "MiB", floor);
        }
    }

    fn maps(&mut self, ground: &Rc<Ground>, server: &Server) -> Result<(), Failure> {
        let path = format!("/api/events/{}/seats", ground.events[0]);
        let (tag, body) = self.runtime.block_on(fetch(server.address, &path))?;
        if self.args.wants(Scene::Map) {
            let file = self.scratch.0.join("map.json");
            std::fs::write(&file, &body).map_err(Failure::new)?;
            let fixed = self.runtime.block_on(Server::echo(Some(&file)))?;
            let before = self.measure(&fixed, || Same::get("/static", "", 200))?.rate();
            let map = self.measure(server, || Same::get(&path, "", 200))?;
            let after = self.measure(&fixed, || Same::get("/static", "", 200))?.rate();
            let what = format!("seat map, {} seats, {} KiB", ground.seats, body.len() >> 10);
            self.table.rate(&what, &map, "static", f64::midpoint(before, after), Floor::AtLeast(0.5));
        }
        if self.args.wants(Scene::Etag) {
            let header = format!("if-none-match: {tag}\r\n");
            let (measured, echo) = self.beside_echo(ground, server, || Same::get(&path, &header, 304))?;
            self.table.rate("seat map unchanged (ETag)", &measured, "echo", echo, Floor::AtLeast(0.6));
        }
        Ok(())
    }

    /// Holds through `sail`, its queue so wide that nobody waits.
    fn sail(&mut self, ground: &Rc<Ground>) -> Result<(), Failure> {
        self.runtime.block_on(ground.let_in(self.desk()))?;
        let server = self.start(&[("SAIL_INSIDE", "1000000"), ("SAIL_PASS_SECONDS", "3600")])?;
        let (measured, echo) = self.beside_echo(ground, &server, || SailHold(ground.clone()))?;
        self.table.rate("holds through sail", &measured, "echo", echo, self.hold_floor());
        Ok(())
    }

    /// Sockets in one room, on a server just started; then a hold, of which all are to hear.
    fn sockets(&mut self, ground: &Rc<Ground>) -> Result<(), Failure> {
        let server = self.start(&[])?;
        let (event, seat, token) = ground.wish_by_id();
        let clients = usize::from(self.args.sockets);
        // The first makes what all share.
        let first = self.runtime.block_on(Crowd::gather(server.address, &ground.tokens, event, 1));
        let before = server.memory();
        let mut crowd = self.runtime.block_on(Crowd::gather(server.address, &ground.tokens, event, clients));
        let after = server.memory();
        drop(first);
        let (count, last) = self.runtime.block_on(async {
            let from = sockets::now();
            reserve(server.address, token, event, &seat).await?;
            Ok::<_, Failure>(crowd.all_heard(from).await)
        })?;
        let all = format!("of {clients} sockets heard of a hold");
        let wanted = Floor::AtLeast(f64::from(self.args.sockets));
        self.table.figure("a seat's room", f64::from(u32::try_from(count).unwrap_or(u32::MAX)), &all, wanted);
        self.table.figure(
            "a seat's room, the last one",
            last.as_secs_f64() * 1_000.0,
            "ms after the request",
            Floor::None,
        );
        if let (Some(before), Some(after)) = (before, after) {
            let each = (after - before) / f64::from(u32::try_from(crowd.inside).unwrap_or(u32::MAX));
            self.table.figure("resident memory of an idle socket", each, "KiB", Floor::Below(40.0));
        }
        Ok(())
    }

    /// The same code with batches of one. PostgreSQL gets more writers then, as one would give it.
    fn ungathered(&mut self, ground: &Rc<Ground>, gathered: &Holds) -> Result<(), Failure> {
        let server = self.start(&[("LIMITS_BATCH", "1"), ("LIMITS_GATHERERS", "16")])?;
        let single = self.holds("holds, gathering off", ground, &server, Floor::None)?;
        let floor = if self.postgres() { Floor::AtLeast(5.0) } else { Floor::None };
        self.table.figure("gathering", gathered.rate / single.rate, "times as many holds", floor);
        Ok(())
    }

    /// Holds once more, on a server just started, and then with ten times the seats on another just started. In a store of
    /// their own, where that can be: in this one whatever was measured before holds seats.
    fn scale(&mut self, small: &Rc<Ground>) -> Result<(), Failure> {
        let mut small = small.clone();
        if !self.postgres() {
            self.scratch = Scratch::new(&self.args.folder, "bench-scale")?;
            small = self.prepare(self.args.events, None)?;
        }
        let few = self.holds_of(&small)?;
        let large = self.prepare(self.args.events.saturating_mul(9), Some(&small))?;
        let figure = self.holds_of(&large)? / few;
        self.table.figure("ten times the seats", figure, "of the holds (by ratio to echo)", Floor::AtLeast(0.8));
        Ok(())
    }

    /// Searches and completions, each another than the one before, once the index has all events.
    fn searches(&mut self, ground: &Rc<Ground>) -> Result<(), Failure> {
        self.runtime.block_on(listing::prepare(self.desk()))?;
        let server = self.start(&[])?;
        self.runtime.block_on(indexed(server.address))?;
        let scenes = [
            (Scene::Search, "search, 100,000 events", listing::searches(), 0.1),
            (Scene::Autocomplete, "autocomplete, 100,000 events", listing::typed(), 0.2),
        ];
        for (scene, what, paths, floor) in scenes {
            if self.args.wants(scene) {
                let requests = Rc::new(Each::gets(&paths));
                let place = Rc::new(Cell::new(0));
                let script = || Each::new(requests.clone(), place.clone());
                let (measured, echo) = self.beside_echo(ground, &server, script)?;
                self.table.rate(what, &measured, "echo", echo, Floor::AtLeast(floor));
            }
        }
        // An index of so many events is beside what the floor is about: seats.
        self.memory("resident memory at most, searching", &server, Floor::None);
        Ok(())
    }

    fn holds_of(&mut self, ground: &Rc<Ground>) -> Result<f64, Failure> {
        let server = self.start(&[])?;
        let seats = ground.events.len() * ground.seats as usize;
        Ok(self.holds(&format!("holds, {seats} seats in the store"), ground, &server, Floor::None)?.ratio)
    }
}

/// Holds a seat.
async fn reserve(address: SocketAddr, token: &str, event: &str, seat: &str) -> Result<(), Failure> {
    let mut stream = TcpStream::connect(address).await.map_err(Failure::new)?;
    let body = format!(r#"{{"eventId":"{event}","seatIds":["{seat}"]}}"#);
    let request = format!(
        "POST /api/v1/seats/reserve HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.map_err(Failure::new)?;
    let mut answer = Vec::new();
    let head = loader::receive(&mut stream, &mut answer).await.map_err(Failure::new)?;
    match head.status {
        201 => Ok(()),
        status => Err(Failure::new(format!("the hold was answered {status}"))),
    }
}

/// Waits until the search index has the events.
async fn indexed(address: SocketAddr) -> Result<(), Failure> {
    for _ in 0..3_000 {
        let (_, metrics) = get(address, "/metrics").await?;
        let metrics = String::from_utf8_lossy(&metrics).into_owned();
        let count = metrics.lines().find_map(|line| line.strip_prefix("maepyo_search_events "));
        if count.and_then(|own| own.parse::<f64>().ok()).is_some_and(|own| own >= f64::from(listing::EVENTS)) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Err(Failure::new("the search index does not get filled"))
}

/// The ETag and the body of a GET.
async fn fetch(address: SocketAddr, path: &str) -> Result<(String, Vec<u8>), Failure> {
    let (head, body) = get(address, path).await?;
    match response::header(&head, "etag") {
        Some(tag) => Ok((tag.to_owned(), body)),
        None => Err(Failure::new(format!("GET {path}: no ETag"))),
    }
}

/// The head and the body of a GET that succeeds.
async fn get(address: SocketAddr, path: &str) -> Result<(Vec<u8>, Vec<u8>), Failure> {
    let mut stream = TcpStream::connect(address).await.map_err(Failure::new)?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(Failure::new)?;
    let mut answer = Vec::new();
    let head = loader::receive(&mut stream, &mut answer).await.map_err(Failure::new)?;
    match head.status {
        200 => Ok((answer[..head.body].to_vec(), answer[head.body..head.end].to_vec())),
        status => Err(Failure::new(format!("GET {path}: {status}"))),
    }
}
