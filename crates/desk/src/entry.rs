//! What happened, as the event stream tells it.

use engine::command::Fact;
use engine::holds::Reservation;
use engine::id::{EventId, PaymentId, ReservationId, TicketTypeId, UserId};
use engine::money::Won;
use engine::time::Time;
use engine::world::World;

/// One entry of the event stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands; later is greater, and there are gaps.
    pub position: u64,
    /// When it happened.
    pub at: Time,
    /// Of which event.
    pub event: EventId,
    /// What happened.
    pub happened: Happened,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// A reservation came to a stage.
    Reservation(ReservationNews),
    /// A payment came too late for its seats and goes back.
    PaymentReturned(PaymentId),
    /// The event was made or changed.
    EventChanged,
    /// The event, which the public never knew of, was deleted.
    EventDeleted,
}

impl Happened {
    /// What it is called.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Reservation(told) => match told.stage {
                Stage::Held => "held",
                Stage::Confirmed => "confirmed",
                Stage::Cancelled => "cancelled",
                Stage::Expired => "expired",
            },
            Self::PaymentReturned(_) => "payment_returned",
            Self::EventChanged => "event_changed",
            Self::EventDeleted => "event_deleted",
        }
    }

    /// Whether it is the event itself that was made, changed or deleted.
    pub(crate) fn is_of_event(&self) -> bool {
        matches!(self, Self::EventChanged | Self::EventDeleted)
    }
}

/// How far a reservation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It was made and holds its seats.
    Held,
    /// It was paid.
    Confirmed,
    /// It was given up.
    Cancelled,
    /// Its hold ran out.
    Expired,
}

/// What the stream tells of a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservationNews {
    /// How far it has come.
    pub stage: Stage,
    /// Its id.
    pub reservation: ReservationId,
    /// Whose it is.
    pub user: UserId,
    /// Its seats as this left them.
    pub seats: Vec<SeatChange>,
    /// Ordinals of the seats that are free because of this.
    pub freed: Vec<u32>,
    /// Its counted tickets.
    pub items: Vec<(TicketTypeId, u32)>,
    /// What it costs.
    pub total: Won,
    /// When its hold ends or ended.
    pub expires_at: Time,
}

/// A seat as a fact left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeatChange {
    /// Its ordinal in the event.
    pub ordinal: u32,
    /// Counts the changes of the seat: an older one than is known is to be ignored.
    pub version: i64,
    /// [`Time::NEVER`]: given back. [`Time::FOREVER`]: sold. Else: held until then.
    pub until: Time,
}

impl Entry {
    /// The entry of a fact, which has no position yet; its seats as the world leaves them, so that nobody need read
    /// them again.
    pub(crate) fn of(fact: &Fact, world: &World, at: Time) -> Self {
        let told = |stage, own: &Reservation, freed: &[u32]| {
            (own.event, Happened::Reservation(ReservationNews::of(stage, own, freed, world)))
        };
        let (event, happened) = match fact {
            Fact::Held(own) => told(Stage::Held, own, &[]),
            Fact::Confirmed(own) => told(Stage::Confirmed, own, &[]),
            Fact::Cancelled { reservation, freed } => told(Stage::Cancelled, reservation, freed),
            Fact::Expired { reservation, freed } => told(Stage::Expired, reservation, freed),
            Fact::PaymentReturned(payment) => (payment.event, Happened::PaymentReturned(payment.id)),
            Fact::EventChanged(event) => (*event, Happened::EventChanged),
            Fact::EventDeleted(event) => (*event, Happened::EventDeleted),
        };
        Self { position: 0, at, event, happened }
    }

    /// Who bought something of which event.
    pub(crate) fn bought(&self) -> Option<(UserId, EventId)> {
        match &self.happened {
            Happened::Reservation(told) if told.stage == Stage::Confirmed => Some((told.user, self.event)),
            _ => None,
        }
    }
}

impl ReservationNews {
    fn of(stage: Stage, own: &Reservation, freed: &[u32], world: &World) -> Self {
        let seat = |ordinal: u32| {
            let claim = world.claims.get(&(own.event, ordinal))?;
            Some(SeatChange { ordinal, version: claim.version, until: claim.until })
        };
        Self {
            stage,
            reservation: own.id,
            user: own.user,
            seats: own.seats.iter().filter_map(|own| seat(own.ordinal)).collect(),
            freed: freed.to_vec(),
            items: own.items.iter().map(|item| (item.ticket_type, item.quantity)).collect(),
            total: own.total,
            expires_at: own.expires_at,
        }
    }
}
