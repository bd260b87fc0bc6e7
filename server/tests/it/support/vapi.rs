//! A server whose widget answers through a double of Vapi.

use super::Server;
use std::ops::Deref;
use vapi_double::{ASSISTANT, Double, KEY, Options};

pub(crate) struct VapiServer {
    pub(crate) server: Server,
    pub(crate) double: Double,
}

impl Deref for VapiServer {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl VapiServer {
    /// The widget `test` is answered by the double's standing assistant.
    pub(crate) async fn start() -> Self {
        Self::start_with("").await
    }

    /// The same with these settings on top, in which the assistants `remote` and `inline` may be
    /// named: a permanent and a transient one.
    pub(crate) async fn start_with(extra: &str) -> Self {
        let double = Double::start(Options::default()).await.unwrap();
        let widget = if extra.contains("[widgets.test]") {
            ""
        } else {
            "[widgets.test]\nassistant = \"remote\""
        };
        let settings = format!(
            r#"
            [vapi.connections.main]
            base_url = "{}"
            api_key = "{KEY}"
            connect_seconds = 2
            first_byte_seconds = 2
            idle_seconds = 2
            [assistants.remote]
            provider = "vapi"
            connection = "main"
            assistant_id = "{ASSISTANT}"
            first_message = "Welcome to {{{{company}}}}."
            variables = {{ company = "Fern & Field", customer = {{ city = "Bern" }} }}
            [assistants.inline]
            provider = "vapi"
            connection = "main"
            variables = {{ company = "Fern & Field" }}
            [assistants.inline.definition]
            name = "Ines"
            [assistants.inline.definition.model]
            provider = "openai"
            model = "gpt-4o"
            messages = [{{ role = "system", content = "You serve {{{{company}}}} and {{{{nobody}}}}." }}]
            {widget}
            "#,
            double.base_url()
        );
        let settings = super::merged(&settings, extra);
        Self { server: Server::start_with(&settings).await, double }
    }
}
