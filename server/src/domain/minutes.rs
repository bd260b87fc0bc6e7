//! Equivalent minutes: what a chat counts for on a bill that is written in minutes (seed 000).
//!
//! units × rate, rounded up to a whole number of steps, and at least the minimum once anything was
//! used at all. Everything that went in is kept beside the result, so that anyone can compute the
//! number again from its row; nothing here is ever a float.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// The visitor's messages.
    Message,
    /// The session, once, if anything was said in it.
    Session,
    /// Started minutes from the first word to the session's end.
    Minute,
}

impl Unit {
    /// Its name in a row.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Session => "session",
            Self::Minute => "minute",
        }
    }
}

/// How usage becomes minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What is counted.
    pub unit: Unit,
    /// Minutes per unit.
    pub rate: Decimal,
    /// The result is a whole number of these, in minutes; 0 does not round.
    pub step: Decimal,
    /// The least a used session counts, in minutes.
    pub minimum: Decimal,
}

/// The greatest rate, step and minimum, in minutes: with it no computation can overflow.
const MAX: Decimal = Decimal::from_parts(10_000, 0, 0, false, 0);
/// The most decimal places of each.
const MAX_PLACES: u32 = 6;

/// What a session used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Whether anything was said.
    pub active: bool,
    /// The visitor's messages.
    pub messages: u64,
    /// From the first word to the end, in milliseconds.
    pub duration_ms: u64,
}

/// How a result was rounded, as its row says it: `up to 0.5, at least 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rounding {
    /// Rounded up to a whole number of these; 0: not rounded.
    pub step: Decimal,
    /// The least, once anything was used.
    pub minimum: Decimal,
}

/// Minutes, and how they came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Computation {
    /// How many units.
    pub units: u32,
    /// Of what.
    pub unit: Unit,
    /// Minutes per unit.
    pub rate: Decimal,
    /// How it was rounded.
    pub rounding: Rounding,
    /// The result.
    pub minutes: Decimal,
}

impl Rule {
    /// What is wrong with this rule, as `(field, sentence)`.
    #[must_use]
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        [("rate", self.rate), ("step", self.step), ("minimum", self.minimum)]
            .into_iter()
            .filter(|(_, value)| {
                !(Decimal::ZERO..=MAX).contains(value) || value.normalize().scale() > MAX_PLACES
            })
            .map(|(field, value)| {
                (
                    field,
                    format!(
                        "= {value} must be from 0 to {MAX} with at most {MAX_PLACES} decimal places"
                    ),
                )
            })
            .collect()
    }

    /// The minutes of a session.
    #[must_use]
    pub fn minutes(&self, used: Used) -> Computation {
        let units = match self.unit {
            Unit::Message => used.messages,
            Unit::Session => used.active.into(),
            Unit::Minute => used.duration_ms.div_ceil(60_000),
        };
        // More than four thousand million is no chat; the bound keeps the arithmetic exact.
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let rounding = Rounding { step: self.step, minimum: self.minimum };
        let minutes = compute(units, self.rate, rounding);
        Computation { units, unit: self.unit, rate: self.rate, rounding, minutes }
    }
}

/// The one formula. What a bill says can be computed again from its row with nothing but this.
#[must_use]
pub fn compute(units: u32, rate: Decimal, rounding: Rounding) -> Decimal {
    if units == 0 {
        return Decimal::ZERO;
    }
    let exact = Decimal::from(units) * rate;
    let rounded = if rounding.step.is_zero() {
        exact
    } else {
        // The remainder is exact, which a quotient is not: what fits is not rounded up once more.
        let over = exact % rounding.step;
        if over.is_zero() { exact } else { exact - over + rounding.step }
    };
    rounded.max(rounding.minimum).normalize()
}

impl fmt::Display for Rounding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "up to {}, at least {}", self.step.normalize(), self.minimum.normalize())
    }
}

impl FromStr for Rounding {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.strip_prefix("up to ").and_then(|rest| rest.split_once(", at least "));
        let (step, minimum) = parts.ok_or("not a rounding")?;
        let number = |text: &str| text.parse().map_err(|_| "not a number");
        Ok(Self { step: number(step)?, minimum: number(minimum)? })
    }
}

#[cfg(test)]
mod tests {
    use super::{Rounding, Rule, Unit, Used, compute};
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    fn rule(unit: Unit, rate: &str, step: &str, minimum: &str) -> Rule {
        let number = |text: &str| text.parse().unwrap();
        Rule { unit, rate: number(rate), step: number(step), minimum: number(minimum) }
    }

    #[test]
    fn minutes_by_table() {
        use Unit::{Message, Minute, Session};
        for (unit, rate, step, minimum, messages, seconds, minutes) in [
            (Message, "0.5", "0.5", "0", 3, 0, "1.5"),
            (Message, "0.3", "0.5", "0", 3, 0, "1"),
            (Message, "0.3", "0", "0", 3, 0, "0.9"),
            (Message, "0.3", "1", "0", 3, 0, "1"),
            (Message, "1", "1", "5", 3, 0, "5"),
            // Nothing said, nothing counted: the minimum is for what was used.
            (Message, "1", "1", "5", 0, 600, "0"),
            (Session, "2", "1", "0", 1, 0, "2"),
            (Session, "2", "1", "0", 0, 0, "0"),
            (Minute, "1", "1", "0", 9, 60, "1"),
            (Minute, "1", "1", "0", 9, 61, "2"),
            (Minute, "1", "1", "0", 9, 0, "0"),
            (Minute, "0", "1", "0", 9, 61, "0"),
            // A third of a step is no multiple of ten and must not be rounded up twice.
            (Message, "0.1", "0.3", "0", 3, 0, "0.3"),
            (Message, "10000", "0.000001", "0", u64::MAX, 0, "42949672950000"),
        ] {
            let used = Used { active: messages > 0, messages, duration_ms: seconds * 1000 };
            let got = rule(unit, rate, step, minimum).minutes(used).minutes;
            assert_eq!(
                got,
                minutes.parse().unwrap(),
                "{unit:?} {rate} {step} {minimum} {messages} {seconds}"
            );
        }
    }

    #[test]
    fn rules_that_make_no_sense_are_named() {
        let fields = |rule: Rule| rule.faults().iter().map(|fault| fault.0).collect::<Vec<_>>();
        assert_eq!(
            fields(rule(Unit::Message, "-1", "10001", "0.0000001")),
            ["rate", "step", "minimum"]
        );
        assert!(fields(rule(Unit::Message, "0.5", "0", "1.500000")).is_empty());
    }

    fn numbers() -> impl Strategy<Value = Decimal> {
        (0..10_000_i64, 0..=4_u32).prop_map(|(digits, places)| Decimal::new(digits, places))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(2_000)))]

        #[test]
        fn more_use_never_counts_less_and_every_row_can_be_computed_again(
            rate in numbers(), step in numbers(), minimum in numbers(),
            unit in prop::sample::select(vec![Unit::Message, Unit::Session, Unit::Minute]),
            messages in 0..5_000_u64, more in 0..5_000_u64, duration_ms in 0..100_000_000_u64,
        ) {
            let rule = Rule { unit, rate, step, minimum };
            let less = rule.minutes(Used { active: messages > 0, messages, duration_ms });
            let used = Used { active: true, messages: messages + more, duration_ms: duration_ms + more };
            let greater = rule.minutes(used);
            prop_assert!(less.minutes >= Decimal::ZERO && less.minutes <= greater.minutes);
            // From the texts of the row alone.
            let row = (greater.units, greater.rate.to_string(), greater.rounding.to_string());
            let rounding: Rounding = row.2.parse().unwrap();
            let again = compute(row.0, row.1.parse().unwrap(), rounding);
            prop_assert_eq!(again.to_string(), greater.minutes.to_string());
            // Not less than was used, and not a step more.
            let exact = Decimal::from(greater.units) * rate;
            prop_assert!(greater.minutes >= exact);
            prop_assert!(greater.minutes <= (exact + step).max(minimum));
            if !step.is_zero() && greater.minutes > minimum {
                prop_assert!((greater.minutes % step).is_zero());
            }
        }
    }
}
