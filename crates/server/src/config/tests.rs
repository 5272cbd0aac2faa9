use std::collections::HashSet;

use super::layers::{Layers, variable};
use super::*;

fn load(variables: &[(&str, &str)], flags: &[(&str, String)]) -> Result<(Config, Vec<String>), Wrong> {
    let variables = variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    Config::load(None, variables, flags)
}

fn file(text: &str) -> String {
    let mut layers = Layers::defaults(DEFAULTS).expect("the default file is valid");
    layers.file(text).expect_err("refused").0
}

#[test]
fn the_default_file_alone_is_a_configuration() {
    let (config, unknown) = load(&[], &[]).expect("valid");
    assert_eq!(config.listen, "127.0.0.1:8000");
    assert_eq!(config.dialect(Dialect::TicketingPro).hold_seconds, 600);
    assert!(matches!(config.desk().store, StoreConfig::Sqlite(folder) if folder == Path::new("./data")));
    assert_eq!((config.per_minute, config.webhooks.allow_private), (PerMinute::USUAL, false));
    assert!(unknown.is_empty());
    let (own, _) = load(&[("MAEPYO_PER_MINUTE_BOOKINGS", "7")], &[]).expect("valid");
    assert_eq!(own.per_minute, PerMinute { bookings: 7, ..PerMinute::USUAL });
}

#[test]
fn no_two_keys_share_a_variable_and_the_promised_ones_exist() {
    let keys = Layers::defaults(DEFAULTS).expect("valid").keys();
    let names: HashSet<String> = keys.iter().map(|key| variable(key)).collect();
    assert_eq!(names.len(), keys.len());
    for promised in [
        "LISTEN",
        "DATA",
        "DIALECTS",
        "DATABASE_URL",
        "JWT_SECRET",
        "ADMIN_EMAIL",
        "ADMIN_PASSWORD",
        "HOLD_SECONDS",
        "TICKETING_PRO_HOLD_SECONDS",
        "RATE_LIMITS",
        "STRIPE_SECRET_KEY",
        "STRIPE_WEBHOOK_SECRET",
        "STRIPE_API_BASE",
        "WEBHOOK_SECRET",
        "SMTP_URL",
        "SMS_URL",
    ] {
        assert!(names.contains(&format!("MAEPYO_{promised}")), "{promised}");
    }
}

#[test]
fn flags_win_over_variables_and_variables_over_files() {
    let path = std::env::temp_dir().join(format!("maepyo-config-{}.toml", std::process::id()));
    std::fs::write(&path, "listen = \"127.0.0.1:1\"\ndata = \"/one\"\n[limits]\nqueue = 7\n").expect("writable");
    let variables = [("MAEPYO_DATA", "/two"), ("MAEPYO_LISTEN", "127.0.0.1:2"), ("MAEPYO_RATE_LIMITS", "off")];
    let variables = variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let loaded = Config::load(Some(&path), variables, &[("listen", "127.0.0.1:3".to_owned())]);
    std::fs::remove_file(&path).expect("removable");
    let (config, _) = loaded.expect("valid");
    assert_eq!((config.listen.as_str(), config.data.as_path()), ("127.0.0.1:3", Path::new("/two")));
    assert_eq!((config.limits.queue, config.rate_limits), (7, false));
}

#[test]
fn a_wrong_key_or_type_is_named_with_what_is_meant() {
    assert_eq!(file("[limits]\nqeue = 1"), "limits.qeue: no such setting; the nearest is limits.queue");
    assert_eq!(file("listn = \"x\""), "listn: no such setting; the nearest is listen");
    assert_eq!(file("[limits]\nqueue = \"many\""), "limits.queue: expected a whole number, got string");
    assert_eq!(file("dialects = \"sail\""), "dialects: expected a list of texts, got string");
    assert_eq!(file("dialects = [1]"), "dialects: expected a list of texts, got array");
    let wrong = load(&[("MAEPYO_LIMITS_QUEUE", "-")], &[]).expect_err("refused").0;
    assert_eq!(wrong, "MAEPYO_LIMITS_QUEUE: limits.queue: expected a whole number, got \"-\"");
    let wrong = load(&[("MAEPYO_LIMITS_QUEUE", "-5")], &[]).expect_err("refused").0;
    assert!(wrong.contains("queue"), "{wrong}");
    assert_eq!(load(&[("MAEPYO_LIMITS_BATCH", "0")], &[]).expect_err("refused").0, "limits.batch: must be at least 1");
}

#[test]
fn unknown_variables_are_reported_not_obeyed() {
    let (_, unknown) = load(&[("MAEPYO_LISEN", "x"), ("PATH", "y")], &[]).expect("valid");
    assert_eq!(unknown, ["MAEPYO_LISEN"]);
}

#[test]
fn off_loopback_a_secret_is_required_and_demo_accounts_are_refused() {
    let (bare, _) = load(&[], &[]).expect("valid");
    let (safe, _) = load(&[SECRET, ("MAEPYO_DIALECTS", "ticketing_pro")], &[]).expect("valid");
    let refused = |config: &Config, demo| config.check_exposure(&[door(OUTSIDE, None)], demo).expect_err("refused").0;
    assert!(refused(&bare, false).contains("MAEPYO_JWT_SECRET"));
    assert!(refused(&safe, true).contains("--demo"));
    assert_eq!(safe.check_exposure(&[door(OUTSIDE, None)], false), Ok(()));
    assert_eq!(bare.check_exposure(&[door(INSIDE, None)], true), Ok(()));
}

const SECRET: (&str, &str) = ("MAEPYO_JWT_SECRET", "0123456789abcdef0123456789abcdef");
const OUTSIDE: &str = "0.0.0.0:8000";
const INSIDE: &str = "[::1]:8000";

fn door(address: &str, own: Option<Dialect>) -> Door {
    Door { address: address.parse().expect("an address"), own }
}

#[test]
fn off_loopback_dialects_without_accounts_are_asked_for_by_name() {
    let refusal = |variables: &[(&str, &str)], doors: &[Door]| {
        let variables = [&[SECRET], variables].concat();
        let (config, _) = load(&variables, &[]).expect("valid");
        config.check_exposure(doors, false).err().map(|wrong| wrong.0)
    };
    let all = [door(OUTSIDE, None)];
    assert!(refusal(&[], &all).expect("refused").contains("\"movie\""));
    assert_eq!(refusal(&[("MAEPYO_DIALECTS", "movie,concert,sail,tiketi,ticketing_pro")], &all), None);
    assert_eq!(refusal(&[("MAEPYO_DIALECTS", "sail,ticketing_pro")], &all), None);
    // A door of one dialect's own lets nobody into the others.
    let own = |dialect| [door(INSIDE, None), door("192.0.2.1:9000", Some(dialect))];
    assert!(refusal(&[], &own(Dialect::Movie)).expect("refused").contains("192.0.2.1:9000"));
    assert_eq!(refusal(&[], &own(Dialect::Sail)), None);
    // Whoever names a user is given a token of concert, so asking for one makes nobody known.
    for tokens in ["on", "off", "auto"] {
        let careless = refusal(&[("MAEPYO_CONCERT_REQUIRE_TOKEN", tokens)], &own(Dialect::Concert));
        assert!(careless.expect("refused").contains("\"concert\""), "{tokens}");
    }
}

#[test]
fn a_dialect_has_an_address_of_its_own_only_where_it_is_spoken() {
    let variables = [("MAEPYO_MOVIE_LISTEN", "127.0.0.1:9000"), ("MAEPYO_TIKETI_LISTEN", "127.0.0.1:3002")];
    let (config, _) = load(&variables, &[]).expect("valid");
    let own = [(Dialect::Movie, "127.0.0.1:9000"), (Dialect::Tiketi, "127.0.0.1:3002")];
    assert_eq!(config.own_addresses().expect("valid"), own);
    let off = load(&[variables[0], ("MAEPYO_DIALECTS", "sail")], &[]).expect_err("refused").0;
    assert!(off.starts_with("movie.listen"), "{off}");
}

#[test]
fn front_ends_are_named_one_by_one() {
    let (config, _) = load(&[("MAEPYO_FRONT_ENDS", "https://a.example, http://localhost:3000")], &[]).expect("valid");
    assert_eq!(config.front_ends, ["https://a.example", "http://localhost:3000"]);
    for wrong in ["*", "https://a.example/", "a.example", "https://*.example"] {
        let refused = load(&[("MAEPYO_FRONT_ENDS", wrong)], &[]).expect_err("refused").0;
        assert!(refused.starts_with("front_ends"), "{refused}");
    }
}

#[test]
fn secrets_do_not_print() {
    let secret = "0123456789abcdef0123456789abcdef";
    let variables = [("MAEPYO_JWT_SECRET", secret), ("MAEPYO_DATABASE_URL", secret), ("MAEPYO_ADMIN_PASSWORD", secret)];
    let urls = [("MAEPYO_SMTP_URL", "smtp://u:hunter2@h"), ("MAEPYO_SMS_URL", "https://u:hunter2@h/")];
    let (carried, _) = load(&urls, &[]).expect("valid");
    assert!(!format!("{carried:?}").contains("hunter2"));
    let (config, _) = load(&variables, &[]).expect("valid");
    assert!(!format!("{config:?}").contains(secret));
    assert_eq!(config.jwt.secret.reveal(), secret);
}
