//! Variables from JSON and back: what is nested there has a dotted name here.

use super::{Variable, Variables};
use serde_json::{Map, Value, json};

impl Variables {
    /// The values of a JSON object. Lists keep their JSON form, `null` is as good as absent.
    #[must_use]
    pub fn from_json(object: &Map<String, Value>) -> Self {
        let mut variables = Self::new();
        variables.flatten("", object);
        variables
    }

    /// The same as a JSON object. Where a name is also the beginning of others (`customer` and
    /// `customer.city`), the others stay: an object cannot have a value of its own.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let mut root = Map::new();
        for (name, variable) in &self.0 {
            let value = match variable {
                Variable::Text(text) => json!(text),
                Variable::Number(number) => json!(number),
            };
            nest(&mut root, name, value);
        }
        root
    }

    fn flatten(&mut self, prefix: &str, object: &Map<String, Value>) {
        for (name, value) in object {
            let name = format!("{prefix}{name}");
            match value {
                Value::Null => {}
                Value::Object(inner) => self.flatten(&format!("{name}."), inner),
                Value::String(text) => self.set(name, text.clone()),
                Value::Number(number) => match number.as_f64() {
                    Some(number) => self.set(name, number),
                    None => self.set(name, number.to_string()),
                },
                Value::Bool(_) | Value::Array(_) => self.set(name, value.to_string()),
            }
        }
    }
}

/// Puts `value` where the dots of `name` lead. Shorter names come first (the map is sorted).
fn nest(into: &mut Map<String, Value>, name: &str, value: Value) {
    let Some((head, rest)) = name.split_once('.') else {
        into.insert(name.to_owned(), value);
        return;
    };
    let inner = into.entry(head).or_insert_with(|| json!({}));
    if !inner.is_object() {
        *inner = json!({});
    }
    if let Some(inner) = inner.as_object_mut() {
        nest(inner, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use super::Variables;
    use serde_json::json;

    #[test]
    fn json_and_dots_say_the_same() {
        let json = json!({ "name": "Jo", "customer": { "city": "Bern", "orders": 3.0 } });
        let variables = Variables::from_json(json.as_object().unwrap());
        assert_eq!(variables.get("customer.city"), Some(&"Bern".into()));
        assert_eq!(json!(variables.to_json()), json);
        let more = json!({ "a": null, "b": true, "c": [1, "x"] });
        let variables = Variables::from_json(more.as_object().unwrap());
        assert_eq!(json!(variables.to_json()), json!({ "b": "true", "c": "[1,\"x\"]" }));
    }

    #[test]
    fn a_name_that_leads_on_keeps_only_what_it_leads_to() {
        let variables: Variables = [("a", "1"), ("a.b", "2"), ("a.b.c", "3")].into_iter().collect();
        assert_eq!(json!(variables.to_json()), json!({ "a": { "b": { "c": "3" } } }));
    }
}
