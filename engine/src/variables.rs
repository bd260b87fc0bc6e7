//! What a template may refer to: the caller's names and values, as the tree Liquid walks.
//!
//! A name that was not given renders as nothing instead of failing: owners write one prompt for
//! visitors of whom more or less is known (Vapi leaves them blank, too). So the tree answers
//! *every* lookup, at any depth.

mod json;

use liquid_core::model::{DisplayCow, KStringCow, State};
use liquid_core::{ObjectView, Value, ValueView};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The value of a variable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Variable {
    /// A number.
    Number(f64),
    /// Anything else.
    Text(String),
}

impl From<&str> for Variable {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Variable {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<f64> for Variable {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl Variable {
    fn to_liquid(&self) -> Value {
        match self {
            Self::Text(text) => Value::scalar(text.clone()),
            // Whole numbers render without `.0`. Beyond 2^53 a float holds no exact integer anyway.
            #[expect(clippy::cast_possible_truncation, reason = "the guard keeps it in range")]
            Self::Number(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
                Value::scalar(*number as i64)
            }
            Self::Number(number) => Value::scalar(*number),
        }
    }
}

/// Named values for the templates of one conversation. Dots nest: `customer.name` is what
/// `{{customer.name}}` shows. Give `now` and `date` if templates may use them: the engine has no clock.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Variables(BTreeMap<String, Variable>);

impl Variables {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `name`, replacing what it was.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Variable>) {
        self.0.insert(name.into(), value.into());
    }

    /// The value of `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Variable> {
        self.0.get(name)
    }

    /// The tree that templates look into.
    pub(crate) fn scope(&self) -> Scope {
        let mut root = Scope::default();
        for (name, value) in &self.0 {
            let node = name
                .split('.')
                .fold(&mut root, |node, part| node.children.entry(part.to_owned()).or_default());
            node.value = value.to_liquid();
        }
        root
    }
}

impl<N: Into<String>, V: Into<Variable>> FromIterator<(N, V)> for Variables {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(items: I) -> Self {
        Self(items.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// A node of the tree: a value of its own, children, both or neither.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    value: Value,
    children: BTreeMap<String, Scope>,
}

/// What every unknown name leads to, itself full of unknown names.
static NOTHING: Scope = Scope { value: Value::Nil, children: BTreeMap::new() };

impl ValueView for Scope {
    fn as_debug(&self) -> &dyn std::fmt::Debug {
        self
    }

    fn render(&self) -> DisplayCow<'_> {
        self.value.render()
    }

    fn source(&self) -> DisplayCow<'_> {
        self.value.source()
    }

    fn type_name(&self) -> &'static str {
        self.value.type_name()
    }

    fn query_state(&self, state: State) -> bool {
        self.value.query_state(state)
    }

    fn to_kstr(&self) -> KStringCow<'_> {
        self.value.to_kstr()
    }

    fn to_value(&self) -> Value {
        self.value.clone()
    }

    fn as_scalar(&self) -> Option<liquid_core::model::ScalarCow<'_>> {
        self.value.as_scalar()
    }

    fn as_object(&self) -> Option<&dyn ObjectView> {
        Some(self)
    }

    fn is_nil(&self) -> bool {
        self.value.is_nil()
    }
}

impl ObjectView for Scope {
    fn as_value(&self) -> &dyn ValueView {
        self
    }

    fn size(&self) -> i64 {
        i64::try_from(self.children.len()).unwrap_or(i64::MAX)
    }

    fn keys<'k>(&'k self) -> Box<dyn Iterator<Item = KStringCow<'k>> + 'k> {
        Box::new(self.children.keys().map(|name| KStringCow::from_ref(name)))
    }

    fn values<'k>(&'k self) -> Box<dyn Iterator<Item = &'k dyn ValueView> + 'k> {
        Box::new(self.children.values().map(|child| child as &dyn ValueView))
    }

    fn iter<'k>(&'k self) -> Box<dyn Iterator<Item = (KStringCow<'k>, &'k dyn ValueView)> + 'k> {
        Box::new(self.keys().zip(self.values()))
    }

    fn contains_key(&self, _name: &str) -> bool {
        true
    }

    fn get<'s>(&'s self, name: &str) -> Option<&'s dyn ValueView> {
        Some(self.children.get(name).unwrap_or(&NOTHING))
    }
}
