//! Any events: nothing panics, and what is kept of a transaction stays small.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tideover_protocol::binlog::{DumpFlags, EventDecoder, TransactionReader, dump_gtid_command};

fuzz_target!(|data: &[u8]| {
    let input = Bytes::copy_from_slice(data);
    let mut decoder = EventDecoder::new();
    let mut reader = TransactionReader::with_text_limit(16);
    let mut at = 0;
    while let Some(&[low, high]) = input.get(at..at + 2).and_then(|length| length.first_chunk()) {
        at += 2;
        let end = (at + usize::from(u16::from_le_bytes([low, high]))).min(input.len());
        let Ok(event) = decoder.decode_event(&input.slice(at..end)) else { break };
        at = end;
        if let Some(transaction) = reader.event(event) {
            for statement in &transaction.statements {
                assert!(statement.text.len() <= 16);
                let _ = statement.rows();
            }
        }
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = dump_gtid_command(text, DumpFlags::NON_BLOCK, 0);
    }
});
