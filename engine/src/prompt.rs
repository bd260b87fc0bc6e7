//! Renders an owner's Liquid template. What visitors say never comes here.
//!
//! The language is cut to what takes time linear in the template and its variables: no loops, no
//! includes, no assignment, and no filter whose output can multiply. So no stored prompt can
//! occupy a server, and nothing needs a clock to stop it.
//!
//! Every visitor's message waits for a prompt, so what was read of a template is kept.

use crate::model::ModelError;
use crate::variables::Variables;
use liquid::{ParserBuilder, Template};
use liquid_lib::stdlib;
use quick_cache::sync::Cache;
use std::sync::{Arc, LazyLock};

/// The longest template, in bytes.
const MAX_TEMPLATE: usize = 64 * 1024;
/// The most tags in one template. The parser recurses into nested ones, and its stack is finite.
const MAX_TAGS: usize = 200;
/// How many templates are kept, two for each assistant: those used last.
const KEPT: usize = 512;

/// Renders `template` with `variables`; unknown ones become nothing.
///
/// # Errors
/// [`ModelError::Prompt`] when it does not parse, exceeds a bound, or uses a filter on what it does
/// not fit.
pub fn render(template: &str, variables: &Variables) -> Result<String, ModelError> {
    match parse(template)? {
        None => Ok(template.to_owned()),
        Some(parsed) => parsed.render(&variables.scope()).map_err(|error| fault(error.to_string())),
    }
}

/// Whether a template can be read at all.
///
/// # Errors
/// [`ModelError::Prompt`] when it does not parse or exceeds a bound.
pub fn check(template: &str) -> Result<(), ModelError> {
    parse(template).map(drop)
}

/// `None` for plain text, which needs no parser.
fn parse(template: &str) -> Result<Option<Arc<Template>>, ModelError> {
    static READ: LazyLock<Cache<String, Arc<Template>>> = LazyLock::new(|| Cache::new(KEPT));
    if template.len() > MAX_TEMPLATE {
        return Err(fault(format!("the template is longer than {MAX_TEMPLATE} bytes")));
    }
    if template.matches("{%").count() > MAX_TAGS {
        return Err(fault(format!("the template has more than {MAX_TAGS} tags")));
    }
    if !template.contains("{{") && !template.contains("{%") {
        return Ok(None);
    }
    if let Some(read) = READ.get(template) {
        return Ok(Some(read));
    }
    let parsed = language().and_then(|parser| parser.parse(template));
    let parsed = Arc::new(parsed.map_err(|error| fault(error.to_string()))?);
    READ.insert(template.to_owned(), parsed.clone());
    Ok(Some(parsed))
}

fn fault(cause: String) -> ModelError {
    ModelError::Prompt { cause }
}

/// The tags and filters a template may use.
fn language() -> Result<liquid::Parser, liquid::Error> {
    ParserBuilder::new()
        .block(stdlib::IfBlock)
        .block(stdlib::UnlessBlock)
        .block(stdlib::CaseBlock)
        .block(stdlib::CommentBlock)
        .block(stdlib::RawBlock)
        .filter(stdlib::Append)
        .filter(stdlib::Capitalize)
        .filter(stdlib::Ceil)
        .filter(stdlib::Date)
        .filter(stdlib::Default)
        .filter(stdlib::DividedBy)
        .filter(stdlib::Downcase)
        .filter(stdlib::Floor)
        .filter(stdlib::Minus)
        .filter(stdlib::Plus)
        .filter(stdlib::Prepend)
        .filter(stdlib::Round)
        .filter(stdlib::Size)
        .filter(stdlib::Strip)
        .filter(stdlib::Times)
        .filter(stdlib::Truncate)
        .filter(stdlib::TruncateWords)
        .filter(stdlib::Upcase)
        .build()
}

#[cfg(test)]
mod tests {
    use super::{MAX_TAGS, MAX_TEMPLATE, render};
    use crate::model::ModelError;
    use crate::variables::Variables;
    use proptest::prelude::*;

    fn variables() -> Variables {
        let mut variables: Variables =
            [("assistant.name", "Fern"), ("customer", "Jo"), ("customer.city", "Bern")]
                .into_iter()
                .collect();
        variables.set("count", 3.0);
        variables.set("price", 4.5);
        variables.set("date", "2026-01-31 12:00:00 +0000");
        variables
    }

    #[test]
    fn what_templates_become() {
        for (template, expected) in [
            ("plain text, 100 %", "plain text, 100 %"),
            ("I am {{assistant.name}}.", "I am Fern."),
            ("{{ customer }} of {{ customer.city }}", "Jo of Bern"),
            ("{{count}} for {{price}}", "3 for 4.5"),
            ("[{{nobody}}][{{customer.age}}][{{a.b.c.d}}]", "[][][]"),
            ("{{ nobody | default: 'friend' }}", "friend"),
            ("{{ customer | upcase | append: '!' }}", "JO!"),
            ("{{ nobody | upcase }}.", "."),
            ("{{ date | date: '%d.%m.%Y' }}", "31.01.2026"),
            ("{% if customer %}yes{% else %}no{% endif %}", "yes"),
            ("{% if nobody.name %}yes{% else %}no{% endif %}", "no"),
            ("{% if customer == 'Jo' %}Jo{% endif %}", "Jo"),
            ("{% case count %}{% when 3 %}three{% else %}other{% endcase %}", "three"),
            ("{% raw %}{{customer}}{% endraw %}{% comment %}x{% endcomment %}", "{{customer}}"),
        ] {
            // The second time from what was read the first time.
            for _ in 0..2 {
                assert_eq!(render(template, &variables()).as_deref(), Ok(expected), "{template}");
            }
        }
        let other = [("customer", "Al")].into_iter().collect();
        assert_eq!(render("{{ customer }}!", &variables()).as_deref(), Ok("Jo!"));
        assert_eq!(render("{{ customer }}!", &other).as_deref(), Ok("Al!"));
    }

    #[test]
    fn a_value_is_never_a_template() {
        let variables: Variables = [("name", "{{secret}}"), ("secret", "s3")].into_iter().collect();
        assert_eq!(render("Hi {{name}}", &variables).as_deref(), Ok("Hi {{secret}}"));
    }

    #[test]
    fn what_is_no_template() {
        let nested = "{% if a %}".repeat(MAX_TAGS + 1);
        let long = "{{a}}".repeat(MAX_TEMPLATE / 5 + 1);
        for template in [
            "{{ open",
            "{% if a %}",
            "{% unknown %}",
            "{{ a | unknown }}",
            "{{ customer[nobody] }}",
            "{{ nobody | plus: 1 }}",
            "{% for i in (1..1000000000) %}{% endfor %}",
            "{% assign a = 'x' %}",
            "{% include 'file' %}",
            &nested,
            &long,
        ] {
            let got = render(template, &variables());
            assert!(matches!(got, Err(ModelError::Prompt { .. })), "{template:.40}: {got:?}");
        }
    }

    #[test]
    fn the_deepest_nesting_fits_the_stack_of_a_server_thread() {
        let depth = MAX_TAGS / 2;
        let template = format!("{}x{}", "{% if true %}".repeat(depth), "{% endif %}".repeat(depth));
        assert_eq!(render(&template, &Variables::new()).as_deref(), Ok("x"));
    }

    proptest! {
        #[test]
        fn no_template_panics(template in "([{}%| .a-z'\"0-9]|\\{\\{|\\}\\}|\\{%|%\\}|if|endif){0,40}") {
            let _ = render(&template, &variables());
        }

        #[test]
        fn text_without_braces_is_left_alone(text in "[^{]{0,200}") {
            prop_assert_eq!(render(&text, &Variables::new()), Ok(text));
        }
    }
}
