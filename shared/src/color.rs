//! Brand colours made readable: WCAG 2.2 contrast, and the nearest shade that reaches it.
//!
//! Source of the formulas: WCAG 2.2, "relative luminance" and "contrast ratio"; 4.5:1 is success
//! criterion 1.4.3 for text, 3:1 is 1.4.11 for controls. The owner picks one accent; everything
//! the widget draws with it is derived here, once, on the server.

/// An opaque sRGB colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rgb(pub u8, pub u8, pub u8);

/// The contrast WCAG 2.2 asks of normal text (1.4.3, level AA).
pub const TEXT_CONTRAST: f64 = 4.5;

impl Rgb {
    /// White.
    pub const WHITE: Self = Self(255, 255, 255);
    /// The near-black that text on a light accent is set in.
    pub const INK: Self = Self(0x11, 0x14, 0x18);

    /// Parses `#rgb` or `#rrggbb`; anything else is not a colour we take.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix('#')?;
        if !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let at = |i: usize, len: usize| {
            let value = u8::from_str_radix(hex.get(i..i + len)?, 16).ok()?;
            Some(if len == 1 { value * 17 } else { value })
        };
        match hex.len() {
            3 => Some(Self(at(0, 1)?, at(1, 1)?, at(2, 1)?)),
            6 => Some(Self(at(0, 2)?, at(2, 2)?, at(4, 2)?)),
            _ => None,
        }
    }

    /// WCAG relative luminance, 0 (black) to 1 (white).
    #[must_use]
    pub fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let c = f64::from(channel) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(self.0) + 0.7152 * linear(self.1) + 0.0722 * linear(self.2)
    }

    /// WCAG contrast ratio with `other`, 1 to 21.
    #[must_use]
    pub fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// What to write on this colour: [`Self::WHITE`] or [`Self::INK`], whichever reads better.
    #[must_use]
    pub fn ink(self) -> Self {
        if self.contrast(Self::WHITE) >= self.contrast(Self::INK) { Self::WHITE } else { Self::INK }
    }

    /// This colour, moved towards black or white just as far as it takes to reach `ratio`
    /// against `background`.
    #[must_use]
    pub fn readable_on(self, background: Self, ratio: f64) -> Self {
        let target = if background.luminance() > 0.18 { Self(0, 0, 0) } else { Self::WHITE };
        (0..=20)
            .map(|step| self.mix(target, f64::from(step) / 20.0))
            .find(|shade| shade.contrast(background) >= ratio)
            .unwrap_or(target)
    }

    /// A blend with `share` (0 to 1) of `other`.
    #[must_use]
    pub fn mix(self, other: Self, share: f64) -> Self {
        let blend = |a: u8, b: u8| {
            let value = f64::from(a) + (f64::from(b) - f64::from(a)) * share.clamp(0.0, 1.0);
            // In range by construction: a blend of two bytes is a byte.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 255")]
            let byte = value.round() as u8;
            byte
        };
        Self(blend(self.0, other.0), blend(self.1, other.1), blend(self.2, other.2))
    }
}

impl std::fmt::Display for Rgb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::{Rgb, TEXT_CONTRAST};
    use proptest::prelude::*;

    #[test]
    fn parses_what_a_colour_picker_gives_and_nothing_else() {
        for (text, colour) in [
            ("#0a6", Some(Rgb(0x00, 0xaa, 0x66))),
            ("#00AA66", Some(Rgb(0x00, 0xaa, 0x66))),
            ("00aa66", None),
            ("#00aa6", None),
            ("red", None),
            ("#é0a", None),
            ("#0a6;}body{display:none", None),
        ] {
            assert_eq!(Rgb::parse(text), colour, "{text}");
        }
    }

    #[test]
    fn contrast_agrees_with_wcag() {
        assert!((Rgb(0, 0, 0).contrast(Rgb::WHITE) - 21.0).abs() < 1e-9);
        assert!((Rgb(0x76, 0x76, 0x76).contrast(Rgb::WHITE) - 4.54).abs() < 0.01);
    }

    proptest! {
        #[test]
        fn every_accent_becomes_readable(r: u8, g: u8, b: u8, dark: bool) {
            let accent = Rgb(r, g, b);
            let background = if dark { Rgb(0x16, 0x18, 0x1d) } else { Rgb::WHITE };
            prop_assert!(accent.readable_on(background, TEXT_CONTRAST).contrast(background) >= TEXT_CONTRAST);
            prop_assert!(accent.ink().contrast(accent) >= 4.2, "{accent}");
        }

        #[test]
        fn a_colour_survives_being_written(r: u8, g: u8, b: u8) {
            prop_assert_eq!(Rgb::parse(&Rgb(r, g, b).to_string()), Some(Rgb(r, g, b)));
        }
    }
}
