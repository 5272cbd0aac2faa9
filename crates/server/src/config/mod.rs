//! The settings: what they are, where each comes from, and which combinations are refused.

mod exposure;
mod layers;
mod secret;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use api::limits::PerMinute;
use api::messages::{Carriers, Language, Mail, Texts};
use api::{Dialect, DialectSettings};
use desk::{DeskConfig, StoreConfig};
use jiff::tz::TimeZone;
use serde::Deserialize;

pub use exposure::Door;
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
    /// Whether somebody named the dialects, rather than leaving it at all of them.
    #[serde(skip)]
    pub dialects_named: bool,
    pub hold_seconds: u32,
    pub rate_limits: bool,
    pub trusted_proxies: Vec<String>,
    pub database: Database,
    pub jwt: Jwt,
    pub admin: Admin,
    pub zone: String,
    pub front_ends: Vec<String>,
    pub wallet: Wallet,
    pub movie: Movie,
    pub concert: Concert,
    pub sail: Sail,
    pub tiketi: Spoken,
    pub ticketing_pro: Spoken,
    pub webhook: Webhook,
    pub stripe: Stripe,
    pub messages: Messages,
    pub smtp: Smtp,
    pub sms: Sms,
    pub webhooks: Webhooks,
    pub log: Log,
    pub limits: Limits,
    pub per_minute: PerMinute,
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
pub struct Wallet {
    pub open_top_up: Switch,
}

/// What is on or off, or left to whether others can reach the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    Auto,
    On,
    Off,
}

impl Switch {
    /// Whether it is on; `auto` is what it means here.
    pub fn is_on(self, auto: bool) -> bool {
        match self {
            Self::Auto => auto,
            Self::On => true,
            Self::Off => false,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct Movie {
    pub listen: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Concert {
    #[serde(flatten)]
    pub spoken: Spoken,
    pub require_token: Switch,
    pub turn_wait: u32,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Sail {
    #[serde(flatten)]
    pub spoken: Spoken,
    pub passwordless: Switch,
}

/// A dialect that sells seats.
#[derive(Debug, Clone, Deserialize)]
pub struct Spoken {
    pub listen: String,
    pub hold_seconds: u32,
    pub inside: u32,
    pub pass_seconds: u32,
    pub absent_seconds: u32,
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
pub struct Messages {
    pub language: String,
    pub per_second: u32,
    pub service_token: Secret,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Smtp {
    pub url: Secret,
    pub from: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Sms {
    pub url: Secret,
    pub token: Secret,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Webhooks {
    pub allow_private: bool,
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
        let dialects_named = layers.names("dialects");
        let config = Self { dialects_named, ..layers.read()? };
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
        ];
        if let Some((key, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return Err(Wrong(format!("{key}: must be at least 1")));
        }
        for (dialect, own) in self.sellers() {
            let values = [
                ("hold_seconds", own.hold_seconds),
                ("inside", own.inside),
                ("pass_seconds", own.pass_seconds),
                ("absent_seconds", own.absent_seconds),
            ];
            if let Some((key, _)) = values.iter().find(|(_, value)| *value == 0) {
                return Err(Wrong(format!("{}.{key}: must be at least 1", dialect.word())));
            }
        }
        self.time_zone()?;
        self.spoken()?;
        self.proxies()?;
        self.own_addresses()?;
        if let Some(wrong) = self.front_ends.iter().find(|own| !api::cors::is_origin(own)) {
            let how = "name each as browsers do: \"https://tickets.example\", without a path or a *";
            return Err(Wrong(format!("front_ends: {wrong:?} is no web address; {how}")));
        }
        self.carriers()?;
        if self.messages.service_token.given().is_some_and(|token| token.len() < 32) {
            return Err(Wrong("messages.service_token: must have at least 32 bytes".to_owned()));
        }
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

    /// The dialects that sell seats, with their settings.
    fn sellers(&self) -> [(Dialect, &Spoken); 4] {
        [
            (Dialect::Concert, &self.concert.spoken),
            (Dialect::Sail, &self.sail.spoken),
            (Dialect::Tiketi, &self.tiketi),
            (Dialect::TicketingPro, &self.ticketing_pro),
        ]
    }

    /// How a dialect is set up.
    pub fn dialect(&self, dialect: Dialect) -> DialectSettings {
        let Some((_, own)) = self.sellers().into_iter().find(|(seller, _)| *seller == dialect) else {
            return DialectSettings::usual(dialect);
        };
        let hold_seconds = if self.hold_seconds > 0 { self.hold_seconds } else { own.hold_seconds };
        DialectSettings {
            hold_seconds: i64::from(hold_seconds),
            inside: own.inside,
            pass_seconds: i64::from(own.pass_seconds),
            absent_seconds: i64::from(own.absent_seconds),
        }
    }

    /// Whose calendar the dates of the dialects are in.
    pub fn time_zone(&self) -> Result<TimeZone, Wrong> {
        TimeZone::get(&self.zone).map_err(|error| Wrong(format!("zone: {error}; name one such as \"Asia/Seoul\"")))
    }

    /// Who carries messages to people: servers where they are set, else files of the data folder.
    pub fn carriers(&self) -> Result<Carriers, Wrong> {
        let folder = self.data.join("outbox");
        let mail = match self.smtp.url.given() {
            Some(url) => Mail::smtp(url, &self.smtp.from),
            None => Mail::folder(folder.clone(), &self.smtp.from),
        };
        let texts = match self.sms.url.given() {
            Some(url) => Texts::http(url, self.sms.token.given()),
            None => Ok(Texts::folder(folder)),
        };
        let language = Language::from_word(&self.messages.language);
        let language = language.ok_or_else(|| Wrong("messages.language: must be ko, en or both".to_owned()))?;
        Ok(Carriers::new(mail.map_err(Wrong)?, texts.map_err(Wrong)?, language, self.messages.per_second))
    }
}

#[cfg(test)]
mod tests;
