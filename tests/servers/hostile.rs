//! Bad input on the client port: it ends that connection alone, with the error that the protocol gives, and leaves no
//! task and no memory behind. Well-behaved clients notice nothing.

use std::time::Duration;

use serde_json::json;
use tideover_sandbox::{
    servers::{ClusterOptions, Flavor},
    workload::{Workload, WorkloadOptions},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use crate::support::{Scene, TestResult, length};

/// `login_timeout` of this test.
const LOGIN: Duration = Duration::from_secs(2);
/// What a connection may have cost in the end, in bytes.
const LEFT_BEHIND: u64 = 1024;

#[tokio::test]
async fn bad_input_ends_that_connection_alone() -> TestResult {
    let scene = Scene::alone(ClusterOptions::new(Flavor::MariaDb1011), |options| {
        options.set("", "login_timeout", format!("\"{}s\"", LOGIN.as_secs()))
    })
    .await?;
    let options = WorkloadOptions { clients: 4, pace: Some(100), ..scene.workload() };
    let workload = Workload::start(options).await?;
    // Once, so that what is allocated once is there.
    attacks(&scene, 20).await?;
    settle(&scene).await?;
    let before = scene.proxy.resident()?;
    let rounds = length(200, 5000);
    attacks(&scene, rounds).await?;
    settle(&scene).await?;
    let growth = scene.proxy.resident()?.saturating_sub(before);
    let connections = u64::from(rounds) * ATTACKS as u64;
    println!("{connections} bad connections: the proxy has grown by {} KiB", growth / 1024);
    assert!(growth < (4 << 20) + connections * LEFT_BEHIND, "grew by {growth} bytes");

    slow_loris(&scene).await?;
    let (report, books) = scene.close(workload).await?;
    assert!(report.snapshot.is_clean() && books.is_clean(), "{:#?}\n{books:#?}", report.snapshot);
    scene.finish()
}

const ATTACKS: usize = 7;

async fn attacks(scene: &Scene, rounds: u32) -> TestResult {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..rounds {
        let mut noise = vec![0_u8; 1 + (round as usize * 37) % 900];
        for byte in &mut noise {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            *byte = random.to_le_bytes()[3];
        }
        // Random bytes may announce a packet that never comes: the far end closes, or we do.
        before_login(scene, &noise).await?;
        // Half a header; a header without a payload; a payload larger than any login; a wrong sequence number.
        before_login(scene, &[5, 0]).await?;
        before_login(scene, &[200, 0, 0, 1, 1, 2, 3]).await?;
        before_login(scene, &frame(1, &vec![0x41; 70_000])).await?;
        before_login(scene, &frame(9, &[0_u8; 40])).await?;
        // After a login: an unknown command, and a wrong sequence number.
        let answer = after_login(scene, &frame(0, &[0xc8, 1, 2, 3])).await?;
        assert!(answer.is_some_and(|code| code == 1047), "unknown command: {answer:?}");
        let answer = after_login(scene, &frame(5, &[0x0e])).await?;
        assert!(
            answer.is_none_or(|code| code == 1156 || code == 1043 || code == 1835),
            "sequence: {answer:?}"
        );
    }
    Ok(())
}

fn frame(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or_default().to_le_bytes();
    let mut frame = vec![length[0], length[1], length[2], sequence];
    frame.extend_from_slice(payload);
    frame
}

/// Reads the greeting, writes bytes in place of a login, and takes what comes. Whatever it is, it is an ERR packet or
/// nothing, and the connection ends when our half does.
async fn before_login(scene: &Scene, bytes: &[u8]) -> TestResult {
    let mut stream = TcpStream::connect(scene.proxy.address()).await?;
    let greeting = packet(&mut stream).await?.ok_or("no greeting")?;
    assert_eq!(greeting[0], 10, "protocol version");
    // The far end may have closed already.
    if stream.write_all(bytes).await.is_ok() {
        let _ = stream.shutdown().await;
    }
    let mut rest = Vec::new();
    let limit = LOGIN + Duration::from_secs(5);
    match timeout(limit, stream.read_to_end(&mut rest)).await {
        Ok(_) => {}
        Err(_) => return Err("a broken login was not ended".into()),
    }
    // An error, or a request for a password of whoever the noise names: never OK.
    assert!(rest.get(4).is_none_or(|&kind| kind != 0), "noise was let in: {rest:?}");
    Ok(())
}

/// Logs in as the application with mysql_native_password, sends bytes, and gives the error number of the answer.
async fn after_login(scene: &Scene, bytes: &[u8]) -> TestResult<Option<u16>> {
    let mut stream = login(scene).await?;
    stream.write_all(bytes).await?;
    let answer = packet(&mut stream).await?;
    Ok(answer.and_then(|answer| match answer.as_slice() {
        [0xff, low, high, ..] => Some(u16::from_le_bytes([*low, *high])),
        _ => None,
    }))
}

async fn login(scene: &Scene) -> TestResult<TcpStream> {
    use mysql_async::prelude::Queryable;
    // A real driver made sure once that the account works; here only the bytes count.
    static ONCE: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
    ONCE.get_or_try_init(|| async {
        let mut connection = scene.connect().await?;
        connection.query_drop("DO 1").await?;
        TestResult::Ok(())
    })
    .await?;
    let mut stream = TcpStream::connect(scene.proxy.address()).await?;
    let greeting = packet(&mut stream).await?.ok_or("no greeting")?;
    let nonce = nonce(&greeting).ok_or("no nonce in the greeting")?;
    let scramble = scrambled(&nonce);
    // PROTOCOL_41, SECURE_CONNECTION, PLUGIN_AUTH, LONG_PASSWORD, TRANSACTIONS.
    let mut login = 0x0008_a201_u32.to_le_bytes().to_vec();
    login.extend_from_slice(&(1_u32 << 24).to_le_bytes());
    login.push(45);
    login.extend_from_slice(&[0; 23]);
    login.extend_from_slice(b"app\0\x14");
    login.extend_from_slice(&scramble);
    login.extend_from_slice(b"mysql_native_password\0");
    stream.write_all(&frame(1, &login)).await?;
    let mut answer = packet(&mut stream).await?.ok_or("no answer to the login")?;
    if answer.first() == Some(&0xfe) {
        // Another plugin was announced first: the same password for the new nonce.
        let at = answer.iter().position(|&byte| byte == 0).ok_or("no plugin name")?;
        let nonce = answer.get(at + 1..at + 21).ok_or("no nonce")?.try_into()?;
        stream.write_all(&frame(3, &scrambled(&nonce))).await?;
        answer = packet(&mut stream).await?.ok_or("no answer to the password")?;
    }
    assert_eq!(answer.first(), Some(&0), "the login was refused: {answer:?}");
    Ok(stream)
}

/// The 20 bytes of the greeting's nonce: 8 after the thread id, 12 after 19 more bytes.
fn nonce(greeting: &[u8]) -> Option<[u8; 20]> {
    let version = greeting.iter().position(|&byte| byte == 0)?;
    let first = greeting.get(version + 5..version + 13)?;
    let second = greeting.get(version + 32..version + 44)?;
    [first, second].concat().try_into().ok()
}

/// A packet's payload; `None` at the end of the connection.
async fn packet(stream: &mut TcpStream) -> TestResult<Option<Vec<u8>>> {
    let read = async {
        let mut header = [0_u8; 4];
        if stream.read_exact(&mut header).await.is_err() {
            return None;
        }
        let length = u32::from_le_bytes([header[0], header[1], header[2], 0]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload).await.ok().map(|_| payload)
    };
    timeout(Duration::from_secs(10), read).await.map_err(|_| "neither a packet nor an end".into())
}

/// Logins that come byte by byte end with the login's time, however busily they send.
async fn slow_loris(scene: &Scene) -> TestResult {
    let begin = Instant::now();
    let mut slow = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let address = scene.proxy.address();
        slow.spawn(async move {
            let mut stream = TcpStream::connect(address).await?;
            packet(&mut stream).await?;
            for byte in frame(1, &[0; 4000]) {
                if stream.write_all(&[byte]).await.is_err() {
                    break;
                }
                sleep(Duration::from_millis(50)).await;
            }
            TestResult::Ok(begin.elapsed())
        });
    }
    while let Some(ended) = slow.join_next().await {
        let ended = ended??;
        assert!(ended < LOGIN + Duration::from_secs(5), "a slow login was let go on for {ended:?}");
    }
    settle(scene).await
}

/// Only the workload's four clients are left.
async fn settle(scene: &Scene) -> TestResult {
    scene.wait_status("/sessions/clients", json!(4), LOGIN + Duration::from_secs(5)).await
}

/// The application's password for a nonce.
fn scrambled(nonce: &[u8; 20]) -> [u8; 20] {
    use tideover_protocol::auth::native;
    native::scramble(&native::stage1(b"app"), nonce)
}
