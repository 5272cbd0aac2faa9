//! The index as files: it comes back, it is made anew where it has to be, and one process has it.

mod stage;

use std::path::{Path, PathBuf};

use search::{Search, SearchError, Wanted};
use stage::{Event, events, numbered};
use tempfile::TempDir;

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join("search")
    }

    fn open_for(&self, cards: &str) -> Result<Search, SearchError> {
        Search::open(&self.folder(), cards, &self.0.path().join("synonyms.txt"))
    }

    fn open(&self) -> Search {
        self.open_for("1").expect("opened")
    }

    /// An index that was filled and closed.
    fn filled() -> Self {
        let place = Self::new();
        place.open().change(numbered(&events()), []).expect("indexed");
        place
    }
}

fn find(search: &Search, text: &str) -> Vec<u128> {
    let found = search.find(&Wanted { text, limit: 10, ..Wanted::default() }).expect("found");
    found.hits.into_iter().map(|hit| hit.id).collect()
}

/// The files of the index that have something in them.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.join("index")).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| !path.ends_with(".lock") && path.metadata().is_ok_and(|data| data.len() > 0)).collect()
}

#[test]
fn what_was_indexed_is_there_after_a_restart() {
    let place = Place::filled();
    let search = place.open();
    assert_eq!(search.versions().len(), events().len());
    assert_eq!(find(&search, "캣츠"), [5]);
}

#[test]
fn a_changed_document_takes_the_place_of_the_old_one_and_one_that_is_gone_is_not_found() {
    let place = Place::filled();
    let search = place.open();
    let events = events();
    assert_eq!((find(&search, "캣츠"), find(&search, "유령")), (vec![5], vec![6]));
    let renamed = Event { title: "지킬 앤 하이드", description: "", ..events.into_iter().nth(4).expect("cats") };
    search.change([renamed.document(5)], [6]).expect("changed");
    assert!(find(&search, "캣츠").is_empty() && find(&search, "유령").is_empty());
    assert_eq!(find(&search, "지킬"), [5]);
    assert!(search.complete("뮤지컬", 10, 0).expect("completed").is_empty());
    assert!(!search.versions().contains_key(&6));
    search.compact().expect("compacted");
    assert_eq!(find(&search, "지킬"), [5]);
}

#[test]
fn an_index_that_is_gone_is_made_anew() {
    let place = Place::filled();
    std::fs::remove_dir_all(place.folder()).expect("removed");
    assert!(place.open().versions().is_empty());
}

#[test]
fn an_index_of_another_version_is_made_anew() {
    let place = Place::filled();
    assert!(place.open_for("2").expect("opened").versions().is_empty());
    let place = Place::filled();
    std::fs::write(place.folder().join("version"), "0 1").expect("written");
    assert!(place.open().versions().is_empty());
    let place = Place::filled();
    std::fs::remove_file(place.folder().join("version")).expect("removed");
    assert!(place.open().versions().is_empty());
}

#[test]
fn whatever_file_is_damaged_the_index_is_whole_or_made_anew() {
    let whole = Place::filled();
    let names = files(&whole.folder());
    assert!(names.len() > 5, "{names:?}");
    for damaged in &names {
        for damage in [cut, flip, empty, short, delete] {
            let place = Place::new();
            std::fs::create_dir_all(place.folder().join("index")).expect("a folder");
            for file in names.iter().chain([&whole.folder().join("version")]) {
                let own = place.folder().join(file.strip_prefix(whole.folder()).expect("in the folder"));
                std::fs::copy(file, own).expect("copied");
            }
            damage(&place.folder().join(damaged.strip_prefix(whole.folder()).expect("in the folder")));
            let there = place.open().versions().len();
            assert!(there == 0 || there == events().len(), "{}: {there}", damaged.display());
        }
    }
}

#[test]
fn a_damaged_index_is_filled_again() {
    let place = Place::filled();
    files(&place.folder()).iter().for_each(|path| cut(path));
    let search = place.open();
    assert!(search.versions().is_empty());
    search.change(numbered(&events()), []).expect("indexed");
    assert_eq!(find(&search, "캣츠"), [5]);
}

fn cut(path: &Path) {
    let bytes = std::fs::read(path).expect("read");
    std::fs::write(path, &bytes[..bytes.len() / 2]).expect("written");
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    std::fs::write(path, bytes).expect("written");
}

fn empty(path: &Path) {
    std::fs::write(path, b"").expect("written");
}

fn short(path: &Path) {
    std::fs::write(path, b"short").expect("written");
}

fn delete(path: &Path) {
    std::fs::remove_file(path).expect("removed");
}

#[test]
fn two_cannot_have_the_same_folder() {
    let place = Place::new();
    let first = place.open();
    assert!(matches!(place.open_for("1"), Err(SearchError::Taken)));
    drop(first);
    place.open();
}

#[test]
fn an_edited_list_of_synonyms_is_taken_up() {
    let place = Place::filled();
    let search = place.open();
    assert!(find(&search, "갤럭시").is_empty());
    let list = place.0.path().join("synonyms.txt");
    let text = std::fs::read_to_string(&list).expect("made at the first start");
    assert!(text.contains("아이유 = IU"));
    std::fs::write(&list, "갤럭시 = 캣츠\n").expect("written");
    let later = std::fs::metadata(&list).and_then(|data| data.modified()).expect("a time");
    let file = std::fs::File::options().append(true).open(&list).expect("opened");
    file.set_modified(later + std::time::Duration::from_secs(5)).expect("touched");
    search.read_synonyms().expect("read");
    assert_eq!(find(&search, "갤럭시"), [5]);
}

/// Another name may be far rarer than what was written, which tells more of the documents but no more of what is meant.
#[test]
fn what_was_written_counts_for_more_than_another_name_of_it() {
    let search = Search::in_memory().expect("an index");
    let other =
        |title| Event { title, description: "", artist: "", venue: "", location: "서울", ..events().remove(3) };
    let (written, named) = (other("서울 재즈 콘서트"), other("Live in Seoul"));
    let somewhere = other("재즈 콘서트");
    let many = (1..=40).map(|id| somewhere.document(id));
    search.change(many.chain([named.document(41), written.document(42)]), []).expect("indexed");
    assert_eq!(find(&search, "서울")[..2], [42, 41]);
}

#[test]
fn filters_pages_and_ties() {
    let (search, events) = (Search::in_memory().expect("an index"), events());
    let coldplay = &events[3];
    let seoul = Event { location: "서울특별시 중구", category: "Musical", ..self::events().remove(3) };
    search
        .change((1..=50).map(|id| if id % 2 == 0 { coldplay.document(id) } else { seoul.document(id) }), [])
        .expect("indexed");
    let ids = |wanted: Wanted<'_>| {
        let found = search.find(&Wanted { text: "coldplay", ..wanted }).expect("found");
        (found.hits.into_iter().map(|hit| hit.id).collect::<Vec<_>>(), found.total)
    };
    let page = |offset, limit| ids(Wanted { offset, limit, ..Wanted::default() });
    let all: Vec<u128> = (1..=50).collect();
    assert_eq!(page(0, 100), (all.clone(), 50), "equals are in the order they start");
    let paged: Vec<u128> = (0..5).flat_map(|number| page(number * 10, 10).0).collect();
    assert_eq!(paged, all);
    assert_eq!(page(50, 10), (vec![], 50));
    assert_eq!(page(usize::MAX, usize::MAX), (vec![], 50));
    assert_eq!(page(0, 0), (vec![], 50));
    let some = |wanted: Wanted<'_>| ids(Wanted { limit: 100, ..wanted }).0;
    assert_eq!(some(Wanted { category: Some("musical"), ..Wanted::default() }).len(), 25);
    assert_eq!(some(Wanted { category: Some("music"), ..Wanted::default() }).len(), 0);
    assert_eq!(some(Wanted { location: Some("중구"), ..Wanted::default() }).len(), 25);
    assert_eq!(some(Wanted { location: Some("서울 특별시"), ..Wanted::default() }).len(), 50);
    assert_eq!(some(Wanted { location: Some("부산"), ..Wanted::default() }).len(), 0);
    assert_eq!(some(Wanted { min_price: Some(49_000), ..Wanted::default() }), [49, 50]);
    assert_eq!(some(Wanted { max_price: Some(2_500), ..Wanted::default() }), [1, 2]);
    assert_eq!(some(Wanted { starts_from: Some(4_900), starts_to: Some(4_900), ..Wanted::default() }), [49]);
    let none = Wanted { text: "coldpaly", min_price: Some(i64::MAX), ..Wanted::default() };
    assert_eq!(search.find(&none).expect("found").total, 0);
}

#[test]
fn a_show_that_has_been_on_for_years_is_offered_for_the_evening_that_comes() {
    let search = Search::in_memory().expect("an index");
    let cats = events().into_iter().nth(4).expect("cats");
    search.change((1..=1_001).map(|evening| cats.document(evening)), []).expect("indexed");
    let offered = search.complete("뮤지컬", 5, 1_000 * 100 + 50).expect("completed");
    let ids: Vec<u128> = offered.iter().map(|own| own.id).collect();
    assert_eq!((ids.len(), ids[0]), (5, 1_001));
}
