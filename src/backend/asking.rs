//! Asking a replica to wait until it has a position.

use std::io;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use tideover_protocol::capability::Capabilities;
use tideover_protocol::packet::PrepareOk;
use tideover_protocol::response::{Control, ResponseShape};
use tideover_protocol::wire::put_lenenc_bytes;

use crate::topology::Flavor;

use super::ServerConnection;
use super::answers::payload_of;

/// In a binary row the first two bits of the bitmap stand for nothing.
const FIRST_IS_NULL: u8 = 1 << 2;

/// How a connection asks. Prepared it takes the server 18 µs of CPU time, as text 41 (MariaDB 10.11) and 45 (MySQL 9.7), and with
/// a read behind each write that is what the sessions' consistency costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Asking {
    /// It has not asked yet.
    #[default]
    Never,
    /// As text: most connections that ask once ask again, but not all.
    Once,
    /// The preparation is under way, and the text behind it.
    Preparing,
    /// By this id of the server's.
    Prepared(u32),
    /// It does not prepare, having `max_prepared_stmt_count` for example.
    Text,
}

impl ServerConnection {
    /// Queues the question whether the server has all of `gtids`, a list as its family writes it, for which it waits at most
    /// for `within`. The answer is for [`read_wait`](Self::read_wait), before that to what is sent behind it.
    pub fn queue_wait(&mut self, gtids: &str, within: Duration) {
        let seconds = within.as_secs_f64();
        let function = match self.flavor {
            Flavor::MariaDb => "MASTER_GTID_WAIT",
            Flavor::MySql => "WAIT_FOR_EXECUTED_GTID_SET",
        };
        self.asking = match self.asking {
            Asking::Never => Asking::Once,
            Asking::Once => {
                let prepare = format!("\u{16}SELECT {function}(?,?) LIMIT 1");
                self.io.queue_packet(prepare.as_bytes(), 0);
                Asking::Preparing
            }
            Asking::Prepared(id) => {
                let command = execution(id, gtids, seconds, self.capabilities);
                self.io.queue_packet(&command, 0);
                return;
            }
            // Nobody asks twice before the answer.
            Asking::Preparing | Asking::Text => Asking::Text,
        };
        self.queue_query(&format!("SELECT {function}('{gtids}',{seconds:.3}) LIMIT 1"));
    }

    /// The answer to it: whether the server has all of it. Also `false` if it does not say.
    ///
    /// # Errors
    /// The socket's.
    pub async fn read_wait(&mut self) -> io::Result<bool> {
        if self.asking == Asking::Preparing {
            self.asking = self.read_preparation().await?;
            return Ok(self.frames().await?.is_some_and(|frames| says_so(frames.last())));
        }
        let prepared = matches!(self.asking, Asking::Prepared(_));
        let frames = self.frames().await?.unwrap_or_default();
        Ok(if prepared { says_so_in_binary(frames.last()) } else { says_so(frames.last()) })
    }

    async fn read_preparation(&mut self) -> io::Result<Asking> {
        let mut scanner = self.scanner(ResponseShape::Prepare);
        let mut asking = Asking::Text;
        loop {
            let (control, frame) = self.next_control(&mut scanner, |_, _| ()).await?;
            if let Control::PrepareOk { .. } = control
                && let Ok(prepared) = PrepareOk::decode(payload_of(&frame), self.capabilities)
            {
                asking = Asking::Prepared(prepared.statement_id);
            }
            if control.is_last() {
                return Ok(asking);
            }
        }
    }
}

/// Both functions answer 0 when all is there; a timeout is -1 (MariaDB) or 1 (MySQL), and NULL that nothing replicates.
fn says_so(row: Option<&Vec<u8>>) -> bool {
    row.is_some_and(|row| row == b"\x010")
}

fn says_so_in_binary(row: Option<&Vec<u8>>) -> bool {
    match row.map(Vec::as_slice) {
        Some([0, nulls, value @ ..]) => {
            nulls & FIRST_IS_NULL == 0 && !value.is_empty() && value.iter().all(|byte| *byte == 0)
        }
        _ => false,
    }
}

/// COM_STMT_EXECUTE with a text and a double.
fn execution(id: u32, gtids: &str, seconds: f64, capabilities: Capabilities) -> BytesMut {
    const VAR_STRING: u8 = 0xfd;
    const DOUBLE: u8 = 0x05;
    let named = capabilities.contains(Capabilities::QUERY_ATTRIBUTES);
    let mut command = BytesMut::with_capacity(gtids.len() + 40);
    command.put_u8(0x17);
    command.put_u32_le(id);
    // No cursor, one iteration.
    command.put_slice(&[0, 1, 0, 0, 0]);
    if named {
        command.put_u8(2);
    }
    // No NULL; types follow.
    command.put_slice(&[0, 1]);
    for kind in [VAR_STRING, DOUBLE] {
        command.put_slice(&[kind, 0]);
        if named {
            command.put_u8(0);
        }
    }
    put_lenenc_bytes(&mut command, gtids.as_bytes());
    command.put_f64_le(seconds);
    command
}

#[cfg(test)]
mod tests {
    use tideover_protocol::command::ExecuteView;

    use super::*;

    #[test]
    fn only_a_zero_says_so() {
        let row = |bytes: &[u8]| Some(bytes.to_vec());
        let text =
            [(row(b"\x010"), true), (row(b"\x02-1"), false), (row(b"\x011"), false), (row(b"\xfb"), false)];
        for (row, so) in text {
            assert_eq!(says_so(row.as_ref()), so, "{row:?}");
        }
        let binary = [
            (row(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), true),
            (row(&[0, 0, 0, 0, 0, 0]), true),
            (row(&[0, 0, 0xff, 0xff, 0xff, 0xff]), false),
            (row(&[0, 0, 1, 0, 0, 0, 0, 0, 0, 0]), false),
            (row(&[0, FIRST_IS_NULL]), false),
            (row(&[0, 0]), false),
            (row(&[0]), false),
            (row(b"\x010"), false),
            (None, false),
        ];
        for (row, so) in binary {
            assert_eq!(says_so_in_binary(row.as_ref()), so, "{row:?}");
        }
    }

    #[test]
    fn an_execution_reads_as_one() {
        for capabilities in [Capabilities::empty(), Capabilities::QUERY_ATTRIBUTES] {
            let long = "0-1-7,".repeat(60);
            let command = execution(9, &long, 0.25, capabilities);
            let view = ExecuteView::parse(&command, 2, capabilities).unwrap();
            assert_eq!((view.statement_id, view.param_count, view.opens_cursor()), (9, 2, false));
            assert_eq!(view.types, [(0xfd, 0), (5, 0)]);
            let values = &command[view.values..];
            assert!(values.ends_with(&0.25_f64.to_le_bytes()));
            assert_eq!(values.len(), 3 + long.len() + 8, "a length of three bytes");
        }
    }
}
