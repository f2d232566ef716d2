use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How what this process writes is told from what others write.
#[derive(Debug, Clone)]
pub struct Signature {
    /// Random text of this process, part of every commit tag and of every row of the marker table.
    pub instance: String,
    /// Whether statements carry commit tags.
    pub tags: bool,
}

/// Gives each server connection a tag that no other has, in this process or another.
#[derive(Debug)]
pub(super) struct TagSource {
    instance: Option<String>,
    next: AtomicU64,
}

impl TagSource {
    pub(super) fn new(signature: &Signature) -> Self {
        Self { instance: signature.tags.then(|| signature.instance.clone()), next: AtomicU64::new(1) }
    }

    pub(super) fn next(&self) -> Arc<[u8]> {
        let Some(instance) = &self.instance else { return Arc::new([]) };
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!("/*td:{instance}.{number:x}*/").into_bytes().into()
    }
}
