//! The settings: what they are, where each comes from, and which combinations are refused.

mod layers;
mod secret;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use api::Dialect;
use desk::{DeskConfig, StoreConfig};
use serde::Deserialize;

use layers::Layers;
pub use secret::Secret;

/// The commented default file.
pub const DEFAULTS: &str = include_str!("default.toml");

/// A setting that cannot be used; the text says which and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Wrong(pub String);

/// All settings. What each means stands in the default file.
#[derive(Debug, Clone, Deserialize)]
pub struct Config {
    pub listen: String,
    pub data: PathBuf,
    pub public_url: String,
    pub dialects: Vec<String>,
    pub hold_seconds: u32,
    pub rate_limits: bool,
    pub trusted_proxies: Vec<String>,
    pub database: Database,
    pub jwt: Jwt,
    pub admin: Admin,
    pub ticketing_pro: House,
    pub webhook: Webhook,
    pub stripe: Stripe,
    pub log: Log,
    pub limits: Limits,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Database {
    pub url: Secret,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Jwt {
    pub secret: Secret,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Admin {
    pub email: String,
    pub password: Secret,
}

#[derive(Debug, Clone, Deserialize)]
pub struct House {
    pub hold_seconds: u32,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Webhook {
    pub secret: Secret,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Stripe {
    pub secret_key: Secret,
    pub webhook_secret: Secret,
    pub api_base: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Log {
    pub format: LogFormat,
    pub level: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Auto,
    Human,
    Json,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Limits {
    pub queue: usize,
    pub batch: usize,
    pub gatherers: usize,
    pub readers: usize,
    pub connections: usize,
    pub password_threads: usize,
    pub seat_map_mib: usize,
    pub drain_seconds: u64,
}

impl Config {
    /// Reads the layers: default file, `file`, `variables`, then `flags` (key and text). Also gives the
    /// environment variables that look meant for maepyo and are none.
    pub fn load(
        file: Option<&Path>,
        variables: impl Iterator<Item = (String, String)>,
        flags: &[(&str, String)],
    ) -> Result<(Self, Vec<String>), Wrong> {
        let mut layers = Layers::defaults(DEFAULTS)?;
        if let Some(path) = file {
            let named = |issue: String| Wrong(format!("{}: {issue}", path.display()));
            let text = std::fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
            layers.file(&text).map_err(|wrong| named(wrong.0))?;
        }
        let unknown = layers.environment(variables)?;
        for (key, text) in flags {
            layers.text(key, text)?;
        }
        let config: Self = layers.read()?;
        config.check()?;
        Ok((config, unknown))
    }

    fn check(&self) -> Result<(), Wrong> {
        let positive = [
            ("limits.queue", self.limits.queue),
            ("limits.batch", self.limits.batch),
            ("limits.gatherers", self.limits.gatherers),
            ("limits.readers", self.limits.readers),
            ("limits.connections", self.limits.connections),
            ("limits.password_threads", self.limits.password_threads),
            ("ticketing_pro.hold_seconds", self.ticketing_pro.hold_seconds as usize),
        ];
        if let Some((key, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return Err(Wrong(format!("{key}: must be at least 1")));
        }
        self.spoken()?;
        self.proxies()?;
        match self.jwt.secret.given() {
            Some(secret) if secret.len() < 32 => Err(Wrong("jwt.secret: must have at least 32 bytes".to_owned())),
            _ => Ok(()),
        }
    }

    /// How the desk is to be set up.
    pub fn desk(&self) -> DeskConfig {
        let store = match self.database.url.given() {
            Some(url) => StoreConfig::Postgres(url.to_owned()),
            None => StoreConfig::Sqlite(self.data.clone()),
        };
        let Limits { queue, batch, gatherers, readers, .. } = self.limits;
        DeskConfig { store, queue, batch, gatherers, readers }
    }

    /// The dialects that are spoken.
    pub fn spoken(&self) -> Result<Vec<Dialect>, Wrong> {
        let known = || Dialect::ALL.map(Dialect::word).join(", ");
        let read = |name: &String| {
            Dialect::from_word(name).ok_or_else(|| Wrong(format!("dialects: {name:?} is not one of {}", known())))
        };
        self.dialects.iter().map(read).collect()
    }

    /// The proxies that are believed.
    pub fn proxies(&self) -> Result<Vec<IpAddr>, Wrong> {
        let read = |text: &String| text.parse().map_err(|_| Wrong(format!("trusted_proxies: {text:?} is no address")));
        self.trusted_proxies.iter().map(read).collect()
    }

    /// How many seconds a hold of the house dialect lasts.
    pub fn ticketing_pro_hold_seconds(&self) -> u32 {
        if self.hold_seconds > 0 { self.hold_seconds } else { self.ticketing_pro.hold_seconds }
    }

    /// Refuses, on an address others can reach, what is only safe on loopback.
    pub fn check_exposure(&self, address: SocketAddr, demo: bool) -> Result<(), Wrong> {
        if address.ip().is_loopback() {
            return Ok(());
        }
        if self.jwt.secret.given().is_none() {
            let how =
                "set MAEPYO_JWT_SECRET (or jwt.secret) to at least 32 random bytes, e.g. of `openssl rand -hex 32`";
            return Err(Wrong(format!(
                "{address} is reachable by others, so the generated JWT secret will not do: {how}"
            )));
        }
        if demo {
            let why = "the passwords of the demo accounts are known to all: leave out --demo, or listen on 127.0.0.1";
            return Err(Wrong(format!("{address} is reachable by others, and {why}")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
