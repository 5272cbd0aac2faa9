//! What the `maepyo` binary is: command line, settings, wiring and background loops. A library, so that it is compiled
//! beside those it stands on and not after them.

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
mod unread;

pub use cli::run;
