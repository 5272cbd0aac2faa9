//! The `maepyo` binary: command line, settings, wiring and background loops.

mod account;
mod bench;
mod check;
mod cli;
mod config;
mod demo;
mod folder;
mod http;
mod import;
mod logs;
mod loops;
mod serve;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
