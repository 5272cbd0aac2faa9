//! Words of a text, however it was typed: width, case, accents and decomposed Hangul make no difference.

use unicode_normalization::UnicodeNormalization;

/// The most characters of a word that count.
const LONGEST: usize = 40;

/// Particles that follow a noun, the longer ones first.
const PARTICLES: [&str; 38] = [
    "에서는",
    "으로는",
    "에게서",
    "이라는",
    "에서",
    "에게",
    "에는",
    "에도",
    "으로",
    "부터",
    "까지",
    "처럼",
    "보다",
    "하고",
    "이랑",
    "이나",
    "라는",
    "한테",
    "께서",
    "마다",
    "조차",
    "은",
    "는",
    "이",
    "가",
    "을",
    "를",
    "의",
    "에",
    "와",
    "과",
    "로",
    "도",
    "만",
    "랑",
    "나",
    "야",
    "께",
];

/// How a word is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    /// Letters and digits, words apart from each other: Latin, Cyrillic, single jamo.
    Spaced,
    /// Characters that mean much each and are joined freely: Hangul, kana, Han.
    Packed,
}

/// A word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    /// Its characters.
    pub text: String,
    /// How it is written.
    pub script: Script,
    /// Whether nothing stands between it and the word before.
    pub glued: bool,
}

/// The text as it is compared.
fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let bare = text.nfkd().filter(|c| !matches!(c, '\u{300}'..='\u{36f}' | '\u{fe00}'..='\u{fe0f}'));
    bare.nfc().flat_map(char::to_lowercase).collect()
}

fn script(c: char) -> Option<Script> {
    match c {
        '\u{ac00}'..='\u{d7a3}' | '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}' => {
            Some(Script::Packed)
        }
        // Pictures are words: people search for them, and alone.
        '\u{2190}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}' => Some(Script::Packed),
        c if c.is_alphanumeric() => Some(Script::Spaced),
        _ => None,
    }
}

/// The words of a text, at most `most`.
pub(crate) fn words(text: &str, most: usize) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let (mut before, mut letters) = (None, 0);
    for c in fold(text).chars() {
        let own = script(c);
        // An apostrophe is part of its word: don't, Ocean's.
        if matches!(c, '\'' | '\u{2019}') && before == Some(Script::Spaced) {
            continue;
        }
        if let Some(script) = own {
            if before == own {
                letters += 1;
                words.last_mut().filter(|_| letters <= LONGEST).into_iter().for_each(|word| word.text.push(c));
            } else if words.len() == most {
                break;
            } else {
                letters = 1;
                words.push(Word { text: c.to_string(), script, glued: before.is_some() });
            }
        }
        before = own;
    }
    words
}

impl Word {
    /// How many characters it has.
    pub(crate) fn len(&self) -> usize {
        self.text.chars().count()
    }

    /// What is left without a particle at its end, if it has one and anything is left.
    pub(crate) fn stem(&self) -> Option<&str> {
        if self.script == Script::Spaced {
            return None;
        }
        let stem = PARTICLES.iter().find_map(|particle| self.text.strip_suffix(particle));
        stem.filter(|stem| !stem.is_empty())
    }

    /// Whether it is nothing but a particle.
    pub(crate) fn is_particle(&self) -> bool {
        PARTICLES.contains(&self.text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        words(text, 100).into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn case_width_accents_and_decomposition_make_no_difference() {
        assert_eq!(texts("ＢＴＳ　Ｂｅｙｏｎｃé"), ["bts", "beyonce"]);
        assert_eq!(texts("\u{110b}\u{1161}\u{110b}\u{1175}\u{110b}\u{1172}"), ["아이유"]);
        assert_eq!(texts("ﾋﾞﾙ"), ["ビル"]);
    }

    #[test]
    fn words_end_where_the_script_does() {
        assert_eq!(texts("BTS콘서트2024년"), ["bts", "콘서트", "2024", "년"]);
        assert_eq!(texts("(G)I-DLE: \"I am FREE-TY\""), ["g", "i", "dle", "i", "am", "free", "ty"]);
        assert_eq!(texts("Ocean's don’t"), ["oceans", "dont"]);
        assert_eq!(texts("🎉 파티 ❤️"), ["🎉", "파티", "❤"]);
        assert!(texts("+-&|!(){}[]^\"~*?:\\/ \t\n").is_empty());
        let glued: Vec<bool> = words("BTS의 콘서트", 9).into_iter().map(|word| word.glued).collect();
        assert_eq!(glued, [false, true, false]);
    }

    #[test]
    fn particles_come_off() {
        for (text, stem) in
            [("콘서트에서", "콘서트"), ("아이유의", "아이유"), ("서울로", "서울"), ("콘서트에서는", "콘서트")]
        {
            assert_eq!(words(text, 1)[0].stem(), Some(stem));
        }
        assert_eq!(words("콘서트", 1)[0].stem(), None);
        assert_eq!(words("의", 1)[0].stem(), None);
    }

    #[test]
    fn there_is_an_end_to_words_and_to_their_number() {
        assert_eq!(words(&"가".repeat(100_000), 9)[0].len(), LONGEST);
        assert_eq!(words(&"a ".repeat(100_000), 9).len(), 9);
    }
}
