//! Line ends of any kind, read as one.

use std::io::{self, Read};

/// Reads `\r\n` and `\r` as `\n`, and ends the last line too.
///
/// The CSV reader counts lines by their `\n`, and goes over the one behind a `\r` only when it reads the next line.
pub struct LineEnds<R> {
    inner: R,
    after_return: bool,
    ended: bool,
}

impl<R: Read> LineEnds<R> {
    pub fn new(inner: R) -> Self {
        Self { inner, after_return: false, ended: false }
    }
}

impl<R: Read> Read for LineEnds<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let filled = self.inner.read(buffer)?;
            if filled == 0 {
                return Ok(self.end(buffer));
            }
            let kept = self.unify(&mut buffer[..filled]);
            if kept > 0 {
                return Ok(kept);
            }
        }
    }
}

impl<R> LineEnds<R> {
    /// Moves what is kept to the front; how much that is.
    fn unify(&mut self, bytes: &mut [u8]) -> usize {
        let mut kept = 0;
        for index in 0..bytes.len() {
            let byte = bytes[index];
            if byte != b'\n' || !self.after_return {
                bytes[kept] = if byte == b'\r' { b'\n' } else { byte };
                kept += 1;
            }
            self.after_return = byte == b'\r';
        }
        kept
    }

    fn end(&mut self, buffer: &mut [u8]) -> usize {
        match buffer.first_mut() {
            Some(byte) if !self.ended => {
                self.ended = true;
                *byte = b'\n';
                1
            }
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_end_is_read_as_one_wherever_the_reading_is_cut() {
        let text = b"a\r\nb\rc\nd\r\n\r\n\n\re";
        for size in 1..=text.len() {
            let mut reader = LineEnds::new(&text[..]);
            let (mut read, mut buffer) = (Vec::new(), vec![0; size]);
            while let count @ 1.. = reader.read(&mut buffer).expect("memory") {
                read.extend_from_slice(&buffer[..count]);
            }
            assert_eq!(String::from_utf8_lossy(&read), "a\nb\nc\nd\n\n\n\ne\n", "{size}");
        }
    }
}
