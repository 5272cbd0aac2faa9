//! Admission codes: what the QR on a ticket says. Signed, so that nobody makes one; rotating, so that a
//! picture of one is soon worth nothing.

use engine::id::ReservationId;
use engine::time::Time;
use fast_qr::QRBuilder;
use fast_qr::qr::QRCode;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt::Write;
use subtle::ConstantTimeEq;

/// How long one code is shown, in seconds; it is accepted for as long again.
pub const WINDOW_SECONDS: i64 = 60;

/// Leads every code, and says how the rest is to be read.
const VERSION: &str = "M1";
const ID_DIGITS: usize = 32;
const WINDOW_DIGITS: usize = 8;
/// Keeps this use of the secret apart from all others.
const LABEL: &[u8] = b"maepyo admission code";
/// The margin a reader needs around a QR, in modules (ISO/IEC 18004).
const MARGIN: usize = 4;
/// Pixels of a module in a PNG.
const SCALE: usize = 8;

/// Signs and checks admission codes.
#[derive(Clone)]
pub struct TicketKey(Hmac<Sha256>);

/// Why a code lets nobody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadCode {
    /// Not a code of this server.
    #[error("this is not a valid ticket code")]
    Forged,
    /// Its time is over; the ticket shows a newer one.
    #[error("this ticket code has expired")]
    Old,
}

impl TicketKey {
    /// The key that belongs to a server's secret.
    #[must_use]
    pub fn derive(secret: &[u8]) -> Self {
        let mut labelled = keyed(secret);
        labelled.update(LABEL);
        Self(keyed(&labelled.finalize().into_bytes()))
    }

    /// The code of a reservation at a moment: upper-case letters and digits, which a QR packs tightest.
    #[must_use]
    pub fn code(&self, reservation: ReservationId, now: Time) -> String {
        self.code_of(reservation, window(now))
    }

    /// The reservation a code lets in, within this window and the next.
    ///
    /// # Errors
    /// [`BadCode`].
    pub fn verify(&self, code: &str, now: Time) -> Result<ReservationId, BadCode> {
        let (reservation, shown) = parse(code).ok_or(BadCode::Forged)?;
        let expected = self.code_of(reservation, shown);
        if !bool::from(expected.as_bytes().ct_eq(code.as_bytes())) {
            return Err(BadCode::Forged);
        }
        let current = window(now);
        if shown == current || shown.checked_add(1) == Some(current) { Ok(reservation) } else { Err(BadCode::Old) }
    }

    fn code_of(&self, reservation: ReservationId, window: u32) -> String {
        let mut code = format!("{VERSION}{:032X}{window:08X}", reservation.0);
        let mut mac = self.0.clone();
        mac.update(code.as_bytes());
        // Half of the digest: 128 bits.
        for byte in &mac.finalize().into_bytes()[..16] {
            let _ = write!(code, "{byte:02X}");
        }
        code
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

fn window(now: Time) -> u32 {
    u32::try_from(now.seconds() / WINDOW_SECONDS).unwrap_or(0)
}

fn parse(code: &str) -> Option<(ReservationId, u32)> {
    let rest = code.strip_prefix(VERSION)?;
    let (id, rest) = rest.split_at_checked(ID_DIGITS)?;
    let window = rest.get(..WINDOW_DIGITS)?;
    let id = u128::from_str_radix(id, 16).ok()?;
    Some((ReservationId(id), u32::from_str_radix(window, 16).ok()?))
}

/// A code drawn as SVG.
#[must_use]
pub fn svg(code: &str) -> String {
    let qr = draw(code);
    let side = qr.size + 2 * MARGIN;
    let mut path = String::new();
    for (x, y) in dark_modules(&qr) {
        let _ = write!(path, "M{x} {y}h1v1h-1z");
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
         <path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/><path d=\"{path}\"/></svg>"
    )
}

/// A code drawn as PNG, in grey.
#[must_use]
pub fn png(code: &str) -> Vec<u8> {
    let qr = draw(code);
    let side = (qr.size + 2 * MARGIN) * SCALE;
    let mut pixels = vec![0xff_u8; side * side];
    for (x, y) in dark_modules(&qr) {
        for line in y * SCALE..(y + 1) * SCALE {
            pixels[line * side + x * SCALE..][..SCALE].fill(0);
        }
    }
    encode(&pixels, u32::try_from(side).expect("a QR has at most 177 modules a side"))
}

fn encode(pixels: &[u8], side: u32) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    let mut writer = encoder.write_header().expect("writing to memory does not fail");
    writer.write_image_data(pixels).expect("there are side × side pixels");
    drop(writer);
    file
}

/// Where the dark modules are, the margin counted in.
fn dark_modules(qr: &QRCode) -> impl Iterator<Item = (usize, usize)> {
    let places = (0..qr.size).flat_map(move |y| (0..qr.size).map(move |x| (x, y)));
    places.filter(|(x, y)| qr[*y][*x].value()).map(|(x, y)| (x + MARGIN, y + MARGIN))
}

fn draw(code: &str) -> QRCode {
    QRBuilder::new(code).build().expect("a code is far shorter than what a QR holds")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_millis(1_700_000_040_000);
    const BOOKING: ReservationId = ReservationId(0x0190_ffff_0000_7abc_8000_0000_0000_0042);

    fn later(seconds: i64) -> Time {
        Time(NOW.0 + seconds * 1_000_000)
    }

    #[test]
    fn a_code_is_good_in_its_window_and_the_next() {
        let key = TicketKey::derive(b"secret");
        let code = key.code(BOOKING, NOW);
        assert_eq!(NOW.seconds() % WINDOW_SECONDS, 0, "the test starts with a window");
        for seconds in [0, 59, 60, 119] {
            assert_eq!(key.verify(&code, later(seconds)), Ok(BOOKING), "{seconds}");
        }
        for seconds in [-1, 120, 86_400] {
            assert_eq!(key.verify(&code, later(seconds)), Err(BadCode::Old), "{seconds}");
        }
    }

    #[test]
    fn it_rotates() {
        let key = TicketKey::derive(b"secret");
        assert_eq!(key.code(BOOKING, NOW), key.code(BOOKING, later(59)));
        assert_ne!(key.code(BOOKING, NOW), key.code(BOOKING, later(60)));
    }

    #[test]
    fn any_changed_character_makes_it_worthless() {
        let key = TicketKey::derive(b"secret");
        let code = key.code(BOOKING, NOW);
        for index in 0..code.len() {
            let other = if code.as_bytes()[index] == b'0' { "1" } else { "0" };
            let mut tampered = code.clone();
            tampered.replace_range(index..=index, other);
            assert_eq!(key.verify(&tampered, NOW), Err(BadCode::Forged), "{index}");
        }
    }

    #[test]
    fn what_was_not_made_with_the_key_is_forged() {
        let key = TicketKey::derive(b"secret");
        let code = key.code(BOOKING, NOW);
        let foreign = TicketKey::derive(b"another").code(BOOKING, NOW);
        let lower = code.to_lowercase();
        let longer = format!("{code}0");
        let plus = format!("M1+{}", &code[3..]);
        for wrong in [&foreign, &lower, &longer, &plus, &code[1..], "", "M1", "M1가나다라마바사아자차카타파하"]
        {
            assert_eq!(key.verify(wrong, NOW), Err(BadCode::Forged), "{wrong}");
        }
    }

    #[test]
    fn a_reader_reads_the_code_back_from_the_png() {
        let code = TicketKey::derive(b"secret").code(BOOKING, NOW);
        let file = png(&code);
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().expect("a PNG");
        let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
        let frame = reader.next_frame(&mut pixels).expect("one frame");
        assert_eq!(read_back(frame.width as usize, |x, y| pixels[y * frame.width as usize + x]), code);
    }

    #[test]
    fn the_svg_draws_the_same_modules() {
        let code = TicketKey::derive(b"secret").code(BOOKING, NOW);
        let drawn = svg(&code);
        let dark: std::collections::HashSet<(usize, usize)> = drawn
            .split('M')
            .filter_map(|part| part.split_once("h1v1h-1z")?.0.split_once(' '))
            .filter_map(|(x, y)| Some((x.parse().ok()?, y.parse().ok()?)))
            .collect();
        let side = draw(&code).size + 2 * MARGIN;
        assert!(drawn.contains(&format!("viewBox=\"0 0 {side} {side}\"")));
        let grey = |x: usize, y: usize| if dark.contains(&(x / SCALE, y / SCALE)) { 0 } else { 255 };
        assert_eq!(read_back(side * SCALE, grey), code);
    }

    fn read_back(side: usize, grey: impl FnMut(usize, usize) -> u8) -> String {
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(side, side, grey);
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1);
        grids[0].decode().expect("readable").1
    }
}
