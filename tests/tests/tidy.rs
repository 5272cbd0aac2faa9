//! Rules about the text of the project itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const MOST_LINES_OF_A_FILE: usize = 600;
const MOST_LINES_OF_A_FUNCTION: usize = 70;
const BANNED_MODULES: &[&str] = &["util", "utils", "helper", "helpers", "manager", "service", "common", "misc"];

/// A crate, and what must not be named in its sources or among its dependencies.
const BARRIERS: &[(&str, &[&str])] = &[
    (
        "engine",
        &[
            "tokio",
            "serde",
            "serde_json",
            "axum",
            "http",
            "hyper",
            "rusqlite",
            "tokio_postgres",
            "desk",
            "api",
            "rand",
            "getrandom",
        ],
    ),
    ("desk", &["axum", "http", "hyper", "tower", "utoipa", "api"]),
    ("waiting_room", &["axum", "http", "hyper", "tower", "rusqlite", "tokio_postgres", "api"]),
    ("search", &["axum", "http", "hyper", "tokio", "rusqlite", "tokio_postgres", "engine", "desk", "api"]),
    ("api", &["rusqlite", "tokio_postgres", "deadpool_postgres"]),
    ("sim", &["axum", "rusqlite", "tokio_postgres", "api"]),
    ("server", &["rusqlite", "tokio_postgres", "deadpool_postgres"]),
    ("pager", &["tokio", "axum", "engine", "desk", "api"]),
];

/// Only the desk speaks SQL.
const SQL: &[&str] = &["SELECT ", "INSERT INTO", "DELETE FROM", "CREATE TABLE"];

/// What `engine` may not ask the world for.
const IMPURE: &[&str] = &["std::thread", "std::net", "std::fs", "std::env", "SystemTime", "Instant", "async fn"];

struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// Where a line is, for people to go to.
    fn at(&self, line: usize) -> String {
        format!("{}:{}", self.path.display(), line + 1)
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a folder of the project").to_owned()
}

/// All files under a folder of the project whose names end so.
fn sources(folder: &str, ending: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if name.ends_with(ending) {
                let text = std::fs::read_to_string(&path).expect("a source file can be read");
                found.push(Source { path: path.strip_prefix(root()).unwrap_or(&path).to_owned(), text });
            }
        }
    }
    found
}

fn everything() -> Vec<Source> {
    let all: Vec<Source> = ["crates", "tests", "xtask"].iter().flat_map(|folder| sources(folder, ".rs")).collect();
    assert!(all.len() > 50, "the sources were found");
    all
}

fn clean(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

/// The text without comments: enough to look for names of crates and types.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(number, line)| (number, line.split("//").next().unwrap_or_default()))
}

fn names(line: &str, word: &str) -> bool {
    let bounded = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
    line.match_indices(word)
        .any(|(at, _)| bounded(line[..at].chars().next_back()) && line[at + word.len()..].starts_with("::"))
}

#[test]
fn crates_know_only_what_they_may() {
    let mut complaints = Vec::new();
    for (name, banned) in BARRIERS {
        let manifest =
            std::fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).expect("a manifest");
        let manifest: toml::Table = manifest.parse().expect("a manifest is TOML");
        let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table).cloned().unwrap_or_default();
        for word in *banned {
            let package = word.replace('_', "-");
            if dependencies.contains_key(&package) || dependencies.contains_key(*word) {
                complaints.push(format!("{name} depends on {package}"));
            }
            for source in sources(&format!("crates/{name}/src"), ".rs") {
                let lines = code(&source.text).filter(|(_, line)| names(line, word));
                complaints
                    .extend(lines.map(|(number, _)| format!("{}: {name} must not know {word}", source.at(number))));
            }
        }
    }
    clean(complaints);
}

#[test]
fn only_the_desk_speaks_sql() {
    let mut complaints = Vec::new();
    for name in ["engine", "search", "waiting_room", "api", "server", "sim"] {
        for source in sources(&format!("crates/{name}/src"), ".rs") {
            for (number, line) in code(&source.text) {
                if SQL.iter().any(|words| line.contains(words)) {
                    complaints.push(format!("{}: SQL outside the desk", source.at(number)));
                }
            }
        }
    }
    clean(complaints);
}

#[test]
fn one_crate_has_unsafe_code_and_the_others_take_the_lints_of_all() {
    let crates =
        std::fs::read_dir(root().join("crates")).expect("a folder").map(|entry| entry.expect("a crate").path());
    let of_its_own = |path: &PathBuf| {
        let manifest = std::fs::read_to_string(path.join("Cargo.toml")).expect("a manifest");
        !manifest.contains("[lints]\nworkspace = true")
    };
    let names: Vec<PathBuf> = crates.filter(of_its_own).collect();
    assert_eq!(names, [root().join("crates/pager")]);
}

#[test]
fn the_engine_is_pure() {
    let mut complaints = Vec::new();
    for source in sources("crates/engine/src", ".rs") {
        for (number, line) in code(&source.text) {
            let found = IMPURE.iter().filter(|word| line.contains(*word));
            complaints.extend(found.map(|word| format!("{}: {word}", source.at(number))));
        }
    }
    clean(complaints);
}

#[test]
fn dialects_do_not_know_each_other() {
    let dialects = ["movie", "concert", "sail", "tiketi", "ticketing_pro"];
    let mut complaints = Vec::new();
    for own in dialects {
        for source in sources(&format!("crates/api/src/{own}"), ".rs") {
            for (number, line) in code(&source.text) {
                let other = dialects.iter().find(|other| **other != own && line.contains(&format!("{other}::")));
                complaints.extend(other.map(|other| format!("{}: {own} knows {other}", source.at(number))));
            }
        }
    }
    clean(complaints);
}

#[test]
fn files_are_short() {
    let long = everything().into_iter().filter(|source| source.text.lines().count() > MOST_LINES_OF_A_FILE);
    clean(long.map(|source| format!("{} has {} lines", source.path.display(), source.text.lines().count())).collect());
}

#[test]
fn functions_are_short() {
    let mut complaints = Vec::new();
    for source in everything() {
        for (start, length) in functions(&source.text) {
            if length > MOST_LINES_OF_A_FUNCTION {
                complaints.push(format!("{}: a function of {length} lines", source.at(start)));
            }
        }
    }
    clean(complaints);
}

/// Where functions start and how many lines they have. The text is formatted: a body ends at the first brace that
/// stands as far in as the function does.
fn functions(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let is_start = |line: &str| {
        let words = line.split_whitespace().take_while(|word| *word != "fn");
        let before: Vec<&str> = words.collect();
        line.contains("fn ") && before.iter().all(|word| is_qualifier(word))
    };
    let starts = (0..lines.len()).filter(|number| is_start(lines[*number]));
    let end_of = |start: usize| {
        let depth = indent(lines[start]);
        (start..lines.len()).find(|number| {
            let line = lines[*number];
            let one_line = *number == start && (line.ends_with('}') || line.ends_with(';'));
            one_line || *number > start && indent(line) == depth && (line.trim() == "}" || line.ends_with(';'))
        })
    };
    starts.filter_map(|start| Some((start, end_of(start)? - start + 1))).collect()
}

fn is_qualifier(word: &str) -> bool {
    word == "async" || word == "const" || word.starts_with("pub") || word.starts_with("in") || word.ends_with(')')
}

#[test]
fn the_measure_of_functions_measures() {
    let text =
        "impl A {\n    pub(crate) async fn one(\n        a: u8,\n    ) {\n        b();\n    }\n    fn two() {}\n}\n";
    assert_eq!(functions(text), vec![(1, 5), (6, 1)]);
}

#[test]
fn modules_are_named_for_what_they_hold() {
    let is_banned = |source: &Source| {
        let stem = source.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let folder = source.path.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
        BANNED_MODULES.contains(&stem) || BANNED_MODULES.contains(&folder)
    };
    clean(
        everything()
            .iter()
            .filter(|source| is_banned(source))
            .map(|source| source.path.display().to_string())
            .collect(),
    );
}

#[test]
fn nothing_is_left_for_later_and_no_test_is_left_out() {
    // Written in pieces, so that this file does not find itself.
    let banned = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["XX", "X:"].concat(), ["#[ign", "ore"].concat()];
    let mut complaints = Vec::new();
    for source in everything() {
        for (number, line) in source.text.lines().enumerate() {
            let found = banned.iter().filter(|word| line.contains(word.as_str()));
            complaints.extend(found.map(|word| format!("{}: {word}", source.at(number))));
        }
    }
    clean(complaints);
}

/// Whoever follows the README finds that its commands are there.
#[test]
fn the_readme_tells_of_what_exists() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("there is a README");
    for command in ["cargo run --release", "cargo xtask test"] {
        assert!(readme.contains(command), "the README does not tell of `{command}`");
    }
    let alias = std::fs::read_to_string(root().join(".cargo/config.toml")).expect("cargo is configured");
    assert!(alias.contains("xtask ="));
    let known = subcommands();
    let mut complaints = Vec::new();
    for line in readme.lines() {
        for (program, subcommands) in &known {
            let told = line.split(program).skip(1).filter_map(|rest| rest.split([' ', '`']).next());
            let told = told.filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase()));
            let unknown = told.filter(|word| !subcommands.contains(*word));
            complaints.extend(unknown.map(|word| format!("README: `{program}{word}` is no command")));
        }
    }
    clean(complaints);
}

/// What the two programs say of their commands, by how the README writes them.
fn subcommands() -> BTreeMap<&'static str, String> {
    let xtask = std::fs::read_to_string(root().join("xtask/src/main.rs")).expect("xtask has a main");
    let store = harness::store::Store::sqlite();
    let output = harness::server::maepyo(&store).arg("--help").output().expect("the program can be run");
    BTreeMap::from([("cargo xtask ", xtask), ("release/maepyo ", harness::server::said(&output))])
}
