//! How each dialect's queue lets people in.

use desk::Span;
use engine::lanes::LanePolicy;
use waiting_room::Policies;

use crate::dialects::Dialect;
use crate::state::ApiSettings;

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
