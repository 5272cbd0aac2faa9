//! What messages say, in Korean and English.

use engine::messages::Content;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use crate::clock;

/// In which language a message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Korean.
    Korean,
    /// English.
    English,
    /// Korean, then English.
    Both,
}

impl Language {
    /// The language a word names: `ko`, `en` or `both`.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "ko" => Self::Korean,
            "en" => Self::English,
            "both" => Self::Both,
            _ => return None,
        })
    }

    /// The tongues it is written in.
    fn tongues(self) -> &'static [Tongue] {
        match self {
            Self::Korean => &[Tongue::Korean],
            Self::English => &[Tongue::English],
            Self::Both => &[Tongue::Korean, Tongue::English],
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tongue {
    Korean,
    English,
}

/// What a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    /// A booking was paid and is theirs.
    BookingConfirmation,
    /// Money came.
    PaymentSuccess,
    /// A booking is over.
    BookingCancelled,
    /// It begins soon.
    EventReminder,
}

impl Template {
    /// Every template.
    pub const ALL: [Self; 4] =
        [Self::BookingConfirmation, Self::PaymentSuccess, Self::BookingCancelled, Self::EventReminder];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::BookingConfirmation => "booking_confirmation",
            Self::PaymentSuccess => "payment_success",
            Self::BookingCancelled => "booking_cancelled",
            Self::EventReminder => "event_reminder",
        }
    }

    /// The template a word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|template| template.word() == word)
    }

    /// What it cannot do without.
    fn required(self) -> &'static [&'static str] {
        match self {
            Self::BookingConfirmation => &["booking_id", "event_title", "event_date"],
            Self::PaymentSuccess => &["booking_id", "amount"],
            Self::BookingCancelled => &["booking_id", "event_title"],
            Self::EventReminder => &["event_title", "event_date"],
        }
    }

    fn heading(self, tongue: Tongue) -> &'static str {
        match (self, tongue) {
            (Self::BookingConfirmation, Tongue::Korean) => "예매가 확정되었습니다",
            (Self::BookingConfirmation, Tongue::English) => "Your booking is confirmed",
            (Self::PaymentSuccess, Tongue::Korean) => "결제가 완료되었습니다",
            (Self::PaymentSuccess, Tongue::English) => "Your payment was received",
            (Self::BookingCancelled, Tongue::Korean) => "예매가 취소되었습니다",
            (Self::BookingCancelled, Tongue::English) => "Your booking was cancelled",
            (Self::EventReminder, Tongue::Korean) => "곧 시작합니다",
            (Self::EventReminder, Tongue::English) => "Your event is coming up",
        }
    }

    /// A subject for it, in the languages it is written in.
    #[must_use]
    pub fn subject(self, language: Language, about: &str) -> String {
        let headings: Vec<&str> = language.tongues().iter().map(|tongue| self.heading(*tongue)).collect();
        one_line(&format!("{}: {about}", headings.join(" / ")))
    }
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Date,
    Money,
}

/// What a message may tell, in this order: the field, other names of it, what it is called, and its form.
const FIELDS: [(&str, &[&str], [&str; 2], Form); 9] = [
    ("event_title", &[], ["공연", "Event"], Form::Text),
    ("event_date", &["start_date"], ["일시", "Date"], Form::Date),
    ("venue", &[], ["장소", "Venue"], Form::Text),
    ("booking_id", &[], ["예매번호", "Booking"], Form::Text),
    ("seats", &["seat_ids"], ["좌석", "Seats"], Form::Text),
    ("amount", &["total_amount"], ["결제 금액", "Amount"], Form::Money),
    ("refund_amount", &[], ["환불 금액", "Refund"], Form::Money),
    ("payment_id", &["payment_intent_id"], ["결제번호", "Payment"], Form::Text),
    ("reason", &[], ["사유", "Reason"], Form::Text),
];

/// The longest value, in characters.
const LONGEST: usize = 500;

/// What a message is to tell is not there, or cannot be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The field.
    pub field: &'static str,
    /// What is wrong with it.
    pub issue: &'static str,
}

/// Writes a message: as plain text, and as HTML in which nothing that is told can be more than text.
///
/// # Errors
/// What is missing, or is neither a text, nor a number, nor a list of texts.
pub fn write(
    template: Template,
    subject: String,
    data: &Map<String, Value>,
    language: Language,
    zone: &TimeZone,
) -> Result<Content, Missing> {
    for field in template.required() {
        if !FIELDS.iter().any(|own| own.0 == *field && find(data, own).is_some()) {
            return Err(Missing { field, issue: "is required" });
        }
    }
    let mut told = Vec::new();
    for field in &FIELDS {
        if let Some(value) = find(data, field) {
            let plain =
                plain(value).ok_or(Missing { field: field.0, issue: "must be a text, a number or a list of texts" })?;
            if plain.chars().count() > LONGEST {
                return Err(Missing { field: field.0, issue: "must have at most 500 characters" });
            }
            told.push((field, plain));
        }
    }
    let (mut texts, mut pages) = (Vec::new(), Vec::new());
    for tongue in language.tongues() {
        let heading = template.heading(*tongue);
        let rows = told.iter().map(|(field, plain)| (field.2[*tongue as usize], shown(plain, field.3, *tongue, zone)));
        let rows: Vec<(&str, String)> = rows.collect();
        texts.push(text(heading, &rows));
        pages.push(page(heading, &rows));
    }
    let html =
        format!("<!doctype html><html><head><meta charset=\"utf-8\"></head><body>{}</body></html>", pages.join("<hr>"));
    Ok(Content { subject, text: texts.join("\n\n----\n\n"), html: Some(html) })
}

fn find<'a>(data: &'a Map<String, Value>, field: &(&str, &[&str], [&str; 2], Form)) -> Option<&'a Value> {
    let names = std::iter::once(&field.0).chain(field.1);
    names.filter_map(|name| data.get(*name)).find(|value| !value.is_null() && value.as_str() != Some(""))
}

/// A value as one line of text.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(one_line(text)),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(list) => {
            let texts: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
            Some(one_line(&texts?.join(", ")))
        }
        Value::Null | Value::Bool(_) | Value::Object(_) => None,
    }
}

/// Without control characters, line breaks among them.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ").trim().to_owned()
}

fn shown(plain: &str, form: Form, tongue: Tongue, zone: &TimeZone) -> String {
    let written = match form {
        Form::Text => None,
        Form::Date => date(plain, tongue, zone),
        Form::Money => money(plain, tongue),
    };
    written.unwrap_or_else(|| plain.to_owned())
}

fn date(plain: &str, tongue: Tongue, zone: &TimeZone) -> Option<String> {
    let stamp = jiff::Timestamp::from_second(clock::parse(plain)?.seconds()).ok()?;
    let local = stamp.to_zoned(zone.clone());
    let day =
        ["월", "화", "수", "목", "금", "토", "일"][usize::try_from(local.weekday().to_monday_zero_offset()).ok()?];
    let clock = format!("{:02}:{:02}", local.hour(), local.minute());
    Some(match tongue {
        Tongue::Korean => format!("{}년 {}월 {}일({day}) {clock}", local.year(), local.month(), local.day()),
        Tongue::English => format!("{} {clock} (UTC{})", local.strftime("%A, %-d %B %Y"), local.strftime("%:z")),
    })
}

fn money(plain: &str, tongue: Tongue) -> Option<String> {
    let whole = plain.strip_suffix(".0").unwrap_or(plain);
    let digits: Vec<char> = whole.parse::<u64>().ok()?.to_string().chars().collect();
    let grouped: Vec<String> = digits.rchunks(3).rev().map(|group| group.iter().collect()).collect();
    Some(match tongue {
        Tongue::Korean => format!("{}원", grouped.join(",")),
        Tongue::English => format!("KRW {}", grouped.join(",")),
    })
}

fn text(heading: &str, rows: &[(&str, String)]) -> String {
    let rows: Vec<String> = rows.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    format!("{heading}\n\n{}", rows.join("\n"))
}

fn page(heading: &str, rows: &[(&str, String)]) -> String {
    let rows: String = rows
        .iter()
        .map(|(name, value)| format!("<tr><th align=\"left\">{}</th><td>{}</td></tr>", escaped(name), escaped(value)))
        .collect();
    format!("<h2>{}</h2><table>{rows}</table>", escaped(heading))
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn seoul() -> TimeZone {
        TimeZone::fixed(jiff::tz::offset(9))
    }

    fn write_it(template: Template, data: Value, language: Language) -> Result<Content, Missing> {
        write(template, "S".to_owned(), data.as_object().expect("an object"), language, &seoul())
    }

    #[test]
    fn a_message_is_written_in_korean_and_in_english() {
        let data = json!({"booking_id": "book_1", "event_title": "봄날", "event_date": "2024-06-15T19:00:00Z",
            "seats": ["A-1-1", "A-1-2"], "total_amount": 300_000.0});
        let content = write_it(Template::BookingConfirmation, data, Language::Both).expect("all is there");
        let expected = "예매가 확정되었습니다\n\n공연: 봄날\n일시: 2024년 6월 16일(일) 04:00\n예매번호: book_1\n\
             좌석: A-1-1, A-1-2\n결제 금액: 300,000원\n\n----\n\n\
             Your booking is confirmed\n\nEvent: 봄날\nDate: Sunday, 16 June 2024 04:00 (UTC+09:00)\nBooking: book_1\n\
             Seats: A-1-1, A-1-2\nAmount: KRW 300,000";
        assert_eq!(content.text, expected);
        assert!(content.html.expect("it has HTML").contains("<td>300,000원</td>"));
    }

    #[test]
    fn nothing_that_is_told_is_more_than_text() {
        let title = "<script>alert('1')</script>\r\nBcc: x@example.com";
        let data = json!({"event_title": title, "event_date": "soon & \"later\""});
        let content = write_it(Template::EventReminder, data, Language::English).expect("all is there");
        let html = content.html.expect("it has HTML");
        assert!(html.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;  Bcc"), "{html}");
        assert!(html.contains("soon &amp; &quot;later&quot;"), "{html}");
        assert!(!content.text.contains('\r'));
        assert!(!Template::EventReminder.subject(Language::Both, title).contains(char::is_control));
    }

    #[test]
    fn what_is_missing_or_no_text_is_named() {
        for template in Template::ALL {
            let missing = write_it(template, json!({}), Language::Both).expect_err("nothing is there");
            assert_eq!((missing.field, missing.issue), (template.required()[0], "is required"));
        }
        for wrong in [json!({}), json!(true), json!([1])] {
            let data = json!({"booking_id": "b", "amount": 1, "venue": wrong});
            assert_eq!(write_it(Template::PaymentSuccess, data, Language::Both).expect_err("no text").field, "venue");
        }
        for empty in [json!(null), json!("")] {
            let data = json!({"booking_id": "b", "amount": empty});
            assert_eq!(write_it(Template::PaymentSuccess, data, Language::Both).expect_err("empty").field, "amount");
        }
        let long = json!({"booking_id": "b", "amount": 1, "venue": "x".repeat(501)});
        assert_eq!(write_it(Template::PaymentSuccess, long, Language::Both).expect_err("too long").field, "venue");
    }
}
