//! Ids as they go over the wire: a TypeID (`evt_…`) or a UUID of the same 128 bits.

use std::fmt::{self, Display, Formatter};

use engine::id::{DeliveryId, EventId, PaymentId, PlaceId, ReservationId, TicketTypeId, UserId, WebhookId};
use uuid::Uuid;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const DIGITS: usize = 26;

/// An id with the word that says what it names. Displays as a TypeID (version 0.3 of its specification).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypeId(pub &'static str, pub u128);

impl Display for TypeId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut digits = [0; DIGITS];
        let mut rest = self.1;
        for digit in digits.iter_mut().rev() {
            *digit = ALPHABET[(rest & 31) as usize];
            rest >>= 5;
        }
        f.write_str(self.0)?;
        f.write_str("_")?;
        f.write_str(std::str::from_utf8(&digits).map_err(|_| fmt::Error)?)
    }
}

impl From<TypeId> for String {
    fn from(id: TypeId) -> Self {
        id.to_string()
    }
}

/// Reads an id: `{prefix}_` and 26 digits, or a UUID with or without hyphens.
#[must_use]
pub fn parse(prefix: &str, text: &str) -> Option<u128> {
    match text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')) {
        Some(digits) => parse_base32(digits),
        None => parse_uuid(text),
    }
}

fn parse_base32(digits: &str) -> Option<u128> {
    // 26 digits hold 130 bits: the first one may only use three of its five.
    if digits.len() != DIGITS || digits.as_bytes()[0] > b'7' {
        return None;
    }
    digits.bytes().try_fold(0, |sum: u128, digit| {
        let value = ALPHABET.iter().position(|own| *own == digit)?;
        Some(sum << 5 | value as u128)
    })
}

/// Reads a UUID, hyphenated (8-4-4-4-12) or 32 hexadecimal digits.
#[must_use]
pub fn parse_uuid(text: &str) -> Option<u128> {
    // The library knows longer forms too, in braces and as a URN.
    if text.len() > 36 { None } else { Uuid::try_parse(text).ok().map(|id| id.as_u128()) }
}

/// Prints an id as a hyphenated UUID.
#[must_use]
pub fn uuid(id: u128) -> String {
    Uuid::from_u128(id).hyphenated().encode_lower(&mut Uuid::encode_buffer()).to_owned()
}

macro_rules! named {
    ($($print:ident, $read:ident: $id:ident = $prefix:literal;)+) => {$(
        #[doc = concat!("Prints an id as `", $prefix, "_…`.")]
        #[must_use]
        pub fn $print(id: $id) -> String {
            TypeId($prefix, id.0).into()
        }

        #[doc = concat!("Reads `", $prefix, "_…` or a UUID; `None` for anything else.")]
        #[must_use]
        pub fn $read(text: &str) -> Option<$id> {
            parse($prefix, text).map($id)
        }
    )+};
}

named! {
    user, parse_user: UserId = "usr";
    event, parse_event: EventId = "evt";
    booking, parse_booking: ReservationId = "book";
    reservation, parse_reservation: ReservationId = "res";
    payment, parse_payment: PaymentId = "pi";
    ticket_type, parse_ticket_type: TicketTypeId = "tkt";
    queue, parse_queue: PlaceId = "queue";
    webhook, parse_webhook: WebhookId = "whk";
    delivery, parse_delivery: DeliveryId = "dlv";
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs of the specification's list of valid values.
    const KNOWN: [(&str, &str); 4] = [
        ("prefix_00000000000000000000000000", "00000000-0000-0000-0000-000000000000"),
        ("prefix_00000000000000000000000001", "00000000-0000-0000-0000-000000000001"),
        ("prefix_7zzzzzzzzzzzzzzzzzzzzzzzzz", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
        ("prefix_01h455vb4pex5vsknk084sn02q", "01890a5d-ac96-774b-bcce-b302099a8057"),
    ];

    #[test]
    fn known_ids_are_printed_and_read_in_every_form() {
        for (typed, hyphenated) in KNOWN {
            let id = parse("prefix", typed).expect(typed);
            assert_eq!(TypeId("prefix", id).to_string(), typed);
            assert_eq!(uuid(id), hyphenated);
            assert_eq!(parse("prefix", hyphenated), Some(id));
            assert_eq!(parse("prefix", &hyphenated.replace('-', "")), Some(id));
            assert_eq!(parse("prefix", &hyphenated.to_uppercase()), Some(id));
        }
    }

    #[test]
    fn garbage_and_other_prefixes_are_nothing() {
        for wrong in [
            "",
            "_",
            "prefix_",
            "other_01h455vb4pex5vsknk084sn02q",
            "prefix_8zzzzzzzzzzzzzzzzzzzzzzzzz",
            "prefix_01H455VB4PEX5VSKNK084SN02Q",
            "prefix_01h455vb4pex5vsknk084sn02u",
            "prefix_01h455vb4pex5vsknk084sn02q0",
            "prefix_한글한글한글한글ab",
            "01890a5d-ac96-774b-bcce-b302099a805",
            "01890a5dac96-774b-bcce-b302099a8057-",
            "+1890a5dac96774bbcceb302099a8057",
            "한글한글한글한글한글한글",
            "evt_123",
        ] {
            assert_eq!(parse("prefix", wrong), None, "{wrong}");
        }
    }
}
