//! Tickets: what a confirmed reservation lets in, once.

mod admit;

pub use admit::Admit;
