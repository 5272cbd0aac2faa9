//! The HTTP edge of maepyo: dialects that translate wire JSON to commands and replies back.
//!
//! | module | what it is |
//! | --- | --- |
//! | [`dialects`] | which dialects there are; each is a folder of its own |
//! | [`ticketing_pro`] | the house dialect |
//! | [`movie`], [`concert`], [`sail`], [`tiketi`] | the others |
//! | [`caller`], [`tokens`], [`passwords`], [`email`], [`names`] | who calls |
//! | [`once`], [`settle`], [`seal`], [`body`], [`query`], [`fault`], [`problem`], [`envelope`] | how a request is read, once, and what may be wrong with it |
//! | [`ids`], [`clock`], [`calendar`], [`money`], [`seat_pages`] | values as they go over the wire |
//! | [`around`], [`limits`], [`cors`], [`observe`] | layers: what they are made of, rate limits, web front ends, log and metrics |
//! | [`shares`] | how much of something one client has at once |
//! | [`gateway`], [`tickets`] | who takes the money; what lets people in |
//! | [`indexing`] | keeps the search index true to the store |
//! | [`messages`], [`webhooks`] | who is told of what happened |
//! | [`errands`] | what is to be done outside the store |
//! | [`operations`], [`description`] | health, metrics; OpenAPI |
//!
//! The server inserts an `axum::extract::ConnectInfo<SocketAddr>` into every request, so that limits know clients.

pub mod around;
pub mod body;
pub mod calendar;
pub mod caller;
pub mod clock;
pub mod concert;
pub mod cors;
pub mod description;
pub mod dialects;
pub mod email;
pub mod envelope;
pub mod errands;
pub mod fault;
pub mod gateway;
pub mod ids;
pub mod indexing;
pub mod limits;
pub mod messages;
pub mod money;
pub mod movie;
pub mod names;
pub mod observe;
pub mod once;
pub mod operations;
pub mod passwords;
pub mod problem;
pub mod query;
mod queues;
pub mod sail;
pub mod seal;
pub mod seat_pages;
pub mod settle;
pub mod shares;
pub mod slash;
pub mod state;
pub mod ticketing_pro;
pub mod tickets;
pub mod tiketi;
pub mod tokens;
pub mod webhooks;

use axum::Router;

use around::AroundLayer;
pub use dialects::Dialect;
use observe::Observe;
pub use state::{ApiSettings, AppState, DialectSettings};

/// Everything this server answers.
pub fn router(state: AppState) -> Router {
    let dialects = &state.settings.dialects;
    let spoken = dialects.iter().map(|dialect| dialect.routes(&state));
    let all = spoken.fold(operations::routes(), Router::merge);
    // What no route knows is answered by the dialect that it can only be meant for, else by the house's.
    let known = all.clone().with_state(state.clone());
    let unknown = dialects.iter().map(|dialect| dialect.unknown()).fold(Router::new(), Router::merge);
    let unknown = unknown.fallback_service(ticketing_pro::unmatched(known, state.clone()));
    let all = all.merge(description::pages(dialects));
    dressed(all.fallback_service(unknown.with_state(state.clone())), state)
}

/// What this server answers at an address that one dialect has for itself.
pub fn router_of(dialect: Dialect, state: AppState) -> Router {
    let own = operations::probes().merge(dialect.routes(&state));
    let known = own.clone().with_state(state.clone());
    let own = own.merge(description::pages(&[dialect]));
    dressed(own.fallback_service(dialect.unmatched(known, &state)), state)
}

/// The layers around everything. Each call of `layer` costs every request a box, so they are laid on together.
fn dressed(router: Router<AppState>, state: AppState) -> Router {
    let observed = AroundLayer(Observe(state.clone()));
    let dressed = match cors::layer(&state.settings.front_ends) {
        Some(cors) => router.layer((observed, cors)),
        None => router.layer(observed),
    };
    dressed.with_state(state)
}
