//! Identifiers: one 128-bit time-ordered number per thing, typed by what it names.
//!
//! The bits are those of a UUID version 7 (RFC 9562, 5.7): 48 bits of Unix
//! milliseconds, then random bits. An event's id ends in twenty zero bits, so that a
//! seat needs no id of its own: it is its event's id plus its ordinal plus one.

use crate::time::Time;

/// Bits of an event id that are left to number its seats.
pub const SEAT_BITS: u32 = 20;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u128);

        impl From<u128> for $name {
            fn from(raw: u128) -> Self {
                Self(raw)
            }
        }

        impl From<$name> for u128 {
            fn from(id: $name) -> u128 {
                id.0
            }
        }
    )+};
}

ids! {
    /// Names a person.
    UserId,
    /// Names an event.
    EventId,
    /// Names a ticket type of an event.
    TicketTypeId,
    /// Names a reservation.
    ReservationId,
    /// Names a payment.
    PaymentId,
    /// Names a transfer of the ledger.
    TransferId,
    /// Names a movie ticket.
    MovieTicketId,
    /// Names a job.
    JobId,
    /// Names a lane of the waiting room.
    LaneId,
    /// Names a person's place in a lane.
    PlaceId,
    /// Names a message.
    MessageId,
    /// Names the messages that are sent together.
    BatchId,
    /// Names a webhook.
    WebhookId,
    /// Names something told to a webhook.
    DeliveryId,
}

impl EventId {
    /// The id of the seat with this ordinal.
    #[must_use]
    pub fn seat(self, ordinal: u32) -> u128 {
        self.0 + u128::from(ordinal) + 1
    }

    /// The ordinal a seat id of this event stands for; `None` for another event's.
    #[must_use]
    pub fn ordinal(self, seat: u128) -> Option<u32> {
        let offset = seat.checked_sub(self.0)?.checked_sub(1)?;
        u32::try_from(offset).ok().filter(|n| *n < (1 << SEAT_BITS))
    }
}

impl PaymentId {
    /// What the first payment of a reservation is called: as the reservation, but for the last bit. So the reservation need
    /// not be written to note it, and who acts on it knows what else to lock before anything was read. A later payment has an
    /// id of its own.
    #[must_use]
    pub fn first_of(reservation: ReservationId) -> Self {
        Self(reservation.0 ^ 1)
    }
}

impl ReservationId {
    /// The reservation whose first payment is called so, if there is one.
    #[must_use]
    pub fn whose_first_is(payment: PaymentId) -> Self {
        Self(payment.0 ^ 1)
    }
}

/// Makes ids. The randomness is an argument: the caller seeds it.
#[derive(Debug, Clone)]
pub struct Mint {
    now: Time,
    state: u64,
}

impl Mint {
    /// A mint for one moment, from 64 bits of entropy.
    #[must_use]
    pub fn new(now: Time, seed: u64) -> Self {
        Self { now, state: seed }
    }

    /// A new id.
    pub fn id<T: From<u128>>(&mut self) -> T {
        T::from(self.raw())
    }

    /// A new event id, its last [`SEAT_BITS`] bits zero.
    pub fn event(&mut self) -> EventId {
        EventId(self.raw() >> SEAT_BITS << SEAT_BITS)
    }

    fn raw(&mut self) -> u128 {
        let millis = u128::from(self.now.millis().cast_unsigned() & 0xffff_ffff_ffff);
        let high = u128::from(self.next() & 0xfff);
        let low = u128::from(self.next() >> 2);
        millis << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low
    }

    /// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_version_7_and_ordered_by_time() {
        let early: u128 = Mint::new(Time::from_millis(1_000), 1).id::<UserId>().0;
        let late: u128 = Mint::new(Time::from_millis(1_001), 0).id::<UserId>().0;
        assert!(early < late);
        assert_eq!(early >> 76 & 0xf, 7);
        assert_eq!(early >> 62 & 0b11, 0b10);
    }

    #[test]
    fn a_seat_id_leads_back_to_its_ordinal_and_no_other_events() {
        let mut mint = Mint::new(Time::from_millis(5), 9);
        let (one, other) = (mint.event(), mint.event());
        for ordinal in [0, 1, 199_999] {
            assert_eq!(one.ordinal(one.seat(ordinal)), Some(ordinal));
            assert_eq!(other.ordinal(one.seat(ordinal)), None);
        }
        assert_eq!(one.ordinal(one.0), None);
    }
}
