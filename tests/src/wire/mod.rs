//! Wire tests as data: a file of requests, each with what has to come back.
//!
//! A file starts its own server, signs its people up, sends its steps in order and tells everything that came
//! back differently. `tests/wire/README.md` describes the format.

mod matching;
mod runner;
mod script;
mod values;

pub use runner::run;
pub use script::{Script, Step};
pub use values::uuid;
