//! Who asks: the holder of an API key.

use crate::api::error::ApiError;
use crate::api::extract::bearer;
use crate::app::App;
use crate::domain::owner::Owner;
use crate::services::Refusal;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use banter_shared::owner::key::Scope;
use std::sync::Arc;

/// A key that is good now. What it opens is had only by naming what is needed: see
/// [`Credential::with`].
pub(in crate::api) struct Credential(Owner);

impl Credential {
    /// The owner, if the key may do this.
    pub(super) fn with(self, scope: Scope) -> Result<Owner, ApiError> {
        if self.0.scopes.has(scope) {
            return Ok(self.0);
        }
        let name = scope.name();
        Err(Refusal::NotPermitted(format!("this key lacks the scope {name}")).into())
    }

    /// The same for what tells about every account, so that a key bound to one may not.
    pub(in crate::api) fn with_every_account(self, scope: Scope) -> Result<Owner, ApiError> {
        let owner = self.with(scope)?;
        if owner.tenant.account.is_none() {
            return Ok(owner);
        }
        let name = scope.name();
        Err(Refusal::NotPermitted(format!("a key of an account cannot use the scope {name}"))
            .into())
    }
}

impl FromRequestParts<Arc<App>> for Credential {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let secret = bearer(&parts.headers).ok_or(Refusal::KeyNeeded)?;
        let owner = app.keys.authenticate(secret).await?;
        app.rate_limits.owner(&owner.key)?;
        Ok(Self(owner))
    }
}
