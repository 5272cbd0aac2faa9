use engine::id::MovieTicketId;
use engine::money::Won;
use engine::movie::{MovieStanding, MovieTicket};
use engine::time::Time;

use super::{Table, id_values, values};
use crate::value::{Columns, Corrupt, Kind, Value};

impl Table for MovieTicket {
    type Key = MovieTicketId;
    const NAME: &'static str = "movie_tickets";
    const COLUMNS: &'static [(&'static str, Kind)] = &[
        ("id", Kind::Bytes),
        ("theater_name", Kind::Text),
        ("user_id", Kind::Text),
        ("movie_title", Kind::Text),
        ("price", Kind::Int),
        ("status", Kind::Text),
        ("issued_at", Kind::Int),
        ("canceled_at", Kind::Int),
        ("memo", Kind::Text),
        ("reason", Kind::Text),
    ];
    const KEYS: usize = 1;
    const FIXED: &'static [&'static str] = &["theater_name", "user_id", "movie_title", "price", "issued_at", "memo"];

    fn key_values(key: &MovieTicketId) -> Vec<Value> {
        id_values(*key)
    }

    fn key(&self) -> MovieTicketId {
        self.id
    }

    fn values(&self) -> Vec<Value> {
        let (canceled_at, reason) = match &self.standing {
            MovieStanding::Issued => (None, None),
            MovieStanding::Canceled { at, reason } => (Some(at.0), reason.as_deref()),
        };
        values![
            self.id.0,
            self.theater.as_str(),
            self.holder.as_str(),
            self.title.as_str(),
            self.price.0,
            self.standing.word(),
            self.issued_at.0,
            canceled_at,
            self.memo.as_deref(),
            reason,
        ]
    }

    fn read(columns: &mut Columns) -> Result<Self, Corrupt> {
        let id = columns.id()?;
        let (theater, holder, title) = (columns.text()?, columns.text()?, columns.text()?);
        let (price, status) = (Won(columns.int()?), columns.text()?);
        let (issued_at, canceled_at) = (Time(columns.int()?), columns.int_or()?.map(Time));
        let (memo, reason) = (columns.text_or()?, columns.text_or()?);
        let standing = match (status.as_str(), canceled_at) {
            (MovieStanding::ISSUED, None) => MovieStanding::Issued,
            (MovieStanding::CANCELED, Some(at)) => MovieStanding::Canceled { at, reason },
            _ => return Err(Corrupt("a movie ticket's status")),
        };
        Ok(Self { id, theater, holder, title, price, memo, issued_at, standing })
    }
}
