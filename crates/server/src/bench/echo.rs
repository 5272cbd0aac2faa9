//! The ceiling: an axum server that parses a JSON body and answers it, and one static body.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Json, Router};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::cli::{Failure, runtime};
use crate::http;

/// Where to echo.
#[derive(Debug, Args)]
pub struct EchoArgs {
    /// Where to listen.
    #[arg(long)]
    listen: SocketAddr,
    /// A file to answer as it is under /static.
    #[arg(long)]
    file: Option<PathBuf>,
}

/// The body of a hold, which is what is echoed.
#[derive(Debug, Deserialize, Serialize)]
struct Echoed {
    event_id: String,
    seat_ids: Vec<String>,
    total_amount: f64,
}

/// `maepyo bench-echo`: runs until it is killed.
pub fn echo(args: &EchoArgs) -> Result<ExitCode, Failure> {
    let body = args.file.as_ref().map(std::fs::read).transpose().map_err(Failure::new)?.unwrap_or_default();
    let body = Bytes::from(body);
    let file = move || std::future::ready(([(CONTENT_TYPE, "application/json")], body.clone()));
    let router = Router::new()
        .route("/echo", post(|Json(echoed): Json<Echoed>| async move { Json(echoed) }))
        .route("/static", get(file));
    runtime()?.block_on(async {
        let listener = http::listen(args.listen).map_err(Failure::new)?;
        let listener = listener.tap_io(|stream| {
            // As the server under test does; a stream that refuses is only slower.
            let _ = stream.set_nodelay(true);
        });
        axum::serve(listener, router).await.map_err(Failure::new)
    })?;
    Ok(ExitCode::SUCCESS)
}
