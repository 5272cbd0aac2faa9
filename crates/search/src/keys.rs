//! Words as the keys that are pressed for them: a typo in Hangul is one wrong jamo, not one wrong syllable.
//!
//! A jamo is one byte outside of lower case, so that edits of bytes are edits of keys, and Hangul and Latin never meet.
//! Compound jamo are pressed as two keys and written as two.

use crate::words::{Script, Word};

const INITIALS: [&str; 19] =
    ["A", "AA", "B", "C", "CC", "D", "E", "F", "FF", "G", "GG", "H", "I", "II", "J", "K", "L", "M", "N"];
const VOWELS: [&str; 21] =
    ["O", "P", "Q", "R", "S", "T", "U", "V", "W", "WO", "WP", "W[", "X", "Y", "YS", "YT", "Y[", "Z", "@", "@[", "["];
const FINALS: [&str; 28] = [
    "", "A", "AA", "AG", "B", "BI", "BN", "C", "D", "DA", "DE", "DF", "DG", "DL", "DM", "DN", "E", "F", "FG", "G",
    "GG", "H", "I", "J", "K", "L", "M", "N",
];

/// What a character is made of.
enum Jamo {
    Syllable { initial: usize, vowel: usize, tail: usize },
    Initial(usize),
    Vowel(usize),
    Tail(usize),
    Other,
}

fn jamo(c: char) -> Jamo {
    let code = c as usize;
    match code {
        0xac00..=0xd7a3 => {
            let index = code - 0xac00;
            Jamo::Syllable { initial: index / 588, vowel: index % 588 / 28, tail: index % 28 }
        }
        0x1100..=0x1112 => Jamo::Initial(code - 0x1100),
        0x1161..=0x1175 => Jamo::Vowel(code - 0x1161),
        0x11a8..=0x11c2 => Jamo::Tail(code - 0x11a7),
        _ => Jamo::Other,
    }
}

/// Appends the keys of a word.
pub(crate) fn press(text: &str, keys: &mut String) {
    for c in text.chars() {
        match jamo(c) {
            Jamo::Syllable { initial, vowel, tail } => {
                keys.push_str(INITIALS[initial]);
                keys.push_str(VOWELS[vowel]);
                keys.push_str(FINALS[tail]);
            }
            Jamo::Initial(index) => keys.push_str(INITIALS[index]),
            Jamo::Vowel(index) => keys.push_str(VOWELS[index]),
            Jamo::Tail(index) => keys.push_str(FINALS[index]),
            Jamo::Other => keys.push(c),
        }
    }
}

/// The keys of words one after the other, without spaces.
pub(crate) fn pressed<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut keys = String::new();
    texts.into_iter().for_each(|text| press(text, &mut keys));
    keys
}

/// The first consonants (초성) of a text; other characters as they are. A doubled consonant is as good as a plain one.
pub(crate) fn initials<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut found = String::new();
    for c in texts.into_iter().flat_map(str::chars) {
        match jamo(c) {
            Jamo::Syllable { initial, .. } | Jamo::Initial(initial) => found.push_str(&INITIALS[initial][..1]),
            // ㄳ is what an input method makes of ㄱ and ㅅ.
            Jamo::Tail(index) => found.push_str(FINALS[index]),
            Jamo::Vowel(index) => found.push_str(VOWELS[index]),
            Jamo::Other => found.push(c),
        }
    }
    found
}

/// Whether these are consonants alone, as one types to find 방탄소년단 by ㅂㅌㅅㄴㄷ.
pub(crate) fn are_initials(words: &[Word]) -> bool {
    let mut all = words.iter().flat_map(|word| word.text.chars());
    !words.is_empty() && all.all(|c| matches!(jamo(c), Jamo::Initial(_) | Jamo::Tail(_)))
}

/// On which key of a Latin keyboard each jamo is (두벌식).
const LAYOUT: [(char, char); 33] = [
    ('r', 'ㄱ'),
    ('R', 'ㄲ'),
    ('s', 'ㄴ'),
    ('e', 'ㄷ'),
    ('E', 'ㄸ'),
    ('f', 'ㄹ'),
    ('a', 'ㅁ'),
    ('q', 'ㅂ'),
    ('Q', 'ㅃ'),
    ('t', 'ㅅ'),
    ('T', 'ㅆ'),
    ('d', 'ㅇ'),
    ('w', 'ㅈ'),
    ('W', 'ㅉ'),
    ('c', 'ㅊ'),
    ('z', 'ㅋ'),
    ('x', 'ㅌ'),
    ('v', 'ㅍ'),
    ('g', 'ㅎ'),
    ('k', 'ㅏ'),
    ('o', 'ㅐ'),
    ('i', 'ㅑ'),
    ('O', 'ㅒ'),
    ('j', 'ㅓ'),
    ('p', 'ㅔ'),
    ('u', 'ㅕ'),
    ('P', 'ㅖ'),
    ('h', 'ㅗ'),
    ('y', 'ㅛ'),
    ('n', 'ㅜ'),
    ('b', 'ㅠ'),
    ('m', 'ㅡ'),
    ('l', 'ㅣ'),
];

/// The keys of a Latin word as if the keyboard had been set to Hangul: dkdldb is 아이유.
pub(crate) fn switched(word: &Word) -> Option<String> {
    if word.script != Script::Spaced || word.len() < 4 {
        return None;
    }
    let mut keys = String::new();
    for c in word.text.chars() {
        let (_, jamo) = LAYOUT.iter().find(|(latin, _)| *latin == c)?;
        keys.push_str(compatibility(*jamo)?);
    }
    Some(keys)
}

/// The key of a jamo as it stands in a keyboard's layout.
fn compatibility(jamo: char) -> Option<&'static str> {
    const CONSONANTS: [char; 19] = [
        'ㄱ', 'ㄲ', 'ㄴ', 'ㄷ', 'ㄸ', 'ㄹ', 'ㅁ', 'ㅂ', 'ㅃ', 'ㅅ', 'ㅆ', 'ㅇ', 'ㅈ', 'ㅉ', 'ㅊ', 'ㅋ', 'ㅌ', 'ㅍ',
        'ㅎ',
    ];
    match jamo as usize {
        code @ 0x314f..=0x3163 => VOWELS.get(code - 0x314f).copied(),
        _ => CONSONANTS.iter().position(|own| *own == jamo).map(|index| INITIALS[index]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::words;

    #[test]
    fn a_syllable_typed_in_part_begins_like_the_whole() {
        let keys = |text: &str| pressed(words(text, 9).iter().map(|word| word.text.as_str()));
        assert!(keys("방탄").starts_with(&keys("바")));
        assert!(keys("방탄").starts_with(&keys("방ㅌ")));
        assert!(keys("과자").starts_with(&keys("고")));
        assert!(keys("값").starts_with(&keys("갑")));
        assert_eq!(keys("BTS"), "bts");
    }

    #[test]
    fn initials_are_found_and_recognised() {
        let typed = words("ㅂㅌㅅㄴㄷ", 9);
        assert!(are_initials(&typed));
        assert_eq!(initials(["방탄소년단"]), initials(typed.iter().map(|word| word.text.as_str())));
        assert_eq!(initials(["감사"]), initials(words("ㄳ", 9).iter().map(|word| word.text.as_str())));
        assert_eq!(initials(["까치"]), initials(["가치"]));
        assert!(!are_initials(&words("방탄", 9)) && !are_initials(&words("ㅏ", 9)) && !are_initials(&[]));
    }

    #[test]
    fn a_keyboard_left_on_latin_is_read_as_hangul() {
        let switched = |text: &str| words(text, 9).first().and_then(switched);
        assert_eq!(switched("dkdldb"), Some(pressed(["아이유"])));
        assert_eq!(switched("xhRl"), Some(pressed(["토기"])), "case is lost before");
        assert_eq!(switched("2024"), None);
    }
}
