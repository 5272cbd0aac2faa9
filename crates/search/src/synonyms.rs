//! Names that mean the same: a text file people may edit.

use std::collections::HashMap;
use std::path::Path;

use crate::keys::pressed;
use crate::typos::Close;
use crate::words::{Word, words};

/// What a new file says.
const DEFAULTS: &str = include_str!("synonyms.txt");
/// The most words one name may have.
pub(crate) const MOST_WORDS: usize = 6;

/// Names that mean the same, by name.
#[derive(Debug, Default)]
pub(crate) struct Synonyms {
    groups: Vec<Vec<Vec<Word>>>,
    /// A name's words without spaces, and its group.
    by_name: HashMap<String, usize>,
    /// The keys of each name, and the name.
    keys: Vec<(String, String)>,
}

fn joined(words: &[Word]) -> String {
    words.iter().map(|word| word.text.as_str()).collect()
}

impl Synonyms {
    /// Reads lines like `아이유 = IU = 이지은`; what follows a `#` is a remark. A name in several lines connects them.
    pub(crate) fn parse(text: &str) -> Self {
        let mut read = Self::default();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let names: Vec<Vec<Word>> = line.split('=').map(|name| words(name, MOST_WORDS)).collect();
            let names: Vec<Vec<Word>> = names.into_iter().filter(|name| !name.is_empty()).collect();
            if names.len() > 1 {
                read.connect(names);
            }
        }
        read.keys = read.by_name.keys().map(|name| (pressed([name.as_str()]), name.clone())).collect();
        read
    }

    fn connect(&mut self, names: Vec<Vec<Word>>) {
        let known = names.iter().find_map(|name| self.by_name.get(&joined(name)).copied());
        let group = known.unwrap_or(self.groups.len());
        if known.is_none() {
            self.groups.push(Vec::new());
        }
        for name in names {
            match self.by_name.insert(joined(&name), group) {
                None => self.groups[group].push(name),
                Some(other) if other != group => {
                    for moved in std::mem::take(&mut self.groups[other]) {
                        self.by_name.insert(joined(&moved), group);
                        self.groups[group].push(moved);
                    }
                }
                Some(_) => {}
            }
        }
    }

    /// Reads the file, making it with what is known already where there is none.
    pub(crate) fn load(path: &Path) -> std::io::Result<Self> {
        match std::fs::read(path) {
            Ok(bytes) => Ok(Self::parse(&String::from_utf8_lossy(&bytes))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                std::fs::write(path, DEFAULTS)?;
                Ok(Self::parse(DEFAULTS))
            }
            Err(error) => Err(error),
        }
    }

    /// What a new file says.
    pub(crate) fn usual() -> Self {
        Self::parse(DEFAULTS)
    }

    /// All names of whom these words name, themselves among them.
    pub(crate) fn of(&self, words: &[Word]) -> Option<&[Vec<Word>]> {
        self.named(&joined(words))
    }

    /// All names of whom a name with a few wrong keys names.
    pub(crate) fn close(&self, close: &Close) -> Option<&[Vec<Word>]> {
        let meant = self.keys.iter().filter(|(keys, _)| close.accepts(keys.as_bytes()));
        self.named(&meant.min()?.1)
    }

    /// All names of whom this text, as it is compared, names.
    pub(crate) fn named(&self, joined: &str) -> Option<&[Vec<Word>]> {
        self.by_name.get(joined).map(|group| self.groups[*group].as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(synonyms: &Synonyms, text: &str) -> Vec<String> {
        let found = synonyms.of(&words(text, 9)).unwrap_or_default();
        found.iter().map(|name| joined(name)).collect()
    }

    #[test]
    fn names_are_found_both_ways_whatever_their_case_width_and_spaces() {
        let synonyms = Synonyms::parse("아이유 = IU = 이지은 # a singer\n\n# none\nlonely\n = \n방탄 소년단=BTS");
        for text in ["iu", "ＩＵ", "아이유", "이지은", "아이 유"] {
            assert_eq!(names(&synonyms, text), ["아이유", "iu", "이지은"], "{text}");
        }
        assert_eq!(names(&synonyms, "방탄소년단"), ["방탄소년단", "bts"]);
        assert!(names(&synonyms, "lonely").is_empty() && names(&synonyms, "").is_empty());
    }

    #[test]
    fn a_name_with_a_wrong_key_is_still_that_name() {
        let synonyms = Synonyms::usual();
        let meant = |text: &str| synonyms.close(&Close::new(&pressed([text]), 1, false, b"")).map(<[_]>::len);
        assert_eq!(meant("콜드플래이"), Some(2));
        assert_eq!(meant("coldpaly"), Some(2));
        assert_eq!(meant("코올드플레이이"), None);
    }

    #[test]
    fn lines_with_a_name_in_common_are_one() {
        let synonyms = Synonyms::parse("a = b\nc = d\nb = e\nd = a");
        let mut all = names(&synonyms, "c");
        all.sort_unstable();
        assert_eq!(all, ["a", "b", "c", "d", "e"]);
        assert_eq!(names(&synonyms, "e").len(), 5);
    }

    #[test]
    fn the_file_is_made_once_and_then_belongs_to_whoever_edits_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("synonyms.txt");
        assert!(names(&Synonyms::load(&path).expect("made"), "아이유").contains(&"iu".to_owned()));
        std::fs::write(&path, b"x = y \xff\n").expect("written");
        let edited = Synonyms::load(&path).expect("read");
        assert_eq!(names(&edited, "X"), ["x", "y"]);
        assert!(names(&edited, "IU").is_empty());
    }
}
