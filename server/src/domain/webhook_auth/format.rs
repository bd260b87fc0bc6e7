//! What is signed: a text with holes, filled with parts of the delivery (Vapi's `payloadFormat`).
//!
//! A format is refused when two deliveries could fill it to the same text: then a signature of one
//! would be good for the other.

use hmac::Mac;

/// A parsed format.
#[derive(Clone, Debug)]
pub(super) struct Format(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Body,
    Timestamp,
    Method,
    Url,
    MessageId,
}

impl Part {
    /// A part whose length is the sender's choice, told apart from what follows only by a text.
    fn is_open(&self) -> bool {
        matches!(self, Self::Body | Self::Timestamp | Self::MessageId | Self::Url)
    }
}

/// What the holes are filled with.
pub(super) struct Input<'a> {
    pub(super) body: &'a [u8],
    pub(super) timestamp: &'a [u8],
    pub(super) method: &'a [u8],
    pub(super) url: &'a [u8],
    pub(super) message_id: Option<&'a [u8]>,
}

const HOLES: [(&str, Part); 5] = [
    ("{body}", Part::Body),
    ("{timestamp}", Part::Timestamp),
    ("{method}", Part::Method),
    ("{url}", Part::Url),
    ("{svix-id}", Part::MessageId),
];

impl Format {
    /// Reads a format.
    pub(super) fn parse(written: &str) -> Result<Self, String> {
        let mut parts: Vec<Part> = Vec::new();
        let mut rest = written;
        while let Some(first) = rest.chars().next() {
            if let Some((hole, part)) = HOLES.iter().find(|(hole, _)| rest.starts_with(hole)) {
                parts.push(part.clone());
                rest = &rest[hole.len()..];
                continue;
            }
            match parts.last_mut() {
                Some(Part::Text(text)) => text.push(first),
                _ => parts.push(Part::Text(first.into())),
            }
            rest = &rest[first.len_utf8()..];
        }
        let count = |wanted: &Part| parts.iter().filter(|part| *part == wanted).count();
        if count(&Part::Body) != 1 {
            return Err(
                "payload_format must hold {body} once: what is not signed can be forged".into()
            );
        }
        if [Part::Timestamp, Part::Method, Part::Url, Part::MessageId].iter().any(|p| count(p) > 1)
        {
            return Err("payload_format holds a part twice".into());
        }
        let unclear = parts.windows(2).any(|pair| match pair {
            [open, Part::Text(text)] if open.is_open() => {
                // What may stand in a time or an id does not mark its end.
                text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_')
            }
            [open, _] => open.is_open(),
            _ => false,
        });
        if unclear {
            return Err("payload_format runs two parts together: put a dot between them".into());
        }
        Ok(Self(parts))
    }

    /// Whether the time is signed.
    pub(super) fn signs_time(&self) -> bool {
        self.0.contains(&Part::Timestamp)
    }

    /// Whether the address is signed.
    pub(super) fn signs_url(&self) -> bool {
        self.0.contains(&Part::Url)
    }

    /// The MAC of the filled format, or `None` when something to fill it with is missing or could
    /// be taken for something else.
    pub(super) fn feed<M: Mac>(&self, mut mac: M, input: &Input<'_>) -> Option<Vec<u8>> {
        for part in &self.0 {
            match part {
                Part::Text(text) => mac.update(text.as_bytes()),
                Part::Body => mac.update(input.body),
                Part::Timestamp => mac.update(input.timestamp),
                Part::Method => mac.update(input.method),
                Part::Url => mac.update(input.url),
                Part::MessageId => mac.update(input.message_id.filter(|id| is_plain(id))?),
            }
        }
        Some(mac.finalize().into_bytes().to_vec())
    }
}

fn is_plain(id: &[u8]) -> bool {
    (1..=256).contains(&id.len())
        && id.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}
