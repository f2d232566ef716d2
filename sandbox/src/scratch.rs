use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::SandboxError;

const PREFIX: &str = "tideover-sandbox-";
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A directory that is removed on drop. A locked file inside says that its owner lives; what a killed owner left behind
/// is removed by the next one that comes.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    _lock: File,
}

impl Scratch {
    /// Makes one below `TIDEOVER_SANDBOX_DIR`, else below the system's temporary directory.
    pub(crate) fn new() -> Result<Self, SandboxError> {
        let parent = env::var_os("TIDEOVER_SANDBOX_DIR").map_or_else(env::temp_dir, PathBuf::from);
        fs::create_dir_all(&parent).map_err(SandboxError::path("make", &parent))?;
        sweep(&parent);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("{PREFIX}{}-{number}", process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).map_err(SandboxError::path("make", &path))?;
        // Locked before it has its name, so that no sweep can come between.
        let (making, lock_path) = (path.join("lock.new"), path.join("lock"));
        let lock = File::create(&making).map_err(SandboxError::path("make", &making))?;
        lock.lock().map_err(SandboxError::path("lock", &making))?;
        fs::rename(&making, &lock_path).map_err(SandboxError::path("rename", &making))?;
        Ok(Self { path, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Removes directories whose owner is gone. A directory without a lock file is being made just now.
fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let Ok(lock) = File::open(entry.path().join("lock")) else { continue };
        if lock.try_lock().is_ok() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Copies a directory with all that is in it.
pub(crate) fn copy_directory(from: &Path, to: &Path) -> Result<(), SandboxError> {
    fs::create_dir(to).map_err(SandboxError::path("make", to))?;
    for entry in fs::read_dir(from).map_err(SandboxError::path("read", from))? {
        let entry = entry.map_err(SandboxError::path("read", from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_directory(&source, &target)?;
        } else {
            fs::copy(&source, &target).map_err(SandboxError::path("copy", &source))?;
        }
    }
    Ok(())
}
