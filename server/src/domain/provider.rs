//! Who may run an assistant.

/// A provider by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProviderName {
    /// The engine in this process.
    Engine,
    /// Vapi, remote.
    Vapi,
}

impl ProviderName {
    /// The name it is stored and listed under.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Vapi => "vapi",
        }
    }

    /// The provider of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Engine, Self::Vapi].into_iter().find(|provider| provider.name() == name)
    }
}
