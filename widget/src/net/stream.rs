//! Reads an answer as it is written.

use crate::dom::{property, window};
use crate::json;
use crate::state::connection::Failure;
use crate::wire::read_event;
use banter_shared::sse::Decoder;
use banter_shared::stream::StreamEvent;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReadableStreamDefaultReader, Response};

/// The longest event taken, in bytes: far above any answer, far below what would hurt a browser.
const LONGEST_EVENT: usize = 1 << 20;

/// How long to let text gather before reading on, in milliseconds: thirty times a second reads as
/// fluently as sixty, for half of the reading, drawing and painting.
const GATHER: i32 = 32;

/// Reads events until the stream ends; `heard` is called for every sign of life, also for the pings
/// that carry no event. What a newer server says is skipped.
///
/// # Errors
/// [`Failure::network`] when the connection breaks or is not worth trusting any further.
pub async fn read(
    response: Response,
    heard: &dyn Fn(),
    sink: &dyn Fn(StreamEvent),
) -> Result<(), Failure> {
    let body = response.body().ok_or_else(Failure::network)?;
    let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
    let mut decoder = Decoder::new(LONGEST_EVENT);
    loop {
        let chunk = JsFuture::from(reader.read()).await.map_err(|_| Failure::network())?;
        let Ok(bytes) = property(&chunk, "value").dyn_into::<js_sys::Uint8Array>() else {
            return Ok(());
        };
        heard();
        let mut grew = false;
        let pushed = decoder.push(&bytes.to_vec(), |event| {
            if let Some(event) = json::read(event.data, read_event) {
                grew |= matches!(event, StreamEvent::Delta(_));
                sink(event);
            }
        });
        pushed.map_err(|_| Failure::network())?;
        if grew {
            pause(GATHER).await;
        }
    }
}

/// Waits for `ms` milliseconds.
async fn pause(ms: i32) {
    let promise = js_sys::Promise::new(&mut |resolve, _| {
        // Refused only by a window that is gone, and nobody waits in one.
        let _ = window().set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, ms);
    });
    let _ = JsFuture::from(promise).await;
}
