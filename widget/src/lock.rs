//! One tab at a time: a Web Lock for what two tabs must not do at once. Where there are none (pages served
//! without TLS, storage that is forbidden) nobody waits, and nobody is kept from anything.

use crate::dom::{property, window};
use js_sys::{Array, Function, Promise};
use wasm_bindgen::prelude::{Closure, JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

/// Held until it is dropped.
#[derive(Debug)]
pub struct Lock(Option<Function>);

impl Lock {
    /// Waits until no other tab holds the lock of this name.
    pub async fn of(name: &str) -> Self {
        let locks = property(&window().navigator(), "locks");
        let Ok(request) = property(&locks, "request").dyn_into::<Function>() else {
            return Self(None);
        };
        let mut requested = JsValue::UNDEFINED;
        let granted = Promise::new(&mut |resolve, _| {
            // The lock is held until the promise that the callback answers is resolved: by the function
            // that is passed on here.
            let hold = Closure::once_into_js(move || {
                Promise::new(&mut |release, _| {
                    // Resolving a promise does not fail.
                    let _ = resolve.call1(&JsValue::UNDEFINED, &release);
                })
            });
            requested = request.call2(&locks, &name.into(), &hold).unwrap_or_default();
        });
        // A request that is refused is over first.
        let release = JsFuture::from(Promise::race(&Array::of2(&granted, &requested))).await;
        Self(release.ok().and_then(|release| release.dyn_into().ok()))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Nor does this fail.
        self.0.take().map(|release| release.call0(&JsValue::UNDEFINED));
    }
}
