//! Where a response's body ends and what of the bytes is body. Pure: RFC 9112, sections 6 and 7.
//!
//! All that has come is decoded at once: a model's words that arrive together go on together.

use super::CallError;
use httparse::Status;

/// The longest line between chunks, in bytes: a size with its extensions, or a trailer.
const MAX_LINE: usize = 4 * 1024;

const NO_CHUNKS: CallError = CallError::Malformed("its body is no list of chunks");

/// How a body is delimited, and how much of it is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// This many more bytes.
    Length(u64),
    /// Chunks, until an empty one.
    Chunked(Chunked),
    /// All until the connection ends.
    UntilClose,
}

/// What comes next of a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunked {
    /// A line with the next chunk's size.
    Size,
    /// This many more bytes of a chunk.
    Data(u64),
    /// The line end behind a chunk.
    DataEnd,
    /// Trailers, which nobody here reads, up to an empty line.
    Trailers,
}

/// What was made of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// How many were used; the others are wanted again with what follows them.
    pub(super) used: usize,
    /// Whether the body has ended.
    pub(super) ended: bool,
}

impl Framing {
    /// Appends to `body` what of `input` belongs to it.
    ///
    /// # Errors
    /// [`CallError::Malformed`] when these are no chunks.
    pub(super) fn take(&mut self, input: &[u8], body: &mut Vec<u8>) -> Result<Taken, CallError> {
        match self {
            Self::Length(left) => {
                let used = take_at_most(left, input, body);
                Ok(Taken { used, ended: *left == 0 })
            }
            Self::Chunked(next) => next.take(input, body),
            Self::UntilClose => {
                body.extend_from_slice(input);
                Ok(Taken { used: input.len(), ended: false })
            }
        }
    }

    /// Whether a body may end here because the connection does.
    pub(super) fn may_close(self) -> bool {
        self == Self::UntilClose
    }
}

impl Chunked {
    fn take(&mut self, input: &[u8], body: &mut Vec<u8>) -> Result<Taken, CallError> {
        let mut used = 0;
        loop {
            let rest = &input[used..];
            match self {
                Self::Size => match httparse::parse_chunk_size(rest) {
                    Ok(Status::Complete((length, size))) => {
                        used += length;
                        *self = if size == 0 { Self::Trailers } else { Self::Data(size) };
                    }
                    Ok(Status::Partial) => return more(used, rest),
                    Err(_) => return Err(NO_CHUNKS),
                },
                Self::Data(left) => {
                    used += take_at_most(left, rest, body);
                    if *left > 0 {
                        return Ok(Taken { used, ended: false });
                    }
                    *self = Self::DataEnd;
                }
                Self::DataEnd => match rest {
                    [b'\r', b'\n', ..] => {
                        used += 2;
                        *self = Self::Size;
                    }
                    [] | [b'\r'] => return more(used, rest),
                    _ => return Err(NO_CHUNKS),
                },
                Self::Trailers => {
                    let Some(length) = rest.windows(2).position(|pair| pair == b"\r\n") else {
                        return more(used, rest);
                    };
                    used += length + 2;
                    if length == 0 {
                        return Ok(Taken { used, ended: true });
                    }
                }
            }
        }
    }
}

/// Half a line is here: the other half has to come, unless this is a line without an end.
fn more(used: usize, line: &[u8]) -> Result<Taken, CallError> {
    if line.len() > MAX_LINE { Err(NO_CHUNKS) } else { Ok(Taken { used, ended: false }) }
}

fn take_at_most(left: &mut u64, input: &[u8], body: &mut Vec<u8>) -> usize {
    let length = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
    body.extend_from_slice(&input[..length]);
    *left -= length as u64;
    length
}

#[cfg(test)]
mod tests {
    use super::{Chunked, Framing, MAX_LINE};
    use proptest::prelude::*;

    const CHUNKED: Framing = Framing::Chunked(Chunked::Size);

    /// What a body in these pieces is: its bytes, whether it ended, and what was left over.
    fn read(mut framing: Framing, pieces: &[&[u8]]) -> Option<(Vec<u8>, bool, Vec<u8>)> {
        let (mut body, mut input, mut ended) = (Vec::new(), Vec::new(), false);
        for piece in pieces {
            input.extend_from_slice(piece);
            if !ended {
                let taken = framing.take(&input, &mut body).ok()?;
                input.drain(..taken.used);
                ended = taken.ended;
            }
        }
        Some((body, ended, input))
    }

    #[test]
    fn bodies_and_their_ends() {
        let whole = |framing, input: &[u8]| {
            let (body, ended, rest) = read(framing, &[input])?;
            Some((String::from_utf8(body).unwrap(), ended, String::from_utf8(rest).unwrap()))
        };
        let is = |body: &str, ended, rest: &str| Some((body.to_owned(), ended, rest.to_owned()));
        for (framing, input, expected) in [
            (Framing::Length(0), "next", is("", true, "next")),
            (Framing::Length(2), "hi", is("hi", true, "")),
            (Framing::Length(2), "hi!", is("hi", true, "!")),
            (Framing::Length(3), "hi", is("hi", false, "")),
            (Framing::UntilClose, "hi", is("hi", false, "")),
            (CHUNKED, "2\r\nhi\r\n0\r\n\r\n", is("hi", true, "")),
            (CHUNKED, "2\r\nhi\r\n1;a=b\r\n!\r\n0\r\n\r\nHTTP", is("hi!", true, "HTTP")),
            (CHUNKED, "A\r\n0123456789\r\n0\r\nx: y\r\nz: 0\r\n\r\n", is("0123456789", true, "")),
            (CHUNKED, "2\r\nhi\r\n0\r\n", is("hi", false, "")),
            (CHUNKED, "2\r\nhi", is("hi", false, "")),
            (CHUNKED, "2\r\nhi!", None),
            (CHUNKED, "2\r\nhi\n0\r\n\r\n", None),
            (CHUNKED, "-1\r\n", None),
            (CHUNKED, "0x2\r\nhi\r\n", None),
            (CHUNKED, "fffffffffffffffff\r\n", None),
            (CHUNKED, "hello", None),
        ] {
            assert_eq!(whole(framing, input.as_bytes()), expected, "{framing:?} {input:?}");
        }
    }

    #[test]
    fn a_line_without_an_end_is_no_chunk() {
        for line in
            [b"1;".repeat(MAX_LINE), [b"0\r\n".as_slice(), &b"x".repeat(MAX_LINE + 1)].concat()]
        {
            assert_eq!(read(CHUNKED, &[&line]), None);
        }
    }

    proptest! {
        /// However the network cuts it: the same body, and nothing of what follows it.
        #[test]
        fn cut_anywhere_it_is_the_same_body(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let mut sent = Vec::new();
            for chunk in &chunks {
                sent.extend(format!("{:x}\r\n", chunk.len()).bytes());
                sent.extend(chunk);
                sent.extend(b"\r\n");
            }
            sent.extend(b"0\r\n\r\nNEXT");
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(sent.len() + 1)).collect();
            cuts.extend([0, sent.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|cut| &sent[cut[0]..cut[1]]).collect();
            prop_assert_eq!(
                read(CHUNKED, &pieces),
                Some((chunks.concat(), true, b"NEXT".to_vec()))
            );
        }
    }
}
