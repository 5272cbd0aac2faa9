//! What people type, and what they are to find: `queries.txt` and `typed.txt`, on the events of `events.txt`.

mod stage;

use search::{Search, Wanted};
use stage::{events, stage};

/// The lines of a table, in two cells.
fn table(text: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| {
        let (query, expected) = line.rsplit_once('|').expect("two cells");
        (query.strip_suffix(' ').unwrap_or(query), expected.trim())
    })
}

/// Whether what was found is what a cell asks for: names in order; `…` where others may be; `!name` where it may not.
fn fits(found: &[String], expected: &str) -> bool {
    let expected = expected.replace('…', " … ");
    let (banned, wanted): (Vec<&str>, Vec<&str>) =
        expected.split_whitespace().filter(|word| *word != "none").partition(|word| word.starts_with('!'));
    if banned.iter().any(|name| found.contains(&name[1..].to_owned())) {
        return false;
    }
    let (mut at, mut others) = (0, false);
    for name in wanted {
        if name == "…" {
            others = true;
            continue;
        }
        match found[at..].iter().position(|own| own == name) {
            Some(0) => at += 1,
            Some(further) if others => at += further + 1,
            _ => return false,
        }
        // After the first gap the others may stand anywhere.
    }
    others || !banned.is_empty() || at == found.len()
}

fn found(search: &Search, query: &str) -> Vec<String> {
    let wanted = Wanted { text: query, limit: 100, ..Wanted::default() };
    let found = search.find(&wanted).expect("found");
    assert_eq!(found.total, found.hits.len(), "{query}");
    assert!(found.hits.iter().all(|hit| hit.score.is_finite() && hit.score > 0.0), "{query}");
    assert!(found.hits.is_sorted_by(|a, b| a.score >= b.score), "{query}");
    found.hits.into_iter().map(|hit| String::from_utf8(hit.card).expect("a name")).collect()
}

fn report(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} are not as expected:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn people_find_what_they_mean() {
    let search = stage();
    let judged = table(include_str!("queries.txt")).filter_map(|(query, expected)| {
        let found = found(&search, query);
        (!fits(&found, expected)).then(|| format!("{query:?}: expected {expected}, found {}", found.join(" ")))
    });
    report(&judged.collect::<Vec<_>>());
}

#[test]
fn what_is_typed_is_completed() {
    let (search, all) = (stage(), events());
    let name = |title: &str| all.iter().find(|event| event.title == title).expect("an event").name.to_owned();
    let judged = table(include_str!("typed.txt")).filter_map(|(typed, expected)| {
        let offered = search.complete(typed, 10, 0).expect("completed");
        let found: Vec<String> = offered.iter().map(|own| name(&own.title)).collect();
        (!fits(&found, expected)).then(|| format!("{typed:?}: expected {expected}, found {}", found.join(" ")))
    });
    report(&judged.collect::<Vec<_>>());
}

#[test]
fn the_judge_can_tell_right_from_wrong() {
    let found = ["a", "b", "c"].map(str::to_owned);
    for right in ["a b c", "a …", "…c", "a … c", "a b … !d"] {
        assert!(fits(&found, right), "{right}");
    }
    for wrong in ["a b", "b …", "none", "c … a", "a … !b", "a c", "… d"] {
        assert!(!fits(&found, wrong), "{wrong}");
    }
    assert!(fits(&[], "none") && !fits(&[], "a") && fits(&[], "…"));
}

#[test]
fn lists_find_names_at_every_stage_and_no_descriptions() {
    let (search, all) = (stage(), events());
    let names = |query: &str| {
        let mut names: Vec<&str> = Vec::new();
        for id in search.match_ids(query).expect("matched") {
            names.push(all[usize::try_from(id).expect("small") - 1].name);
        }
        names.sort_unstable();
        names
    };
    assert_eq!(names("아이유"), ["iu", "iu2", "secret"]);
    assert_eq!(names("IU"), ["iu", "iu2", "secret"]);
    assert_eq!(names("Coldplay"), ["coldplay", "hall", "off"], "daylight and tribute only tell of them");
    assert_eq!(names("코울드플레이"), ["coldplay", "hall", "off"], "typos too");
    assert_eq!(names("부산"), ["gogh", "rain"]);
    assert!(names("").is_empty() && names("*").is_empty());
}

#[test]
fn no_text_is_too_long_or_too_odd() {
    let search = stage();
    let odd = [
        "coldplay ".repeat(5_000),
        "가".repeat(50_000),
        "a".repeat(50_000),
        "가 ".repeat(3_000),
        "\u{0}\u{1}\u{7f}\u{feff}\u{200b}\u{202e}coldplay".to_owned(),
        "\u{301}\u{301}\u{301}".to_owned(),
        "👨‍👩‍👧‍👦🏳️‍🌈".repeat(500),
        "ﷺ".repeat(1_000),
        (' '..='~').collect(),
    ];
    for text in &odd {
        found(&search, text);
        search.match_ids(text).expect("matched");
        search.complete(text, 20, 0).expect("completed");
    }
    assert_eq!(found(&search, &odd[0])[0], "coldplay");
    assert_eq!(found(&search, &odd[4])[0], "coldplay");
}
