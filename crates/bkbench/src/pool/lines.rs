//! Lines of a stream that is not to be trusted: any bytes, any length.

use std::io::BufRead;

/// Bytes of a line that are kept. A result with a million samples fits; a stream without line ends does
/// not fill the memory.
const LONGEST_LINE: usize = 64 << 20;

/// Iterates over the lines of a stream without their ends. Bytes that are not UTF-8 are replaced, what
/// is beyond [`LONGEST_LINE`] is cut off, and a read error ends the iteration as the end of the stream does.
/// A carriage return ends a line too, so that a progress bar redrawn in place is a line each time.
#[derive(Debug)]
pub(super) struct Lines<R> {
    source: R,
    longest: usize,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, longest: LONGEST_LINE }
    }

    /// Reads up to the next line end; `None` at the end of the stream.
    fn read(&mut self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        let mut any = false;
        loop {
            let chunk = match self.source.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(_) => return any.then_some(line),
            };
            if chunk.is_empty() {
                return any.then_some(line);
            }
            any = true;
            let end = chunk.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let part = &chunk[..end.unwrap_or(chunk.len())];
            let room = self.longest - line.len();
            line.extend_from_slice(&part[..part.len().min(room)]);
            let used = end.map_or(chunk.len(), |end| end + 1);
            self.source.consume(used);
            if end.is_some() {
                return Some(line);
            }
        }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = String;

    /// The next line that is not blank.
    fn next(&mut self) -> Option<String> {
        loop {
            let line = self.read()?;
            let line = String::from_utf8_lossy(&line);
            if !line.trim().is_empty() {
                return Some(line.into_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Lines;

    fn lines(bytes: &[u8], longest: usize) -> Vec<String> {
        Lines { source: bytes, longest }.collect()
    }

    #[test]
    fn lines_end_at_line_feeds_and_carriage_returns_and_blank_ones_are_left_out() {
        assert_eq!(lines(b"a\r\nb\n\n 10%\r 20%\r", 100), ["a", "b", " 10%", " 20%"]);
    }

    #[test]
    fn a_last_line_without_an_end_is_a_line() {
        assert_eq!(lines(b"a\nb", 100), ["a", "b"]);
    }

    #[test]
    fn what_is_too_long_is_cut_and_the_next_line_is_whole() {
        assert_eq!(lines(b"abcdefgh\nij\n", 3), ["abc", "ij"]);
    }

    #[test]
    fn bytes_that_are_not_text_are_replaced() {
        assert_eq!(lines(b"a\xffb\n", 100), ["a\u{fffd}b"]);
    }
}
