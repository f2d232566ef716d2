//! Byte buffers that are lent while there is something in them and go back when a connection idles, so that thousands of
//! idle connections cost no buffer memory.

use std::sync::Arc;

use parking_lot::Mutex;

/// Size of a pooled buffer, bytes. One read takes at most this much.
pub(super) const BLOCK: usize = 16 * 1024;
/// Largest size a buffer grows to by reading ahead; a single frame that must be seen whole may exceed it.
const LARGE: usize = 128 * 1024;
/// Blocks kept for reuse in one pool.
const KEPT: usize = 64;

/// Free blocks of one shard.
#[derive(Debug, Default)]
pub struct BufferPool {
    free: Mutex<Vec<Vec<u8>>>,
}

impl BufferPool {
    /// An empty pool.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    fn take(&self) -> Vec<u8> {
        self.free.lock().pop().unwrap_or_else(|| vec![0; BLOCK])
    }

    fn give(&self, block: Vec<u8>) {
        if block.len() == BLOCK {
            let mut free = self.free.lock();
            if free.len() < KEPT {
                free.push(block);
            }
        }
    }
}

/// A contiguous byte queue: filled at the end, consumed at the front. Without a block until first used.
#[derive(Debug)]
pub struct Buffer {
    block: Vec<u8>,
    start: usize,
    end: usize,
    pool: Arc<BufferPool>,
}

impl Buffer {
    /// Empty, holding no memory.
    #[must_use]
    pub fn new(pool: Arc<BufferPool>) -> Self {
        Self { block: Vec::new(), start: 0, end: 0, pool }
    }

    /// What is in it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.block.get(self.start..self.end).unwrap_or_default()
    }

    /// What is in it, to be changed in place.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.block.get_mut(self.start..self.end).unwrap_or_default()
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Drops the first `count` bytes (all, if there are fewer).
    pub fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Room for reading: at least one byte, more when the last read filled all there was.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.block.is_empty() {
            self.block = self.pool.take();
        }
        if self.end == self.block.len() {
            if self.start > 0 {
                self.block.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            // Still (nearly) full, or known to be a busy stream: larger reads cost fewer turns.
            if self.block.len() - self.end < BLOCK / 4 {
                let grown = (self.block.len() * 2).max(BLOCK);
                self.block.resize(if self.end == 0 { grown.min(LARGE) } else { grown }, 0);
            }
        }
        self.block.get_mut(self.end..).unwrap_or_default()
    }

    /// `count` bytes were written into [`Buffer::room`].
    pub(super) fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.block.len());
    }

    /// Appends.
    pub fn push(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if self.block.is_empty() {
            self.block = self.pool.take();
        }
        if self.block.len() - self.end < bytes.len() && self.start > 0 {
            self.block.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let need = self.end + bytes.len();
        if self.block.len() < need {
            self.block.resize(need.next_power_of_two(), 0);
        }
        if let Some(room) = self.block.get_mut(self.end..need) {
            room.copy_from_slice(bytes);
            self.end = need;
        }
    }

    /// Gives the block back if nothing is in it.
    pub fn rest(&mut self) {
        if self.is_empty() && !self.block.is_empty() {
            self.start = 0;
            self.end = 0;
            self.pool.give(std::mem::take(&mut self.block));
        }
    }

    /// Whether it holds memory.
    pub(super) fn is_resting(&self) -> bool {
        self.block.is_empty()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.pool.give(std::mem::take(&mut self.block));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn behaves_like_a_queue(steps in proptest::collection::vec((0usize..40_000, 0usize..50_000, any::<bool>()), 1..40)) {
            let mut buffer = Buffer::new(BufferPool::new());
            let mut model: std::collections::VecDeque<u8> = Default::default();
            let mut byte = 0u8;
            for (put, drop, read) in steps {
                let bytes: Vec<u8> = (0..put).map(|_| { byte = byte.wrapping_add(7); byte }).collect();
                if read {
                    let room = buffer.room();
                    prop_assert!(!room.is_empty());
                    let count = put.min(room.len());
                    room[..count].copy_from_slice(&bytes[..count]);
                    buffer.filled(count);
                    model.extend(&bytes[..count]);
                } else {
                    buffer.push(&bytes);
                    model.extend(&bytes);
                }
                buffer.consume(drop);
                model.drain(..drop.min(model.len()));
                prop_assert_eq!(buffer.bytes(), model.make_contiguous() as &[u8]);
                buffer.rest();
                prop_assert_eq!(buffer.bytes().len(), model.len());
            }
        }
    }

    #[test]
    fn an_idle_buffer_holds_no_memory() {
        let pool = BufferPool::new();
        let mut buffer = Buffer::new(pool.clone());
        buffer.push(b"abc");
        buffer.consume(3);
        buffer.rest();
        assert!(buffer.is_resting());
        assert_eq!(pool.free.lock().len(), 1);
    }
}
