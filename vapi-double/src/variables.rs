//! Substitution at the creation of a session: every template of the assistant is rendered once and
//! stays as it is (Vapi docs, "Variable substitution").

use banter_engine::prompt::render;
use banter_engine::variables::Variables;
use serde_json::{Map, Value};

/// `assistant` with every `{{ }}` in it replaced. What does not render stays as it is.
pub(crate) fn bake(assistant: &Value, variables: &Map<String, Value>) -> Value {
    bake_with(assistant, &Variables::from_json(variables))
}

fn bake_with(value: &Value, variables: &Variables) -> Value {
    match value {
        Value::String(text) => {
            Value::String(render(text, variables).unwrap_or_else(|_| text.clone()))
        }
        Value::Array(items) => items.iter().map(|item| bake_with(item, variables)).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| (name.clone(), bake_with(value, variables)))
            .collect::<Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::bake;
    use serde_json::json;

    #[test]
    fn templates_are_rendered_wherever_they_stand() {
        let assistant = json!({
            "firstMessage": "Hi {{name}}",
            "model": { "messages": [{ "role": "system", "content": "Serve {{customer.city}}, {{n}}." }] },
            "endCallPhrases": ["bye {{nobody}}!"],
            "voicemailMessage": "{{ broken",
        });
        let variables = json!({ "name": "{{x}}", "customer": { "city": "Bern" }, "n": 3 });
        let baked = bake(&assistant, variables.as_object().unwrap());
        assert_eq!(
            baked,
            json!({
                "firstMessage": "Hi {{x}}",
                "model": { "messages": [{ "role": "system", "content": "Serve Bern, 3." }] },
                "endCallPhrases": ["bye !"],
                "voicemailMessage": "{{ broken",
            })
        );
    }
}
