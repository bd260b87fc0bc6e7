//! May this page open a conversation here? Decided before anything is stored.
//!
//! Three ways lead to a widget. Our own frame, whose embedding the browser enforced through
//! `frame-ancestors` and which tells the host page's origin; our own hosted page, which has no host
//! page; and a page-mode widget, whose requests carry the host page's origin themselves. A request
//! without `Origin` comes from no browser that posts across pages, so it is refused.

use super::origin::Origin;
use super::widget::Widget;

/// Where a request says it comes from.
#[derive(Clone, Debug, Default)]
pub struct Claim {
    /// The `Origin` header.
    pub request: Option<Origin>,
    /// The host page's origin, told by our frame.
    pub host: Option<Origin>,
}

/// The origins that are this server: the configured one, or else the `Host` the request came to.
#[derive(Clone, Debug)]
pub struct OwnOrigin {
    /// `host[:port]`.
    pub authority: String,
}

impl OwnOrigin {
    /// Whether `origin` is this server.
    #[must_use]
    pub fn is(&self, origin: &Origin) -> bool {
        origin.authority() == self.authority
    }
}

/// Whether a page may open a conversation, and if so whose origin the conversation is bound to.
#[must_use]
pub fn admit(widget: &Widget, claim: &Claim, own: &OwnOrigin) -> Option<Origin> {
    let request = claim.request.as_ref()?;
    if !own.is(request) {
        return widget.allows(request).then(|| request.clone());
    }
    let admitted = match &claim.host {
        Some(host) => own.is(host) || widget.allows(host),
        None => widget.settings.hosted_page,
    };
    admitted.then(|| request.clone())
}

#[cfg(test)]
mod tests {
    use super::{Claim, OwnOrigin, admit};
    use crate::domain::origin::Origin;
    use crate::domain::widget::{Widget, WidgetSettings};

    #[test]
    fn who_may_open_a_conversation() {
        let own = OwnOrigin { authority: "chat.example".into() };
        for (request, host, hosted_page, admitted) in [
            // Page mode: the page's own origin counts.
            (Some("https://shop.example"), None, false, true),
            (Some("https://evil.example"), None, true, false),
            // A foreign page cannot speak for another by naming it.
            (Some("https://evil.example"), Some("https://shop.example"), true, false),
            // Our frame: the host page's origin counts.
            (Some("https://chat.example"), Some("https://shop.example"), false, true),
            (Some("https://chat.example"), Some("https://evil.example"), true, false),
            (Some("https://chat.example"), Some("https://chat.example"), false, true),
            // The hosted page exists only if the owner wants it.
            (Some("https://chat.example"), None, true, true),
            (Some("https://chat.example"), None, false, false),
            // No browser.
            (None, Some("https://shop.example"), true, false),
        ] {
            let settings = WidgetSettings {
                allowed_origins: vec!["https://shop.example".to_owned().try_into().unwrap()],
                hosted_page,
                ..WidgetSettings::default()
            };
            let widget = Widget { id: "w".into(), settings };
            let claim = Claim {
                request: request.and_then(Origin::parse),
                host: host.and_then(Origin::parse),
            };
            assert_eq!(admit(&widget, &claim, &own).is_some(), admitted, "{request:?} {host:?}");
        }
    }
}
