//! Records conversations with real servers as test captures, with this crate's own client half.
//!
//! ```text
//! cargo run -p tideover-protocol --example record_captures -- target/servers protocol/tests/captures
//! ```
//!
//! Starts each server of the first folder (as `scripts/servers` lays them out) on a copy of its template, reachable only
//! through a Unix socket, talks to it in several dialects, and writes one file for each server and dialect. The form of
//! the files is described in `protocol/tests/captures/README.md`.
#![allow(clippy::print_stdout, reason = "a tool for developers")]

mod binlog;
mod server;

use std::error::Error;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::BytesMut;
use tideover_protocol::capability::Capabilities;
use tideover_protocol::command::CommandKind;
use tideover_protocol::frame::{Deframer, write_frames};
use tideover_protocol::handshake::{ConnectOptions, ConnectStep, Connector};
use tideover_protocol::packet::{Greeting, PrepareOk};
use tideover_protocol::response::{Control, Next, ResponseScanner, ResponseShape};

use server::Server;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How long a server may be silent before an answer counts as ended.
const SILENCE: Duration = Duration::from_millis(30);

fn main() -> Result<()> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(servers), Some(captures)) = (args.next(), args.next()) else {
        return Err("usage: record_captures SERVERS_DIR CAPTURES_DIR".into());
    };
    for name in ["mariadb-10.11", "mariadb-11.8", "mysql-9"] {
        let mut server = Server::start(&servers.join(name))?;
        for (dialect, capabilities) in dialects(name.starts_with("maria")) {
            let mut recording = Recording::start(&server.socket, capabilities)?;
            script(&mut recording)?;
            let file = captures.join(format!("{name}.{dialect}.capture"));
            std::fs::write(&file, &recording.text)?;
            println!("{} ({} bytes)", file.display(), recording.text.len());
        }
        for (kind, mut recording) in
            [("binlog", binlog::record(&server.socket)?), ("tail", binlog::record_tail(&server.socket)?)]
        {
            let file = captures.join(format!("{name}.{kind}.capture"));
            std::fs::write(&file, std::mem::take(&mut recording.text))?;
            println!("{} ({} bytes)", file.display(), file.metadata()?.len());
        }
        server.stop();
    }
    Ok(())
}

fn dialects(mariadb: bool) -> Vec<(&'static str, Capabilities)> {
    let classic = Capabilities::LONG_PASSWORD
        | Capabilities::MULTI_STATEMENTS
        | Capabilities::MULTI_RESULTS
        | Capabilities::PS_MULTI_RESULTS
        | Capabilities::LOCAL_FILES;
    let tracked = classic | Capabilities::SESSION_TRACK | Capabilities::PLUGIN_AUTH_LENENC;
    let modern = tracked | Capabilities::DEPRECATE_EOF | Capabilities::CONNECT_ATTRS;
    let full = if mariadb {
        (modern | Capabilities::EXTENDED) - Capabilities::LONG_PASSWORD
    } else {
        modern | Capabilities::QUERY_ATTRIBUTES | Capabilities::OPTIONAL_RESULTSET_METADATA
    };
    let optional = full - Capabilities::DEPRECATE_EOF;
    vec![
        ("classic", classic),
        ("tracked", tracked),
        ("modern", modern),
        ("full", full),
        ("full-eof", optional),
    ]
}

/// One connection and the text of its capture.
struct Recording {
    stream: UnixStream,
    caps: Capabilities,
    text: String,
    mariadb: bool,
}

impl Recording {
    fn start(socket: &Path, capabilities: Capabilities) -> Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let mut recording = Self { stream, caps: capabilities, text: String::new(), mariadb: false };
        let mut connector = Connector::new(ConnectOptions {
            user: b"root".to_vec(),
            capabilities,
            collation: 45,
            attributes: vec![(b"_client_name".to_vec(), b"record_captures".to_vec())],
            secure_channel: true,
            max_packet: 1 << 24,
            ..ConnectOptions::default()
        });
        let mut deframer = Deframer::new(1 << 24);
        let mut conversation = String::new();
        let mut buf = BytesMut::new();
        loop {
            let packet = loop {
                if let Some(packet) = deframer.next(&mut buf)? {
                    break packet;
                }
                recording.read_into(&mut buf)?;
            };
            let mut frame = BytesMut::new();
            write_frames(&mut frame, &packet.payload, packet.sequence);
            line(&mut conversation, 'S', &frame);
            match connector.receive(&packet.payload)? {
                ConnectStep::Send(payload) => {
                    let mut frame = BytesMut::new();
                    deframer.expect(write_frames(&mut frame, &payload, packet.sequence.wrapping_add(1)));
                    recording.stream.write_all(&frame)?;
                    line(&mut conversation, 'C', &frame);
                }
                ConnectStep::Wait => {}
                ConnectStep::Done(connected) => {
                    recording.caps = connected.capabilities;
                    recording.mariadb = connected.greeting.is_mariadb();
                    recording.head(&connected.greeting);
                    recording.text += &conversation;
                    return Ok(recording);
                }
                other => return Err(format!("not expected: {other:?}").into()),
            }
        }
    }

    fn head(&mut self, greeting: &Greeting) {
        let _ = writeln!(self.text, "server {}", greeting.server_version);
        let _ = writeln!(self.text, "capabilities {:#x}", self.caps.bits());
        self.title("login");
    }

    fn title(&mut self, title: &str) {
        let _ = writeln!(self.text, "== {title}");
    }

    fn read_into(&mut self, buf: &mut BytesMut) -> Result<()> {
        let mut chunk = [0; 1 << 16];
        let count = self.stream.read(&mut chunk)?;
        if count == 0 {
            return Err("the server left".into());
        }
        buf.extend_from_slice(&chunk[..count]);
        Ok(())
    }

    fn query(&mut self, text: &str) -> Result<Vec<u8>> {
        let mut payload = vec![0x03];
        if self.caps.contains(Capabilities::QUERY_ATTRIBUTES) {
            payload.extend_from_slice(&[0, 1]);
        }
        payload.extend_from_slice(text.as_bytes());
        self.command(text, &payload)
    }

    /// A statement that must not fail.
    fn must(&mut self, text: &str) -> Result<Vec<u8>> {
        let answer = self.query(text)?;
        match answer.get(4) {
            Some(0xff) => Err(format!("{text}: {}", String::from_utf8_lossy(&answer[7..])).into()),
            _ => Ok(answer),
        }
    }

    /// Sends a command, records it and its answer, and checks that the server says no more than the scanner expects.
    fn command(&mut self, title: &str, payload: &[u8]) -> Result<Vec<u8>> {
        self.title(title);
        let mut frame = BytesMut::new();
        let first = write_frames(&mut frame, payload, 0);
        line(&mut self.text, 'C', &frame);
        self.stream.write_all(&frame)?;
        let shape = CommandKind::shape_of(payload);
        if shape == ResponseShape::None {
            return Ok(Vec::new());
        }
        let mut scanner = ResponseScanner::new(shape, self.caps, first);
        let mut bytes = BytesMut::new();
        let mut at = 0;
        let mut said = 0;
        loop {
            let scan = scanner
                .scan(&bytes[at..])
                .map_err(|violation| format!("{title}: {violation} in {}", hex(&bytes[at..])))?;
            at += scan.opaque;
            let Next::Control { len, control } = scan.next else {
                self.read_into(&mut bytes)
                    .map_err(|error| format!("{title}: {error} after {}", hex(&bytes)))?;
                continue;
            };
            at += len;
            if control == Control::LocalInfile {
                line(&mut self.text, 'S', &bytes[said..at]);
                said = at;
                let mut file = BytesMut::new();
                let next = write_frames(&mut file, b"101,from a file\n102,more\n", scanner.next_sequence());
                let next = write_frames(&mut file, b"", next);
                self.stream.write_all(&file)?;
                line(&mut self.text, 'C', &file);
                scanner.resume_after_infile(next);
            }
            if control.is_last() {
                break;
            }
        }
        if shape != ResponseShape::BinlogStream {
            self.expect_silence(title, &mut bytes)?;
        }
        line(&mut self.text, 'S', &bytes[said..]);
        if at == bytes.len() {
            Ok(bytes.to_vec())
        } else {
            Err(format!("{title}: {} bytes left", bytes.len() - at).into())
        }
    }

    fn expect_silence(&mut self, title: &str, bytes: &mut BytesMut) -> Result<()> {
        self.stream.set_read_timeout(Some(SILENCE))?;
        let before = bytes.len();
        let _ = self.read_into(bytes);
        self.stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        if bytes.len() == before {
            Ok(())
        } else {
            Err(format!("{title}: more came after {}: {}", hex(&bytes[..before]), hex(&bytes[before..]))
                .into())
        }
    }

    fn prepare(&mut self, text: &str) -> Result<PrepareOk> {
        let answer = self.command(&format!("PREPARE {text}"), &[b"\x16", text.as_bytes()].concat())?;
        Ok(PrepareOk::decode(&answer[4..], self.caps)?)
    }

    /// COM_STMT_EXECUTE with `params` (types and values as they stand on the wire).
    fn execute(&mut self, title: &str, id: u32, cursor: u8, params: &[(u8, &[u8])]) -> Result<Vec<u8>> {
        let mut payload = vec![0x17];
        payload.extend_from_slice(&id.to_le_bytes());
        let attributes = self.caps.contains(Capabilities::QUERY_ATTRIBUTES);
        payload.extend_from_slice(&[cursor | if attributes { 8 } else { 0 }, 1, 0, 0, 0]);
        if attributes {
            payload.push(u8::try_from(params.len())?);
        }
        if !params.is_empty() {
            payload.resize(payload.len() + params.len().div_ceil(8), 0);
            payload.push(1);
            for (kind, _) in params {
                payload.extend_from_slice(&[*kind, 0]);
                if attributes {
                    payload.push(0);
                }
            }
            for (_, value) in params {
                payload.extend_from_slice(value);
            }
        }
        self.command(&format!("EXECUTE {title}"), &payload)
    }

    fn on_statement(&mut self, title: &str, command: u8, id: u32, rest: &[u8]) -> Result<()> {
        self.command(title, &[&[command], &id.to_le_bytes()[..], rest].concat()).map(|_| ())
    }
}

fn line(text: &mut String, side: char, bytes: &[u8]) {
    let _ = writeln!(text, "{side} {}", hex(bytes));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn script(on: &mut Recording) -> Result<()> {
    simple_commands(on)?;
    statements(on)?;
    transactions(on)?;
    procedures(on)?;
    prepared(on)?;
    if on.caps.contains(Capabilities::OPTIONAL_RESULTSET_METADATA) {
        without_metadata(on)?;
    }
    if on.caps.contains(Capabilities::QUERY_ATTRIBUTES) {
        attributes(on)?;
    }
    if on.caps.contains(Capabilities::STMT_BULK_OPERATIONS) {
        bulk(on)?;
    }
    on.command("RESET CONNECTION", &[0x1f])?;
    Ok(())
}

fn simple_commands(on: &mut Recording) -> Result<()> {
    on.command("PING", &[0x0e])?;
    on.query("CREATE DATABASE IF NOT EXISTS shop")?;
    on.command("INIT DB", b"\x02shop")?;
    on.command("INIT DB (no such)", b"\x02nowhere")?;
    on.command("STATISTICS", &[0x09])?;
    on.command("SET OPTION", &[0x1b, 0, 0])?;
    on.command("DEBUG", &[0x0d])?;
    on.command("PROCESS INFO", &[0x0a])?;
    on.command("an unknown command", &[0x77])?;
    Ok(())
}

fn statements(on: &mut Recording) -> Result<()> {
    on.query("DROP TABLE IF EXISTS t")?;
    on.query("CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(50), n DECIMAL(10,2) NULL)")?;
    on.command("FIELD LIST", b"\x04t\0")?;
    if on.mariadb {
        on.query("SET session_track_system_variables='*', session_track_state_change=ON")?;
        on.query("SET session_track_transaction_info='CHARACTERISTICS'")?;
    } else {
        on.query(
            "SET session_track_system_variables='*', session_track_state_change=ON, \
                  session_track_gtids='OWN_GTID', session_track_transaction_info='CHARACTERISTICS'",
        )?;
    }
    on.query("SET NAMES latin1")?;
    on.query("SET @u = 1")?;
    on.query("USE shop")?;
    on.query("INSERT INTO t (v, n) VALUES ('one', 1.5), (NULL, NULL), ('three', 3)")?;
    on.query("UPDATE t SET v = CONCAT(v, '!') WHERE id < 3")?;
    on.query("SELECT n, id, v FROM t ORDER BY id")?;
    on.query("SELECT * FROM t WHERE 0")?;
    on.query("SELECT 1; UPDATE t SET n = 7 WHERE id = 1; SELECT 2")?;
    on.query("SELECT 1; SELECT nonsense; SELECT 2")?;
    on.query("SELEC")?;
    on.query("SELECT 1/0")?;
    on.query("SHOW WARNINGS")?;
    on.query("SELECT id, (SELECT id FROM t t2 WHERE t2.id >= t.id) FROM t ORDER BY id DESC")?;
    on.query("LOAD DATA LOCAL INFILE 'anything' INTO TABLE t FIELDS TERMINATED BY ',' (id, v)")?;
    on.query("DELETE FROM t WHERE id > 100; DO 1")?;
    on.query("SELECT REPEAT('x', 300), REPEAT('y', 250)")?;
    Ok(())
}

fn transactions(on: &mut Recording) -> Result<()> {
    on.query("START TRANSACTION READ ONLY")?;
    on.query("SELECT COUNT(*) FROM t")?;
    on.query("COMMIT")?;
    on.query("BEGIN")?;
    on.query("INSERT INTO t (v) VALUES ('in a transaction')")?;
    on.query("COMMIT")?;
    on.query("SET autocommit = 0")?;
    on.query("SELECT 1 FROM t LIMIT 1")?;
    on.query("ROLLBACK")?;
    on.query("SET autocommit = 1")?;
    Ok(())
}

fn procedures(on: &mut Recording) -> Result<()> {
    on.query("DROP PROCEDURE IF EXISTS p")?;
    on.query("CREATE PROCEDURE p(IN a INT, OUT b INT) BEGIN SELECT a; SET b = a + 1; INSERT INTO t (v) VALUES ('p'); END")?;
    on.query("CALL p(1, @b)")?;
    on.query("DROP PROCEDURE IF EXISTS q")?;
    on.query("CREATE PROCEDURE q() BEGIN SELECT 1; SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'amid'; END")?;
    on.query("CALL q()")?;
    let call = on.prepare("CALL p(?, ?)")?.statement_id;
    on.execute("CALL p with an OUT parameter", call, 0, &[(3, &[5, 0, 0, 0]), (3, &[0; 4])])?;
    on.on_statement("CLOSE", 0x19, call, &[])
}

fn prepared(on: &mut Recording) -> Result<()> {
    on.command("PREPARE nonsense", b"\x16SELEC")?;
    let select = on.prepare("SELECT id, v, n FROM t WHERE id >= ? ORDER BY id LIMIT 3")?.statement_id;
    on.execute("three rows", select, 0, &[(3, &[1, 0, 0, 0])])?;
    on.execute("the same again", select, 0, &[(3, &[2, 0, 0, 0])])?;
    on.execute("no rows", select, 0, &[(3, &[99, 0, 0, 0])])?;
    on.execute("with a cursor", select, 1, &[(3, &[1, 0, 0, 0])])?;
    on.on_statement("FETCH 2", 0x1c, select, &[2, 0, 0, 0])?;
    on.on_statement("FETCH 5", 0x1c, select, &[5, 0, 0, 0])?;
    on.on_statement("FETCH beyond the end", 0x1c, select, &[5, 0, 0, 0])?;
    on.on_statement("RESET", 0x1a, select, &[])?;
    on.on_statement("FETCH without a cursor", 0x1c, select, &[5, 0, 0, 0])?;
    on.on_statement("CLOSE", 0x19, select, &[])?;
    let insert = on.prepare("INSERT INTO t (v) VALUES (?)")?.statement_id;
    on.execute("an insert", insert, 0, &[(0xfd, b"\x05hello")])?;
    on.on_statement("SEND LONG DATA", 0x18, insert, b"\0\0long ")?;
    on.on_statement("SEND LONG DATA", 0x18, insert, b"\0\0data")?;
    on.execute("an insert with long data", insert, 0, &[(0xfc, &[])])?;
    let nothing = on.prepare("DO 1")?.statement_id;
    on.execute("nothing", nothing, 0, &[])?;
    let columns = on.prepare("SELECT 1, 2")?.statement_id;
    on.execute("columns without parameters", columns, 0, &[])?;
    on.execute("columns with a cursor", columns, 1, &[])?;
    on.on_statement("FETCH", 0x1c, columns, &[1, 0, 0, 0])?;
    on.execute("no such statement", 0x7777, 0, &[])?;
    Ok(())
}

fn without_metadata(on: &mut Recording) -> Result<()> {
    on.query("SET resultset_metadata = NONE")?;
    on.query("SELECT id, v FROM t LIMIT 2")?;
    let select = on.prepare("SELECT id, v FROM t WHERE id = ?")?.statement_id;
    on.execute("without metadata", select, 0, &[(3, &[1, 0, 0, 0])])?;
    on.execute("without metadata, with a cursor", select, 1, &[(3, &[1, 0, 0, 0])])?;
    on.on_statement("FETCH", 0x1c, select, &[5, 0, 0, 0])?;
    on.query("SET resultset_metadata = FULL")?;
    Ok(())
}

fn attributes(on: &mut Recording) -> Result<()> {
    let named = b"\x03\x02\x01\x02\x01\xfd\0\x02n1\x03\0\x02n2\x05valueSELECT 'attributes'";
    on.command("a query with attributes", named)?;
    let select = on.prepare("SELECT ?")?.statement_id;
    let unflagged = b"\0\x01\0\0\0\x01\0\x01\x03\0\0\x07\0\0\0";
    on.on_statement("EXECUTE with a count of parameters and no flag", 0x17, select, unflagged)?;
    let unnamed = b"\0\x01\0\0\0\0\x01\x03\0\x07\0\0\0";
    on.on_statement("EXECUTE without a count of parameters", 0x17, select, unnamed)?;
    let counted = b"\x08\x01\0\0\0\x02\0\x01\x03\0\0\xfd\0\x02n1\x07\0\0\0\x05value";
    on.on_statement("EXECUTE with an attribute", 0x17, select, counted)?;
    let again = b"\x08\x01\0\0\0\x01\0\0\x08\0\0\0";
    on.on_statement("EXECUTE again without types", 0x17, select, again)
}

fn bulk(on: &mut Recording) -> Result<()> {
    let insert = on.prepare("INSERT INTO t (v) VALUES (?)")?.statement_id;
    let rows = b"\x80\0\xfd\0\0\x03one\0\x03two\x01";
    on.on_statement("BULK EXECUTE", 0xfa, insert, rows)?;
    let rows = b"\xc0\0\xfd\0\0\x03one\0\x03two\x01";
    on.on_statement("BULK EXECUTE with results of each unit", 0xfa, insert, rows)
}
