//! One's own profile, and finding others.

use susurro_protocol::ErrorCode;
use susurro_protocol::limits::PAGE_MAX;
use susurro_protocol::rest::{Me, Page, UpdateMe, UserEntry};

use super::Relay;
use crate::domain::Error;
use crate::domain::account::{self, Account};
use crate::domain::token::Claims;

impl Relay {
    /// Who the caller is.
    ///
    /// # Errors
    ///
    /// `Unauthenticated` when the account is gone.
    pub async fn me(&self, claims: &Claims) -> Result<Me, Error> {
        let account = self.account_of(claims).await?;
        let Account { id, name, display_name, created, .. } = account;
        Ok(Me { account: id, name, display_name, created })
    }

    /// Changes the caller's profile.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for a display name that may not be.
    pub async fn update_me(&self, claims: &Claims, update: UpdateMe) -> Result<Me, Error> {
        if let Some(name) = &update.display_name {
            account::check_display_name(name)?;
        }
        self.ports.accounts.set_display_name(claims.account, update.display_name).await?;
        self.me(claims).await
    }

    /// Accounts whose name begins with `prefix`, by name.
    ///
    /// # Errors
    ///
    /// Only those of the store.
    pub async fn search(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: Option<u32>,
    ) -> Result<Page<UserEntry>, Error> {
        if !account::is_name_prefix(prefix) {
            return Ok(Page { items: Vec::new(), next: None });
        }
        let limit = page_limit(limit);
        let found = self.ports.accounts.search(prefix, after.unwrap_or_default(), limit + 1).await?;
        let entry = |a: Account| UserEntry { account: a.id, name: a.name, display_name: a.display_name };
        Ok(page(found.into_iter().map(entry).collect(), limit, |entry| entry.name.to_string()))
    }

    pub(super) async fn account_of(&self, claims: &Claims) -> Result<Account, Error> {
        self.ports.accounts.by_id(claims.account).await?.ok_or_else(|| ErrorCode::Unauthenticated.into())
    }
}

/// How many items a page has.
pub(super) fn page_limit(asked: Option<u32>) -> u32 {
    asked.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX)
}

/// A page of at most `limit` of `items`, which hold one more when there is another page.
pub(super) fn page<T>(mut items: Vec<T>, limit: u32, cursor: impl Fn(&T) -> String) -> Page<T> {
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next = if more { items.last().map(cursor) } else { None };
    Page { items, next }
}
