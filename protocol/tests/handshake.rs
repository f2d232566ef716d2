//! Whole logins, our server half against our client half.

#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

use tideover_protocol::auth::{Plugin, caching_sha2, native};
use tideover_protocol::capability::{Capabilities, Dialect};
use tideover_protocol::handshake::{
    Accepted, Acceptor, AuthAcceptor, AuthRequest, AuthStep, ConnectError, ConnectOptions, ConnectStep,
    Connected, Connector, Known, Offer, Proof, Secret, TlsWish,
};
use tideover_protocol::packet::{Greeting, OkPacket};
use tideover_protocol::status::StatusFlags;
use zeroize::Zeroizing;

const NONCE: [u8; 20] = *b"0123456789abcdefghij";

struct Login {
    default_plugin: &'static str,
    account_plugin: Plugin,
    known: Known,
    secret: Secret,
    tls: bool,
    rsa: bool,
}

/// Runs a login; "RSA" is a reversal of the bytes.
fn run(login: Login) -> Result<(AuthStep, Option<Box<Connected>>), ConnectError> {
    let mut acceptor = Acceptor::new(Offer {
        server_version: "9.7.0".to_owned(),
        connection_id: 1,
        nonce: NONCE,
        capabilities: Capabilities::SERVED,
        collation: 45,
        status: StatusFlags::AUTOCOMMIT,
        plugin: login.default_plugin.to_owned(),
        tls_available: login.tls,
        tls_required: login.tls,
    });
    let mut connector = Connector::new(ConnectOptions {
        user: b"app".to_vec(),
        secret: login.secret,
        database: Some(b"shop".to_vec()),
        capabilities: Dialect::new(Capabilities::DEPRECATE_EOF, 45).asked(),
        collation: 45,
        tls: TlsWish::Preferred,
        ..ConnectOptions::default()
    });
    let mut step = connector.receive(&acceptor.greeting())?;
    let packet = loop {
        match step {
            ConnectStep::SendThenTls(payload) => {
                assert_eq!(acceptor.receive(&payload), Ok(Accepted::StartTls));
                step = ConnectStep::Send(connector.tls_established());
            }
            ConnectStep::Send(payload) => match acceptor.receive(&payload).unwrap() {
                Accepted::Login(packet) => break packet,
                Accepted::StartTls => panic!("no TLS asked for"),
            },
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((&*packet.user, packet.database.as_deref()), (&b"app"[..], Some(&b"shop"[..])));
    let mut auth = AuthAcceptor::new(AuthRequest {
        client_plugin: Plugin::from_name(packet.plugin.as_deref().unwrap()),
        response: packet.auth_response.clone(),
        account_plugin: login.account_plugin,
        nonce: NONCE,
        secure: login.tls,
        rsa_public_key: login.rsa.then(|| b"PEM".to_vec()),
        known: login.known,
    });
    let mut step = auth.start();
    loop {
        step = match step {
            AuthStep::Send(payload) => auth.receive(&answer(&mut connector, &payload)?).unwrap(),
            AuthStep::Decrypt(mut data) => {
                data.reverse();
                auth.decrypted(Some(&data))
            }
            AuthStep::SendThenProven(ref payload, _) => {
                assert_eq!(connector.receive(payload)?, ConnectStep::Wait);
                return Ok((step, Some(finish(&mut connector, packet.capabilities)?)));
            }
            AuthStep::Proven(_) => return Ok((step, Some(finish(&mut connector, packet.capabilities)?))),
            AuthStep::Denied | AuthStep::NeedsSecureChannel => return Ok((step, None)),
        };
    }
}

fn answer(connector: &mut Connector, payload: &[u8]) -> Result<Vec<u8>, ConnectError> {
    match connector.receive(payload)? {
        ConnectStep::Send(payload) => Ok(payload),
        ConnectStep::EncryptRsa { public_key_pem, plaintext } => {
            assert_eq!(public_key_pem, b"PEM");
            Ok(connector.encrypted(plaintext.iter().rev().copied().collect()))
        }
        other => panic!("{other:?}"),
    }
}

fn finish(connector: &mut Connector, caps: Capabilities) -> Result<Box<Connected>, ConnectError> {
    let mut out = bytes::BytesMut::new();
    OkPacket { status: StatusFlags::AUTOCOMMIT, ..OkPacket::default() }.encode(caps, &mut out);
    match connector.receive(&out)? {
        ConnectStep::Done(connected) => {
            assert_eq!(connected.capabilities, caps);
            Ok(connected)
        }
        other => panic!("{other:?}"),
    }
}

fn password(text: &str) -> Secret {
    Secret::Password(Zeroizing::new(text.as_bytes().to_vec()))
}

fn proven(text: &str) -> AuthStep {
    AuthStep::Proven(Proof::Password(Zeroizing::new(text.as_bytes().to_vec())))
}

fn native_login(secret: Secret) -> Login {
    Login {
        default_plugin: "mysql_native_password",
        account_plugin: Plugin::NativePassword,
        known: Known::NativeStage2(native::stage2(&native::stage1(b"secret"))),
        secret,
        tls: false,
        rsa: false,
    }
}

#[test]
fn native_password_reveals_stage_1() {
    let stage1 = native::stage1(b"secret");
    let expected = AuthStep::Proven(Proof::NativeStage1(stage1));
    assert_eq!(run(native_login(password("secret"))).unwrap().0, expected);
    assert_eq!(run(native_login(Secret::NativeStage1(stage1))).unwrap().0, expected);
    assert_eq!(run(native_login(password("wrong"))).unwrap().0, AuthStep::Denied);
    assert_eq!(run(native_login(Secret::Empty)).unwrap().0, AuthStep::Denied);
    // The client starts with another plugin and is switched.
    let switched = Login { default_plugin: "caching_sha2_password", ..native_login(password("secret")) };
    assert_eq!(run(switched).unwrap().0, expected);
    let empty = Login { known: Known::EmptyPassword, ..native_login(Secret::Empty) };
    assert_eq!(run(empty).unwrap().0, AuthStep::Proven(Proof::Empty));
    let superfluous = Login { known: Known::EmptyPassword, ..native_login(password("x")) };
    assert_eq!(run(superfluous).unwrap().0, AuthStep::Denied);
}

fn sha2_login(secret: Secret, known: Known, tls: bool, rsa: bool) -> Login {
    Login {
        default_plugin: "caching_sha2_password",
        account_plugin: Plugin::CachingSha2,
        known,
        secret,
        tls,
        rsa,
    }
}

#[test]
fn caching_sha2_is_fast_when_the_digest_is_known() {
    let known = Known::CachingSha2Digest(caching_sha2::digest(b"secret"));
    let fast = run(sha2_login(password("secret"), known.clone(), false, false)).unwrap();
    assert_eq!(fast.0, AuthStep::SendThenProven(vec![1, 3], Proof::CachedPassword));
    // A wrong response asks for the password, which may be new.
    assert_eq!(run(sha2_login(password("new"), known.clone(), true, false)).unwrap().0, proven("new"));
    assert_eq!(run(sha2_login(Secret::Empty, known, true, false)).unwrap().0, AuthStep::Denied);
}

#[test]
fn caching_sha2_asks_for_the_password_over_tls_or_rsa() {
    let long = "p".repeat(60);
    assert_eq!(run(sha2_login(password("secret"), Known::Nothing, true, false)).unwrap().0, proven("secret"));
    assert_eq!(run(sha2_login(password(&long), Known::Nothing, false, true)).unwrap().0, proven(&long));
    let insecure = run(sha2_login(password("secret"), Known::Nothing, false, false)).unwrap();
    assert_eq!(insecure.0, AuthStep::NeedsSecureChannel);
    let switched = Login {
        default_plugin: "mysql_native_password",
        ..sha2_login(password("secret"), Known::Nothing, true, false)
    };
    assert_eq!(run(switched).unwrap().0, proven("secret"));
    let stage1 = Secret::NativeStage1(native::stage1(b"secret"));
    assert_eq!(
        run(sha2_login(stage1, Known::Nothing, true, false)).unwrap_err(),
        ConnectError::NeedsPassword("caching_sha2_password".to_owned())
    );
    let empty = run(sha2_login(Secret::Empty, Known::Nothing, false, false)).unwrap();
    assert_eq!(empty.0, AuthStep::Proven(Proof::Empty));
}

#[test]
fn other_plugins_get_the_password_in_the_clear_over_tls_only() {
    let login = |tls| Login {
        default_plugin: "mysql_native_password",
        account_plugin: Plugin::Ed25519,
        known: Known::Nothing,
        secret: password("secret"),
        tls,
        rsa: true,
    };
    assert_eq!(run(login(true)).unwrap().0, proven("secret"));
    assert_eq!(run(login(false)).unwrap().0, AuthStep::NeedsSecureChannel);
}

#[test]
fn a_connector_does_not_give_a_password_away() {
    let greeting = |tls: bool| {
        let mut capabilities = Capabilities::SERVED;
        capabilities.set(Capabilities::SSL, tls);
        let greeting = Greeting {
            server_version: "5.5.5-10.11.6-MariaDB".to_owned(),
            connection_id: 1,
            nonce: NONCE,
            capabilities,
            collation: 45,
            status: StatusFlags::AUTOCOMMIT,
            plugin: "mysql_native_password".to_owned(),
        };
        let mut out = bytes::BytesMut::new();
        greeting.encode(&mut out);
        out
    };
    let options =
        ConnectOptions { secret: password("secret"), tls: TlsWish::Required, ..ConnectOptions::default() };
    let mut connector = Connector::new(options.clone());
    assert_eq!(connector.receive(&greeting(false)), Err(ConnectError::TlsUnavailable));

    let mut connector = Connector::new(ConnectOptions { tls: TlsWish::Off, ..options });
    assert!(matches!(connector.receive(&greeting(true)), Ok(ConnectStep::Send(_))));
    let switch = b"\xfemysql_clear_password\0";
    assert_eq!(
        connector.receive(switch),
        Err(ConnectError::NeedsSecureChannel("mysql_clear_password".to_owned()))
    );
    assert!(!format!("{connector:?}").contains("hunter2"));
    assert_eq!(format!("{:?}", password("hunter2")), "Password(hidden)");
}

#[test]
fn a_refusal_in_place_of_the_greeting_is_understood() {
    let mut connector = Connector::new(ConnectOptions::default());
    let Err(ConnectError::Refused(error)) = connector.receive(b"\xff\x10\x04Too many connections") else {
        panic!("not refused")
    };
    assert_eq!((error.code, &error.state, &*error.text()), (1040, b"HY000", "Too many connections"));
}
