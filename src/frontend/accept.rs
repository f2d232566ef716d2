//! From listener to session: admission, login within its time, and the session's task.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tideover_protocol::packet::ErrPacket;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::net::{Accepted, Listener, PacketIo, Stream};

use super::handshake::{self, LoginFailure};
use super::session::Session;
use super::shared::Shared;

/// After a failed accept (out of descriptors), wait this long before the next.
const PAUSE: Duration = Duration::from_millis(50);
/// Time for telling a refused client why.
const FAREWELL: Duration = Duration::from_secs(2);

/// ER_HANDSHAKE_ERROR and ER_NET_PACKETS_OUT_OF_ORDER: what came was no login.
const MALFORMED: [u16; 2] = [1043, 1156];

/// Accepts clients until `stop`; hands each to `shared` of some shard.
pub async fn serve(
    listener: Listener,
    shared: Arc<Shared>,
    tasks: TaskTracker,
    stop: CancellationToken,
) -> io::Result<()> {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(accepted) => {
                tasks.spawn(welcome(shared.clone(), accepted));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Serves one client from its first byte to its last.
pub async fn welcome(shared: Arc<Shared>, accepted: Accepted) {
    let client = PacketIo::new(Stream::Plain(accepted.raw), &shared.buffers);
    let most = shared.options().max_connections;
    if shared.registry.len() >= most {
        let text = format!("Too many connections (tideover: max_connections = {most})");
        shared.metrics.client_errors.with_label_values(&["max_connections"]).inc();
        Box::pin(refuse(client, 0, &ErrPacket::new(1040, "08004", text))).await;
        return;
    }
    let registered = shared.registry.register(accepted.peer);
    shared.metrics.client_connections.inc();
    let _gauge = Leaving(shared.clone());
    // Boxed: logging in takes much room for a short time, and the task lives as long as the client.
    let login = Box::pin(handshake::accept(&shared, &registered.handle, client));
    let within = shared.options().login_timeout;
    let logged_in = match tokio::time::timeout(within, login).await {
        Ok(Ok(logged_in)) => logged_in,
        Ok(Err(LoginFailure::Refuse { client, sequence, error })) => {
            // Others are the server's word, or about a password.
            if MALFORMED.contains(&error.code) {
                shared.metrics.client_errors.with_label_values(&["malformed_packet"]).inc();
            }
            Box::pin(refuse(*client, sequence, &error)).await;
            return;
        }
        Ok(Err(LoginFailure::Gone(error))) => {
            tracing::debug!(%error, "a client left before it had logged in");
            return;
        }
        Err(_) => return,
    };
    let session = match Box::pin(Session::begin(shared.clone(), registered.handle.clone(), logged_in)).await {
        Ok(session) => session,
        Err(failure) => {
            if let LoginFailure::Refuse { client, sequence, error } = *failure {
                Box::pin(refuse(*client, sequence, &error)).await;
            }
            return;
        }
    };
    session.run().await;
}

async fn refuse(mut client: PacketIo, sequence: u8, error: &ErrPacket) {
    let mut payload = bytes::BytesMut::new();
    error.encode(tideover_protocol::capability::Capabilities::PROTOCOL_41, &mut payload);
    let _ = tokio::time::timeout(FAREWELL, client.send_packet(&payload, sequence)).await;
    client.close().await;
}

struct Leaving(Arc<Shared>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.metrics.client_connections.dec();
    }
}
