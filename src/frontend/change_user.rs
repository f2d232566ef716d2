//! COM_CHANGE_USER: a new login on the same connection.

use std::sync::Arc;

use tideover_protocol::auth::Plugin;
use tideover_protocol::packet::ChangeUser;

use crate::backend::Account;
use crate::net::{PacketIo, Raw, Stream};
use crate::topology::Flavor;

use super::error::{self, ClientError};
use super::handshake::{Conversation, Proven, fresh_nonce};
use super::session::{End, Session};

/// So many refused changes MariaDB allows on a connection (its MDEV-3915); then it knows the command no more.
const REFUSALS: u8 = 3;

/// No collation: a server that is told this at login takes its own character sets.
const SERVERS_OWN: u8 = 0;

/// Who the session was.
struct Before {
    account: Arc<Account>,
    nonce: [u8; 20],
    schema: Option<Vec<u8>>,
}

/// The collation that a login can name for one of this number. A login has one byte for it, a change of user two; what is
/// above 255 is utf8mb4 on MySQL (up to 323), on MariaDB one of UCA 14.0.0, of which 2048 to 2303 are utf8mb3.
const fn login_collation(number: u16) -> u8 {
    match number {
        0..=255 => (number & 0xff) as u8,
        256..=2047 => 255,
        2048..=2303 => 33,
        _ => 45,
    }
}

impl Session {
    /// A new login on the same connection.
    pub(super) async fn change_user(&mut self) -> Result<(), End> {
        if self.refused_changes >= REFUSALS {
            // The session is reset all the same (seen on 10.11 and 11.8).
            self.forget_everything();
            self.refuse(&error::unknown_command()).await?;
            let schema = self.tracker.state().schema().map(<[u8]>::to_vec);
            self.start_plain(schema.as_deref()).await;
            return Ok(());
        }
        let Ok(change) = ChangeUser::decode(&self.command, self.capabilities) else {
            // So the servers say it (seen on all three).
            self.refuse(&error::unknown_command()).await?;
            return if self.flavor() == Flavor::MySql { Err(End::Client) } else { Ok(()) };
        };
        self.forget_everything();
        let before = Before {
            account: self.account.clone(),
            nonce: self.nonce,
            schema: self.tracker.state().schema().map(<[u8]>::to_vec),
        };
        self.asked_collation = change.collation.map_or(SERVERS_OWN, login_collation);
        // Whatever response came along, the servers ask for another one: MySQL with a new challenge, MariaDB with that of
        // the greeting, which its client library goes on using (seen on 10.11 and 11.8, 9.7).
        let mariadb = self.shared.accounts.flavor() == Flavor::MariaDb;
        let nonce = if mariadb { self.nonce } else { fresh_nonce() };
        let (proven, sequence) = self.prove_again(&change, nonce).await?;
        let proven = match proven {
            Ok(proven) => proven,
            Err(refused) => return self.refuse_change(refused, sequence, before).await,
        };
        let shared = self.shared.clone();
        let (account, password) = proven.account(&change.user, &shared, &self.handle);
        self.account = account;
        self.handle.set_user(&change.user);
        (self.pool, self.reading_pool) = (None, None);
        self.nonce = nonce;
        self.dialect.collation = self.asked_collation;
        let schema = change.database.as_slice();
        let schema = (!schema.is_empty()).then_some(schema);
        if let Err(refused) = Box::pin(self.check_in(schema, password)).await {
            return self.refuse_change(*refused, sequence, before).await;
        }
        self.say_ok(sequence);
        self.flush().await
    }

    /// The password conversation. Gives also the number of the next packet.
    async fn prove_again(
        &mut self,
        change: &ChangeUser,
        nonce: [u8; 20],
    ) -> Result<(Result<Proven, ClientError>, u8), End> {
        let nobody = Stream::Plain(Raw::Memory(tokio::io::duplex(1).0));
        let placeholder = PacketIo::new(nobody, &self.shared.buffers);
        let client = std::mem::replace(&mut self.client, placeholder);
        let shared = self.shared.clone();
        let mut conversation =
            Conversation { shared: &shared, peer: self.handle.peer(), client, sequence: 1 };
        let proven = conversation.prove(&change.user, (Plugin::Other(String::new()), &[]), nonce).await;
        let sequence = conversation.sequence;
        self.client = conversation.client;
        let proven = proven.map_err(|_| End::Client)?;
        Ok((proven.map_err(|packet| ClientError { cause: "denied", packet }), sequence))
    }

    /// A refused change of user ends the connection on MySQL. On MariaDB it stays with the user that it had, as after a reset.
    async fn refuse_change(&mut self, refused: ClientError, sequence: u8, before: Before) -> Result<(), End> {
        self.queue_error(&refused, sequence);
        self.flush().await?;
        if self.shared.accounts.flavor() != Flavor::MariaDb {
            return Err(End::Client);
        }
        self.refused_changes += 1;
        self.handle.set_user(before.account.user());
        self.account = before.account;
        self.nonce = before.nonce;
        self.forget_everything();
        self.start_plain(before.schema.as_deref()).await;
        Ok(())
    }

    /// The session is as after a login that asks for no character set: so MariaDB leaves it behind a refused change of user
    /// (seen on 10.11 and 11.8), until it is reset.
    async fn start_plain(&mut self, schema: Option<&[u8]>) {
        self.dialect.collation = SERVERS_OWN;
        (self.pool, self.reading_pool) = (None, None);
        if Box::pin(self.check_in(schema, None)).await.is_err() {
            self.start_over(schema);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collations_that_a_login_can_name() {
        for (number, wanted) in
            [(0, 0), (8, 8), (45, 45), (255, 255), (305, 255), (2050, 33), (2304, 45), (2600, 45)]
        {
            assert_eq!(login_collation(number), wanted, "{number}");
        }
    }
}
