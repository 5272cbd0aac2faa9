//! Demo data: accounts and events to look at, put into an empty store.

use std::net::SocketAddr;

use desk::{Desk, EventQuery};
use engine::catalogue::layout::{SeatRow, section};
use engine::catalogue::{Billing, CreateEvent, Editor, NewOffer, NewTicketType};
use engine::money::Won;
use engine::movie::{IssueTickets, RefundTickets};
use engine::people::Role;
use engine::time::{Span, Time};

use crate::account;
use crate::cli::Failure;

/// Demo accounts: what each is for, its address, its password, its name, its role.
const ACCOUNTS: [(&str, &str, &str, &str, Role); 3] = [
    ("buyer", "buyer@example.com", "buyer-demo-1", "홍길동", Role::User),
    ("organizer", "organizer@example.com", "organizer-demo-1", "김기획", Role::Organizer),
    ("admin", "admin@example.com", "admin-demo-1", "관리자", Role::Admin),
];

/// Movie tickets: theater, title, price, how many, whose.
const MOVIES: [(&str, &str, i64, u32, &str); 3] = [
    ("달빛시네마 서울", "한강의 밤", 15_000, 4, "anonymous"),
    ("달빛시네마 서울", "우주로 간 떡볶이", 14_000, 2, "홍길동"),
    ("바다극장 부산", "한강의 밤", 13_000, 3, "anonymous"),
];

/// Puts the demo data into a store without events; gives whether it did.
///
/// # Errors
/// When the store fails.
pub async fn fill(desk: &Desk) -> Result<bool, Failure> {
    let any = EventQuery { limit: 1, ..EventQuery::default() };
    if desk.events(any).await.map_err(Failure::new)?.1 > 0 {
        return Ok(false);
    }
    let mut editor = None;
    for (_, email, password, name, role) in ACCOUNTS {
        let user = account::ensure(desk, email, password, name, role).await?;
        if role == Role::Organizer {
            editor = Some(Editor { user: user.id, role });
        }
    }
    let editor = editor.ok_or_else(|| Failure::new("no demo organizer"))?;
    for show in shows() {
        desk.run(show.command(editor, desk.now())).await.map_err(Failure::new)?;
    }
    movie_tickets(desk).await?;
    Ok(true)
}

/// A few movie tickets over the counter, one of them given back.
async fn movie_tickets(desk: &Desk) -> Result<(), Failure> {
    let mut issued = Vec::new();
    for (theater, title, price, quantity, holder) in MOVIES {
        let (theater, title, holder) = (theater.to_owned(), title.to_owned(), holder.to_owned());
        let command = IssueTickets { theater, title, price: Won(price), quantity, holder, memo: None };
        issued.extend(desk.run(command).await.map_err(Failure::new)?);
    }
    let command = RefundTickets { tickets: issued.split_off(issued.len() - 1), reason: Some("변심".to_owned()) };
    desk.run(command).await.map_err(Failure::new)?;
    Ok(())
}

/// Whether the demo accounts are there to log in with.
///
/// # Errors
/// When the store fails.
pub async fn is_there(desk: &Desk) -> Result<bool, Failure> {
    Ok(desk.user_by_email(ACCOUNTS[0].1).await.map_err(Failure::new)?.is_some())
}

/// What to print once the server listens.
pub fn welcome(address: SocketAddr, demo: bool) -> String {
    let mut text = format!("\n  매표 maepyo is open: http://{address}\n  API to try out:      http://{address}/docs\n");
    if demo {
        text += "\n  Demo accounts:\n";
        for (what, email, password, ..) in ACCOUNTS {
            text += &format!("    {what:<10} {email:<22} {password}\n");
        }
        let (_, email, password, ..) = ACCOUNTS[0];
        let body = format!(r#"{{"email":"{email}","password":"{password}"}}"#);
        text += &format!(
            "\n  Next, see the events and log in:\n    curl http://{address}/api/events\n    \
             curl http://{address}/api/auth/login -H 'content-type: application/json' -d '{body}'\n"
        );
    } else {
        text += &format!("\n  Next, see the events:\n    curl http://{address}/api/events\n");
    }
    text + "\n  Ctrl-C stops it.\n"
}

/// An event of the demo, its dates counted in days from today.
struct Show {
    title: &'static str,
    description: &'static str,
    category: &'static str,
    venue: &'static str,
    location: &'static str,
    artist: Option<&'static str>,
    tags: &'static [&'static str],
    in_days: i64,
    lasts_hours: i64,
    rows: Vec<SeatRow>,
    types: Vec<NewTicketType>,
    publish: bool,
}

impl Show {
    fn command(self, editor: Editor, now: Time) -> CreateEvent {
        // 19:30 in Seoul.
        let today = now.seconds().div_euclid(86_400) * 86_400;
        let starts_at = Time(0) + Span::seconds(today + self.in_days * 86_400 + 37_800);
        CreateEvent {
            editor,
            billing: Billing {
                title: self.title.to_owned(),
                description: self.description.to_owned(),
                category: self.category.to_owned(),
                venue: self.venue.to_owned(),
                location: self.location.to_owned(),
                artist: self.artist.map(str::to_owned),
                starts_at,
                ends_at: starts_at + Span::seconds(self.lasts_hours * 3_600),
                organizer_name: Some("매표 데모 기획".to_owned()),
                organizer_contact: Some("organizer@example.com".to_owned()),
                tags: self.tags.iter().map(|tag| (*tag).to_owned()).collect(),
                ..Billing::default()
            },
            offer: NewOffer { rows: self.rows, types: self.types, total: None, prices: None },
            publish: self.publish,
        }
    }
}

/// Sections of equal rows: name, seats, seats a row, price.
fn hall(sections: &[(&str, u32, u32, i64)]) -> Vec<SeatRow> {
    sections.iter().flat_map(|(name, seats, per_row, price)| section(name, *seats, *per_row, Won(*price))).collect()
}

fn ticket(name: &str, price: i64, quantity: u32, description: &str) -> NewTicketType {
    NewTicketType {
        name: name.to_owned(),
        price: Won(price),
        quantity,
        description: Some(description.to_owned()).filter(|text| !text.is_empty()),
    }
}

fn shows() -> Vec<Show> {
    vec![concert(), festival(), musical(), baseball(), exhibition(), draft()]
}

fn concert() -> Show {
    Show {
        title: "달빛유랑단 전국투어 〈밤의 항해〉 - 서울",
        description: "5인조 밴드 달빛유랑단의 두 번째 전국투어. 정규 3집 전곡과 앙코르 무대를 120분 동안 라이브로 들려드립니다.",
        category: "concert",
        venue: "KSPO DOME",
        location: "서울특별시 송파구",
        artist: Some("달빛유랑단"),
        tags: &["밴드", "라이브", "콘서트"],
        in_days: 35,
        lasts_hours: 2,
        rows: hall(&[("VIP", 400, 20, 187_000), ("A", 1_200, 30, 154_000), ("B", 2_400, 40, 121_000)]),
        types: Vec::new(),
        publish: true,
    }
}

/// A small one, whose seats are called A1, A2, … where sections and numbers are all there is.
fn festival() -> Show {
    Show {
        title: "Summer Rock Fest",
        description: "작은 공연장에서 가까이 듣는 록의 밤. 네 팀이 차례로 무대에 오릅니다.",
        category: "festival",
        venue: "노들섬 라이브하우스",
        location: "서울특별시 용산구",
        artist: None,
        tags: &["록", "라이브", "페스티벌"],
        in_days: 21,
        lasts_hours: 4,
        rows: hall(&[("A", 25, 25, 50_000), ("B", 30, 30, 40_000), ("C", 40, 40, 30_000)]),
        types: Vec::new(),
        publish: true,
    }
}

fn musical() -> Show {
    Show {
        title: "뮤지컬 〈한강, 1928〉",
        description: "경성의 밤을 노래한 창작 뮤지컬. 열차가 다리를 건너던 그 겨울, 세 친구의 이야기.",
        category: "musical",
        venue: "블루스퀘어 신한카드홀",
        location: "서울특별시 용산구",
        artist: None,
        tags: &["뮤지컬", "창작", "초연"],
        in_days: 52,
        lasts_hours: 3,
        rows: hall(&[
            ("VIP", 300, 25, 170_000),
            ("R", 500, 25, 140_000),
            ("S", 600, 30, 110_000),
            ("A", 300, 30, 80_000),
        ]),
        types: Vec::new(),
        publish: true,
    }
}

fn baseball() -> Show {
    Show {
        title: "프로야구 개막전: 한강 웨일스 대 남해 갈매기즈",
        description: "새 시즌의 첫 공. 경기 시작 두 시간 전부터 입장할 수 있습니다.",
        category: "sports",
        venue: "잠실야구장",
        location: "서울특별시 송파구",
        artist: None,
        tags: &["야구", "개막전"],
        in_days: 74,
        lasts_hours: 4,
        rows: hall(&[
            ("TABLE", 600, 20, 52_000),
            ("BLUE", 3_400, 34, 22_000),
            ("RED", 5_000, 40, 17_000),
            ("NAVY", 7_000, 50, 14_000),
            ("OUTFIELD", 4_000, 50, 9_000),
        ]),
        types: Vec::new(),
        publish: true,
    }
}

fn exhibition() -> Show {
    Show {
        title: "빛의 기록: 한국 근대사진 100년",
        description: "유리건판에서 컬러 필름까지, 백 년의 사진 320점을 한자리에. 평일과 주말 모두 쓸 수 있는 자유 관람권입니다.",
        category: "exhibition",
        venue: "예술의전당 한가람미술관",
        location: "서울특별시 서초구",
        artist: None,
        tags: &["전시", "사진"],
        in_days: 14,
        lasts_hours: 24 * 60,
        rows: Vec::new(),
        types: vec![
            ticket("성인", 18_000, 5_000, "만 19세 이상"),
            ticket("청소년", 13_000, 2_000, "만 13-18세"),
            ticket("어린이", 9_000, 1_000, "만 4-12세"),
            ticket("도슨트 투어", 35_000, 120, "해설사와 함께 90분"),
        ],
        publish: true,
    }
}

fn draft() -> Show {
    Show {
        title: "여름밤 재즈 페스티벌 (준비 중)",
        description: "라인업을 정하는 중입니다.",
        category: "concert",
        venue: "자라섬",
        location: "경기도 가평군",
        artist: None,
        tags: &["재즈", "페스티벌"],
        in_days: 150,
        lasts_hours: 6,
        rows: Vec::new(),
        types: vec![ticket("1일권", 88_000, 8_000, ""), ticket("2일권", 143_000, 4_000, "")],
        publish: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::command::{Command, Context};
    use engine::id::{Mint, UserId};
    use engine::world::World;

    #[test]
    fn the_rules_accept_every_demo_event() {
        let now = Time::from_millis(1_800_000_000_000);
        let editor = Editor { user: UserId(1), role: Role::Organizer };
        let mut totals = Vec::new();
        for show in shows() {
            let mut cx = Context { now, mint: Mint::new(now, 7) };
            let event = show.command(editor, now).decide(&World::default(), &mut cx).expect("accepted").reply;
            assert!(event.billing.starts_at > now);
            totals.push(event.offer.total());
        }
        assert_eq!(totals, [4_000, 95, 1_700, 20_000, 8_120, 12_000]);
    }

    #[test]
    fn the_welcome_says_where_to_look_and_logins_only_with_demo_data() {
        let address: SocketAddr = "127.0.0.1:8000".parse().expect("an address");
        assert!(welcome(address, true).contains("http://127.0.0.1:8000/docs"));
        assert!(welcome(address, true).contains("buyer@example.com"));
        assert!(!welcome(address, false).contains("@example.com"));
    }
}
