//! `maepyo serve`: puts everything together, runs it, and takes it down in order.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use api::gateway::{GatewayConfig, Gateways};
use api::webhooks::Messenger;
use api::{ApiSettings, AppState, Dialect};
use desk::Desk;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use search::{Search, SearchError};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::cli::{Failure, ServeArgs, runtime};
use crate::config::{Config, Door, Wrong};
use crate::http::{self, Patience};
use crate::{account, demo, folder, logs, loops};

/// Bounds of the durations that are counted, in seconds.
const SECONDS: [f64; 13] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Bounds of the sizes that are counted.
const SIZES: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// Serves until told to stop. `at_home`: on loopback, demo data is welcome without being asked for.
pub fn run(args: &ServeArgs, at_home: bool) -> Result<ExitCode, Failure> {
    let config = args.store.load(&[("listen", args.listen.as_ref())])?;
    let _logs = logs::start(&config.log)?;
    runtime()?.block_on(async {
        let doors = doors(&config).await?;
        config.check_exposure(&doors, args.demo)?;
        let demo = args.demo || at_home && !doors.iter().any(Door::is_open);
        serve(&config, &doors, demo).await
    })
}

/// Where to listen: the common address first, then those that dialects have for themselves.
async fn doors(config: &Config) -> Result<Vec<Door>, Wrong> {
    let own = config.own_addresses()?.into_iter().map(|(dialect, text)| (Some(dialect), text));
    let mut doors = Vec::new();
    for (own, text) in std::iter::once((None, config.listen.as_str())).chain(own) {
        let key = own.map_or_else(|| "listen".to_owned(), |own: Dialect| format!("{}.listen", own.word()));
        let address = http::resolve(text).await.map_err(|error| Wrong(format!("{key}: {text:?}: {error}")))?;
        doors.push(Door { address, own });
    }
    Ok(doors)
}

/// A door at which somebody listens.
type Listening = (Option<Dialect>, TcpListener);

/// Listens at every door; gives the common one's address as it came out.
fn open(doors: &[Door]) -> Result<(Vec<Listening>, SocketAddr), Failure> {
    let listen = |door: &Door| {
        let listener = http::listen(door.address).map_err(|error| taken(door.address, &error))?;
        Ok((door.own, listener))
    };
    let open: Vec<Listening> = doors.iter().map(listen).collect::<Result<_, Failure>>()?;
    let (_, common) = open.first().ok_or_else(|| Failure::new("there is nowhere to listen"))?;
    let address = common.local_addr().map_err(Failure::new)?;
    Ok((open, address))
}

async fn serve(config: &Config, doors: &[Door], demo: bool) -> Result<ExitCode, Failure> {
    let _lock = folder::open(config)?;
    let (open, address) = open(doors)?;
    let at_home = !doors.iter().any(Door::is_open);
    let metrics = record()?;
    let desk = Desk::open(config.desk()).await.map_err(Failure::new)?;
    account::first_admin(&desk, &config.admin.email, &config.admin.password).await?;
    let demo = demo && (demo::fill(&desk).await? || demo::is_there(&desk).await?);
    let gateways = gateways(config)?;
    let search = open_search(config)?;
    let settings = settings(config, address, at_home)?;
    let state = AppState::new(desk.clone(), gateways, metrics, search, settings);
    if demo || std::io::stdout().is_terminal() {
        print!("{}", demo::welcome(address, demo));
    }
    tracing::info!(%address, data = %config.data.display(), "listening");
    for door in doors {
        if let Some(own) = door.own {
            tracing::info!(address = %door.address, dialect = own.word(), "listening");
        }
    }
    let all_done = attend(config, open, state).await?;
    desk.close().await;
    tracing::info!("stopped");
    Ok(if all_done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Serves and runs the loops until a signal, then lets both finish. Gives whether all requests did.
async fn attend(config: &Config, open: Vec<Listening>, state: AppState) -> Result<bool, Failure> {
    let stop = state.stopping.subscribe();
    on_signal(state.stopping.clone())?;
    loops::take_over(&state.desk).await.map_err(Failure::new)?;
    let loops = loops::start(&state, &stop);
    let drain = Duration::from_secs(config.limits.drain_seconds);
    let patience = Patience { connections: config.limits.connections, drain };
    let router = |own| match own {
        Some(dialect) => api::router_of(dialect, state.clone()),
        None => api::router(state.clone()),
    };
    let doors = open.into_iter().map(|(own, listener)| (listener, router(own))).collect();
    let all_done = http::serve(doors, patience, stop).await;
    if !all_done {
        tracing::warn!("some requests did not finish in time");
    }
    loops.finish().await;
    Ok(all_done)
}

fn taken(address: SocketAddr, error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot listen on {address}: {error}; choose another address with --listen"))
}

/// Tells on SIGTERM or SIGINT; a second one ends the process at once.
fn on_signal(tell: watch::Sender<bool>) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::new)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::new)?;
    tokio::spawn(async move {
        for round in 0.. {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if round > 0 {
                std::process::exit(1);
            }
            tracing::info!("stopping: no new connections, requests under way are finished");
            tell.send_replace(true);
        }
    });
    Ok(())
}

fn record() -> Result<PrometheusHandle, Failure> {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_commands".to_owned()), &SIZES));
    builder.and_then(PrometheusBuilder::install_recorder).map_err(Failure::new)
}

/// How many servers that share a database may share a data folder as well.
const MOST_SHARING: u32 = 16;

/// The search index of this process, in the data folder. Servers that share the folder have one each.
fn open_search(config: &Config) -> Result<Search, Failure> {
    let synonyms = config.data.join("synonyms.txt");
    let mut opened = Err(SearchError::Taken);
    for number in 0..MOST_SHARING {
        let name = if number == 0 { "search".to_owned() } else { format!("search-{number}") };
        opened = Search::open(&config.data.join(name), api::indexing::CARDS, &synonyms);
        if !matches!(opened, Err(SearchError::Taken)) {
            break;
        }
    }
    opened.map_err(Failure::new)
}

fn gateways(config: &Config) -> Result<Gateways, Failure> {
    let stripe = &config.stripe;
    let chosen = match stripe.secret_key.given() {
        Some(key) => GatewayConfig::Stripe { secret_key: key.to_owned(), api_base: stripe.api_base.clone() },
        None => GatewayConfig::Sandbox,
    };
    Gateways::new(chosen).map_err(|error| Failure::Setup(Wrong(format!("stripe: {error}"))))
}

/// `at_home`: nobody but this machine can reach the server.
fn settings(config: &Config, address: SocketAddr, at_home: bool) -> Result<ApiSettings, Failure> {
    let secret = folder::secret(&config.jwt.secret, &config.data, "jwt.secret")?;
    let webhook = folder::secret(&config.webhook.secret, &config.data, "webhook.secret")?;
    let base_url = match config.public_url.trim_end_matches('/') {
        "" => format!("http://{address}"),
        url => url.to_owned(),
    };
    Ok(ApiSettings {
        dialects: config.spoken()?,
        each: Dialect::ALL.map(|dialect| config.dialect(dialect)),
        open_top_up: config.wallet.open_top_up.is_on(at_home),
        concert_require_token: config.concert.require_token.is_on(!at_home),
        concert_turn_wait: u64::from(config.concert.turn_wait),
        sail_passwordless: config.sail.passwordless.is_on(at_home),
        front_ends: config.front_ends.clone(),
        zone: config.time_zone()?,
        rate_limits: config.rate_limits,
        per_minute: config.per_minute,
        trusted_proxies: config.proxies()?,
        sandbox_webhook_secret: Some(webhook.reveal().to_owned()),
        stripe_webhook_secret: config.stripe.webhook_secret.given().map(str::to_owned),
        password_threads: config.limits.password_threads,
        seat_page_bytes: config.limits.seat_map_mib << 20,
        carriers: config.carriers()?,
        messenger: Messenger::new(config.webhooks.allow_private).map_err(Wrong)?,
        service_token: config.messages.service_token.given().map(str::to_owned),
        ..ApiSettings::new(base_url, secret.reveal().as_bytes().to_vec())
    })
}
