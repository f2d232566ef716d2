//! The last step of a login: a server has its say on account and schema.

use std::sync::Arc;

use crate::backend::{AccountPool, AcquireError, ConnectFailure};

use super::error::{self, ClientError};
use super::session::Session;
use super::unit::Hold;

impl Session {
    /// A server has the last word on account and schema. Waits at the gate like any unit, unless a server has said yes
    /// to the same before.
    pub(super) async fn check_in(
        &mut self,
        schema: Option<&[u8]>,
        password: Option<zeroize::Zeroizing<Vec<u8>>>,
    ) -> Result<(), Box<ClientError>> {
        // A password that the client has just sent is not what a server has accepted before, unless it is the same.
        let new_password =
            password.is_some() && self.shared.accounts.password(self.account.user()) != password;
        let any_age = !self.shared.gate.reasons().is_empty();
        let known = !new_password && self.shared.accounts.is_verified(&self.account, schema, any_age);
        let pool = self.pool_of_primary().filter(|pool| known && pool.is_base_known());
        if let Some(base) = pool.and_then(|pool| pool.base()) {
            self.start_from(&base, schema);
            return Ok(());
        }
        let mut hold = Hold::default();
        loop {
            self.enter(&mut hold).await.map_err(Box::new)?;
            let Some(pool) = self.pool_of_primary() else {
                self.pass = None;
                self.await_topology(&mut hold).await.map_err(Box::new)?;
                continue;
            };
            match self.check_in_with(&pool, schema, !known).await {
                Ok(()) => break,
                Err(
                    failure @ AcquireError::Connect(
                        ConnectFailure::Refused { .. } | ConnectFailure::Unable { .. },
                    ),
                )
                | Err(failure @ (AcquireError::Restore(_) | AcquireError::Exhausted { .. })) => {
                    self.pass = None;
                    let refused = error::no_connection(&failure);
                    if refused.packet.code == error::ACCESS_DENIED {
                        self.shared.accounts.forget(&self.account);
                    }
                    return Err(Box::new(refused));
                }
                Err(_) => {
                    self.pass = None;
                    self.after_failure(pool.server(), &mut hold).await.map_err(Box::new)?;
                }
            }
        }
        self.pass = None;
        self.handle.set_in_unit(false);
        self.shared.accounts.verify(&self.account, schema);
        if let Some(password) = password {
            self.shared.accounts.learn(&self.account, &password);
            if new_password {
                self.shared.pools.forget(&self.account);
            }
        }
        Ok(())
    }

    /// `anew`: with a login of its own, since what pooled connections prove may be out of date.
    async fn check_in_with(
        &mut self,
        pool: &Arc<AccountPool>,
        schema: Option<&[u8]>,
        anew: bool,
    ) -> Result<(), AcquireError> {
        let base = match pool.base() {
            Some(base) if !anew && pool.is_base_known() => base,
            _ => pool.acquire_new().await?.base.clone(),
        };
        self.start_from(&base, schema);
        let lease = pool.acquire(self.tracker.state()).await?;
        if self.shared.options().keeps_connection {
            self.home = lease.rest();
        }
        Ok(())
    }
}
