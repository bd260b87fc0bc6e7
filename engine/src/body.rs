//! A model's answer as it comes over HTTP: an event stream or one JSON document; its first visible
//! byte tells. Pure: it knows no network, no clock, and nothing of what the events say.

use crate::model::ModelError;
use banter_shared::sse::{Decoder, Event};

/// A body in pieces of any size, bounded as a whole.
#[derive(Debug)]
pub struct Body {
    kind: Kind,
    limit: usize,
    received: usize,
}

#[derive(Debug)]
enum Kind {
    Unknown,
    Events(Decoder),
    Json(Vec<u8>),
}

/// What is left of a body when it has ended.
#[derive(Debug, PartialEq)]
pub enum Rest {
    /// Nothing that was not handed over before.
    Nothing,
    /// The data of the last event, which no empty line followed.
    Event(String),
    /// The document.
    Json(Vec<u8>),
}

impl Body {
    /// A body of at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { kind: Kind::Unknown, limit, received: 0 }
    }

    /// Whether anything has come.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.received > 0
    }

    /// Counts the next bytes, which are then for [`Body::event`].
    ///
    /// # Errors
    /// [`ModelError::TooLong`] when the body exceeds the limit.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), ModelError> {
        self.received = self.received.saturating_add(bytes.len());
        if self.received > self.limit { Err(ModelError::TooLong) } else { Ok(()) }
    }

    /// Takes bytes up to the end of the next event, or all, and hands over that event; gives the rest.
    ///
    /// # Errors
    /// [`ModelError::TooLong`] when the event exceeds the limit.
    pub fn event<'a>(
        &mut self,
        bytes: &'a [u8],
        take: impl FnMut(Event<'_>),
    ) -> Result<&'a [u8], ModelError> {
        let bytes = self.choose(bytes);
        match &mut self.kind {
            Kind::Unknown => Ok(&[]),
            Kind::Json(json) => {
                json.extend_from_slice(bytes);
                Ok(&[])
            }
            Kind::Events(decoder) => decoder.event(bytes, take).map_err(|_| ModelError::TooLong),
        }
    }

    /// Whether an event begins with the next byte: one that is known need not be handed to
    /// [`Body::event`].
    #[must_use]
    pub fn is_between_events(&self) -> bool {
        matches!(&self.kind, Kind::Events(decoder) if decoder.is_between_events())
    }

    /// The body has ended.
    #[must_use]
    pub fn finish(self) -> Rest {
        match self.kind {
            Kind::Unknown => Rest::Nothing,
            Kind::Json(json) => Rest::Json(json),
            Kind::Events(decoder) => {
                let mut rest = Rest::Nothing;
                decoder.finish(|event| rest = Rest::Event(event.data.to_owned()));
                rest
            }
        }
    }

    /// Decides what the body is, once a byte tells; gives the bytes that belong to it.
    fn choose<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if !matches!(self.kind, Kind::Unknown) {
            return bytes;
        }
        let bytes = bytes.trim_ascii_start();
        match bytes.first() {
            None => {}
            // No line of an event stream that means anything begins like this.
            Some(b'{') => self.kind = Kind::Json(Vec::new()),
            Some(_) => self.kind = Kind::Events(Decoder::new(self.limit)),
        }
        bytes
    }
}
