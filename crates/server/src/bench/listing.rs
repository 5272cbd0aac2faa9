//! A hundred thousand events that differ, and what people type to find them.

use ::desk::{Desk, DeskConfig};
use engine::catalogue::layout::section;
use engine::catalogue::{Billing, CreateEvent, Editor, NewOffer};
use engine::money::Won;
use engine::people::Role;
use engine::time::Span;
use tokio::task::JoinSet;

use super::ground::{DAY, PRICE, Random, billing, organizer};
use crate::cli::Failure;

/// How many events there are to be searched.
pub const EVENTS: u32 = 100_000;
const ARTISTS: u32 = 3_000;
const QUERIES: u32 = 4_000;
const AT_ONCE: u32 = 1_000;

const FIRST: [&str; 24] = [
    "달", "푸른", "검은", "하늘", "바람", "은하", "새벽", "노을", "겨울", "여름", "모래", "유리", "종이", "구름",
    "소리", "기억", "Silver", "Crimson", "Midnight", "Paper", "Electric", "Velvet", "Golden", "Northern",
];
const SECOND: [&str; 25] = [
    "고래",
    "여우",
    "나무",
    "정원",
    "소년",
    "소녀",
    "극장",
    "우체국",
    "자전거",
    "악단",
    "바다",
    "편지",
    "등대",
    "기차",
    "골목",
    "그림자",
    "Foxes",
    "Harbor",
    "Parade",
    "Machine",
    "Orchestra",
    "Letters",
    "Garden",
    "Signal",
    "River",
];
const KINDS: [&str; 8] = ["콘서트", "전국투어", "팬미팅", "단독 공연", "World Tour", "Live", "리사이틀", "앙코르"];
const CITIES: [&str; 10] = ["서울", "부산", "대구", "인천", "광주", "대전", "울산", "수원", "제주", "전주"];
const HALLS: [&str; 6] = ["문화회관", "아트센터", "실내체육관", "월드컵경기장", "Concert Hall", "예술의전당"];
const PHRASES: [&str; 8] = [
    "정규 앨범의 모든 곡을 처음으로 무대에서 들려드립니다",
    "오랜 기다림 끝에 다시 만나는 밤",
    "새로운 편곡과 특별한 손님",
    "an evening with the whole band and a string quartet",
    "관객과 함께 부르는 앙코르까지 두 시간",
    "조명과 영상이 어우러진 무대",
    "the tour that sold out in twelve cities",
    "휠체어석은 전화로 예매하실 수 있습니다",
];

/// An artist's name: the same for the same number.
fn artist(number: u32) -> String {
    let (first, rest) = (number as usize % FIRST.len(), number as usize / FIRST.len());
    let (second, rest) = (rest % SECOND.len(), rest / SECOND.len());
    match rest {
        0 => format!("{} {}", FIRST[first], SECOND[second]),
        more => format!("{} {} {}", FIRST[first], SECOND[second], FIRST[(first + more * 7) % FIRST.len()]),
    }
}

fn one_of<'a>(words: &[&'a str], random: &mut Random) -> &'a str {
    words[random.below(u32::try_from(words.len()).unwrap_or(1)) as usize]
}

/// Makes the events, with no server on the store.
///
/// # Errors
/// When the store fails.
pub async fn prepare(config: DeskConfig) -> Result<(), Failure> {
    let desk = Desk::open(config).await.map_err(Failure::new)?;
    let editor = Editor { user: organizer(&desk).await?.id, role: Role::Organizer };
    let mut random = Random::new();
    for _ in 0..EVENTS / AT_ONCE {
        let mut creating = JoinSet::new();
        for _ in 0..AT_ONCE {
            let billing = event(&mut random, &desk);
            let rows = section("A", 20, 20, Won(PRICE)).collect();
            let offer = NewOffer { rows, types: Vec::new(), total: None, prices: None };
            let desk = desk.clone();
            creating.spawn(async move { desk.run(CreateEvent { editor, billing, offer, publish: true }).await });
        }
        while let Some(created) = creating.join_next().await {
            created.map_err(Failure::new)?.map_err(Failure::new)?;
        }
    }
    desk.close().await;
    Ok(())
}

fn event(random: &mut Random, desk: &Desk) -> Billing {
    let artist = artist(random.below(ARTISTS));
    let city = one_of(&CITIES, random);
    let starts_at = desk.now() + Span::seconds(DAY * i64::from(random.below(400)));
    let phrases: Vec<&str> = (0..4).map(|_| one_of(&PHRASES, random)).collect();
    Billing {
        description: phrases.join(". "),
        venue: format!("{city} {}", one_of(&HALLS, random)),
        location: city.to_owned(),
        artist: Some(artist.clone()),
        ..billing(format!("{artist} {} {}", one_of(&KINDS, random), 2030 + random.below(6)), starts_at)
    }
}

/// What people search for: an artist, one in a city, one with a wrong letter, one with a particle.
pub fn searches() -> Vec<String> {
    let mut random = Random::new();
    let query = |number: u32, random: &mut Random| {
        let artist = artist(random.below(ARTISTS));
        match number % 10 {
            0..=4 => artist,
            5..=7 => format!("{artist} {}", one_of(&CITIES, random)),
            8 => misspelt(&artist),
            _ => format!("{artist}의 {}", one_of(&KINDS, random)),
        }
    };
    (0..QUERIES).map(|number| path("events", &query(number, &mut random))).collect()
}

/// What people have typed when they are helped: two to four characters of an artist.
pub fn typed() -> Vec<String> {
    let mut random = Random::new();
    let beginning = |_| {
        let (artist, length) = (artist(random.below(ARTISTS)), 2 + random.below(3) as usize);
        let letters = artist.chars().filter(|letter| !letter.is_whitespace());
        path("autocomplete", &letters.take(length).collect::<String>())
    };
    (0..QUERIES).map(beginning).collect()
}

/// The name with two letters in the wrong order.
fn misspelt(name: &str) -> String {
    let mut letters: Vec<char> = name.chars().collect();
    let last = letters.len() - 1;
    letters.swap(last, last - 1);
    letters.into_iter().collect()
}

fn path(what: &str, q: &str) -> String {
    let q: String = q.bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!("/api/search/{what}?q={q}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artists_differ() {
        let mut names: Vec<String> = (0..ARTISTS).map(artist).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ARTISTS as usize);
    }

    #[test]
    fn what_is_typed_has_two_characters_at_least_and_is_escaped() {
        assert!(typed().iter().all(|path| path.len() >= "/api/search/autocomplete?q=%61%62".len()));
        assert!(!typed().iter().any(|path| path.contains("%20")), "spaces do not count as characters");
        assert_eq!(path("events", "달 a"), "/api/search/events?q=%EB%8B%AC%20%61");
        assert_eq!(misspelt("Foxes"), "Foxse");
    }
}
