//! What is only safe where nobody else can come: refused on an address that others can reach, unless it is asked for
//! by name.

use std::net::SocketAddr;

use api::Dialect;

use super::{Config, Wrong};

/// An address to listen on, and who speaks there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// Where.
    pub address: SocketAddr,
    /// The one dialect that is spoken there; `None` for all that are on.
    pub own: Option<Dialect>,
}

impl Door {
    /// Whether others can reach it.
    pub fn is_open(&self) -> bool {
        !self.address.ip().is_loopback()
    }
}

impl Config {
    /// The addresses that dialects have of their own: the dialect and the text.
    pub fn own_addresses(&self) -> Result<Vec<(Dialect, &str)>, Wrong> {
        let spoken = self.spoken()?;
        let movie = (Dialect::Movie, self.movie.listen.as_str());
        let others = self.sellers().map(|(dialect, own)| (dialect, own.listen.as_str()));
        let given = std::iter::once(movie).chain(others).filter(|(_, text)| !text.trim().is_empty());
        let given: Vec<_> = given.collect();
        match given.iter().find(|(dialect, _)| !spoken.contains(dialect)) {
            Some((off, _)) => {
                let word = off.word();
                Err(Wrong(format!("{word}.listen: {word} is not among the dialects that are spoken")))
            }
            None => Ok(given),
        }
    }

    /// Refuses, at doors that others can reach, what is only safe on loopback.
    pub fn check_exposure(&self, doors: &[Door], demo: bool) -> Result<(), Wrong> {
        doors.iter().filter(|door| door.is_open()).try_for_each(|door| self.check_open_door(door, demo))
    }

    fn check_open_door(&self, door: &Door, demo: bool) -> Result<(), Wrong> {
        let wrong = |why: String| Err(Wrong(format!("{} is reachable by others, {why}", door.address)));
        if self.jwt.secret.given().is_none() {
            let how =
                "set MAEPYO_JWT_SECRET (or jwt.secret) to at least 32 random bytes, e.g. of `openssl rand -hex 32`";
            return wrong(format!("so the generated JWT secret will not do: {how}"));
        }
        if demo {
            let why = "the passwords of the demo accounts are known to all: leave out --demo, or listen on 127.0.0.1";
            return wrong(format!("and {why}"));
        }
        let spoken = door.own.map_or_else(|| self.spoken(), |own| Ok(vec![own]))?;
        let without_accounts = spoken.into_iter().find(|dialect| knows_no_accounts(*dialect));
        match without_accounts {
            Some(dialect) if !self.dialects_named => wrong(format!(
                "and whoever comes there may do anything in {:?}, which knows no accounts: name the dialects that are \
                 to be spoken in MAEPYO_DIALECTS (or dialects), with it or without",
                dialect.word()
            )),
            _ => Ok(()),
        }
    }
}

/// Whether a dialect lets anybody act for anybody. In `concert` a token is given to whoever names a user, so it says that
/// somebody has waited, not who it is.
fn knows_no_accounts(dialect: Dialect) -> bool {
    match dialect {
        Dialect::Movie | Dialect::Concert => true,
        Dialect::Sail | Dialect::Tiketi | Dialect::TicketingPro => false,
    }
}
