//! How each dialect's queue lets people in, and how it turns a purchase away.

use desk::{Span, Stopped};
use engine::id::{EventId, UserId};
use engine::lanes::LanePolicy;
use engine::refusal::Refusal;
use waiting_room::{Door, Policies, Turned};

use crate::dialects::Dialect;
use crate::state::{ApiSettings, AppState};

/// How long a token of `concert` lives.
const CONCERT_LIFE: Span = Span::seconds(1_800);
/// How many tokens of `concert` live at once.
const CONCERT_MOST: u32 = 500;

/// The policies of all lanes, by the settings.
pub(crate) fn policies(settings: &ApiSettings) -> Policies {
    let usual = |dialect| {
        let own = settings.of(dialect);
        LanePolicy {
            inside: own.inside,
            pass: Span::seconds(own.pass_seconds),
            absent: Span::seconds(own.absent_seconds),
            sliding: false,
            requeue: false,
            life: None,
            most: None,
        }
    };
    let concert = usual(Dialect::Concert);
    Policies {
        concert: LanePolicy { requeue: true, life: Some(CONCERT_LIFE), most: Some(CONCERT_MOST), ..concert },
        sail: usual(Dialect::Sail),
        tiketi: LanePolicy { sliding: true, ..usual(Dialect::Tiketi) },
        ticketing_pro: usual(Dialect::TicketingPro),
    }
}

/// Lets a person buy whose turn it is.
///
/// # Errors
/// [`Refusal::MustWait`] for who has to wait. It is kept under no key: the same request is to be sent again, and heard.
pub(crate) async fn admit(state: &AppState, door: Door, event: EventId, user: UserId) -> Result<(), Stopped> {
    state.rooms.may_buy(door, Some(event), user).await.map_err(|turned| match turned {
        Turned::Stopped(stopped) => stopped,
        Turned::Wait(_) => Refusal::MustWait.into(),
    })
}
