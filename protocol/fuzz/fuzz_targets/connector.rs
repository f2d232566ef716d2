//! A hostile server at the login.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tideover_protocol::auth::native;
use tideover_protocol::capability::Capabilities;
use tideover_protocol::handshake::{ConnectOptions, ConnectStep, Connector, Secret, TlsWish};

const PASSWORD: &[u8] = b"the password that must not leak";

fn options(flags: u8) -> ConnectOptions {
    ConnectOptions {
        user: b"app".to_vec(),
        secret: match flags & 3 {
            0 => Secret::Empty,
            1 => Secret::NativeStage1(native::stage1(PASSWORD)),
            _ => Secret::Password(PASSWORD.to_vec().into()),
        },
        database: (flags & 4 != 0).then(|| b"shop".to_vec()),
        capabilities: Capabilities::SERVED,
        tls: [TlsWish::Off, TlsWish::Preferred, TlsWish::Required, TlsWish::Off][usize::from(flags >> 3) & 3],
        secure_channel: flags & 0x20 != 0,
        ..ConnectOptions::default()
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&flags, mut data)) = data.split_first() else { return };
    let options = options(flags);
    let required = options.tls == TlsWish::Required;
    let mut secure = options.secure_channel;
    let mut connector = Connector::new(options);
    let mut tls = false;
    while let Some((&len, rest)) = data.split_first() {
        let (packet, rest) = rest.split_at(usize::from(len).min(rest.len()));
        data = rest;
        let sent = match connector.receive(packet) {
            Ok(ConnectStep::Send(payload)) => payload,
            Ok(ConnectStep::SendThenTls(_)) => {
                tls = true;
                secure = true;
                connector.tls_established()
            }
            Ok(ConnectStep::EncryptRsa { plaintext, .. }) => connector.encrypted(vec![0; plaintext.len()]),
            Ok(ConnectStep::Wait) => continue,
            Ok(ConnectStep::Done(_)) | Err(_) => return,
        };
        assert!(tls || !required);
        assert!(secure || !sent.windows(PASSWORD.len()).any(|window| window == PASSWORD));
    }
});
