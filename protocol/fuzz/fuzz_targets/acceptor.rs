//! A hostile client at the login, password exchange included.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tideover_protocol::auth::{Plugin, caching_sha2, native};
use tideover_protocol::capability::Capabilities;
use tideover_protocol::handshake::{
    Accepted, Acceptor, AuthAcceptor, AuthRequest, AuthStep, Known, Offer, Proof,
};
use tideover_protocol::status::StatusFlags;

const NONCE: [u8; 20] = *b"abcdefghijklmnopqrst";

fn offer(flags: u8) -> Offer {
    Offer {
        server_version: "11.8.6-MariaDB".to_owned(),
        connection_id: 1,
        nonce: NONCE,
        capabilities: Capabilities::SERVED - Capabilities::LONG_PASSWORD,
        collation: 45,
        status: StatusFlags::AUTOCOMMIT,
        plugin: "mysql_native_password".to_owned(),
        tls_available: flags & 1 != 0,
        tls_required: flags & 2 != 0,
    }
}

fn known(flags: u8) -> (Plugin, Known) {
    match (flags >> 2) & 7 {
        0 => (
            Plugin::NativePassword,
            Known::NativeStage2(native::stage2(&native::stage1(b"no client knows this"))),
        ),
        1 => (Plugin::NativePassword, Known::EmptyPassword),
        2 => (Plugin::NativePassword, Known::Nothing),
        3 => (Plugin::CachingSha2, Known::CachingSha2Digest(caching_sha2::digest(b"no client knows this"))),
        4 => (Plugin::CachingSha2, Known::EmptyPassword),
        5 => (Plugin::CachingSha2, Known::Nothing),
        6 => (Plugin::Ed25519, Known::Nothing),
        _ => (Plugin::Other("unheard_of".to_owned()), Known::EmptyPassword),
    }
}

/// Packets of the input: a length byte, then so many bytes.
fn packets(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (&len, rest) = data.split_first()?;
        let (packet, rest) = rest.split_at(usize::from(len).min(rest.len()));
        data = rest;
        Some(packet)
    })
}

fuzz_target!(|data: &[u8]| {
    let Some((&flags, data)) = data.split_first() else { return };
    let mut packets = packets(data);
    let mut acceptor = Acceptor::new(offer(flags));
    let login = loop {
        let Some(packet) = packets.next() else { return };
        match acceptor.receive(packet) {
            Ok(Accepted::Login(login)) => break login,
            Ok(Accepted::StartTls) => assert!(flags & 1 != 0),
            Err(error) => return assert!(error.to_err().code > 1000),
        }
    };
    assert!(
        (Capabilities::SERVED | Capabilities::SSL | Capabilities::LONG_PASSWORD).contains(login.capabilities)
    );
    let (account_plugin, known) = known(flags);
    let checked = matches!(known, Known::NativeStage2(_) | Known::CachingSha2Digest(_));
    let mut auth = AuthAcceptor::new(AuthRequest {
        client_plugin: Plugin::from_name(login.plugin.as_deref().unwrap_or("mysql_native_password")),
        response: login.auth_response,
        account_plugin,
        nonce: NONCE,
        secure: flags & 0x20 != 0,
        rsa_public_key: (flags & 0x40 != 0).then(|| b"KEY".to_vec()),
        known,
    });
    let mut step = auth.start();
    loop {
        step = match step {
            AuthStep::Send(_) => match packets.next().map(|packet| auth.receive(packet)) {
                Some(Ok(step)) => step,
                Some(Err(_)) | None => return,
            },
            AuthStep::Decrypt(data) => auth.decrypted((flags & 0x80 != 0).then_some(&data)),
            AuthStep::Proven(proof) | AuthStep::SendThenProven(_, proof) => {
                // Passwords are unchecked; everything else that is proven needs a digest that no input has.
                let forged = matches!(proof, Proof::NativeStage1(_) | Proof::CachedPassword);
                assert!(!forged && !(checked && login.capabilities.is_empty()));
                return;
            }
            AuthStep::Denied | AuthStep::NeedsSecureChannel => return,
        };
    }
});
