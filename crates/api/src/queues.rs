//! How each dialect's queue lets people in, and how it turns a purchase away.

use axum::response::Response;
use desk::{Span, Stopped};
use engine::id::{EventId, UserId};
use engine::lanes::LanePolicy;
use engine::refusal::Refusal;
use waiting_room::{Door, Policies, Turned};

use crate::dialects::Dialect;
use crate::once::{self, Attempt};
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

/// Asks whether a person may buy now. Gives the answer this attempt has had before where there is one, whoever's turn
/// it is by now.
///
/// # Errors
/// [`Refusal::MustWait`] for who has to wait. It is kept under no key: the same request is to be sent again, and heard.
pub(crate) async fn admit(
    state: &AppState,
    attempt: &Attempt,
    door: Door,
    event: EventId,
    user: UserId,
) -> Result<Option<Response>, Stopped> {
    match state.rooms.may_buy(door, Some(event), user).await {
        Ok(()) => Ok(None),
        Err(Turned::Stopped(stopped)) => Err(stopped),
        Err(Turned::Wait(_)) => match once::replayed(state, attempt).await? {
            None => Err(Refusal::MustWait.into()),
            answered => Ok(answered),
        },
    }
}
