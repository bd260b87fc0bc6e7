//! Names are looked up once per connection, and what they mean is judged before it is used: a name
//! that was public when it was stored and is private now (rebinding) reaches nobody.

use crate::domain::public_address::is_public;
use crate::domain::webhook_url::AllowedHosts;
use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// What names mean.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// Every address of a name.
    ///
    /// # Errors
    /// When it has none, or nobody can be asked.
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The machine's own resolver.
#[derive(Clone, Copy, Debug)]
pub struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// A name means an address that is not on the open internet.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the name means an address that is not on the open internet")]
pub(super) struct Refused;

/// Lets through what is public, and names that the operator allowed.
pub(super) struct Guard {
    pub(super) allowed: Arc<AllowedHosts>,
    pub(super) lookup: Arc<dyn Lookup>,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (allowed, lookup) = (self.allowed.has_name(name.as_str()), self.lookup.clone());
        Box::pin(async move {
            let addresses = lookup.addresses(name.as_str()).await?;
            // One private address among public ones is no accident, so none of them is used.
            if !allowed && !addresses.iter().copied().all(is_public) {
                return Err(Refused.into());
            }
            // The port 0 stands for the one in the address.
            let addresses = addresses.into_iter().map(|ip| SocketAddr::new(ip, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}
