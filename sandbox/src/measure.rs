//! What the kernel says of a process.

use std::{fs, io, time::Duration};

/// Resident memory of a process in bytes.
pub fn resident(pid: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_ascii_whitespace().next())
        .and_then(|number| number.parse::<u64>().ok());
    kilobytes.map(|kilobytes| kilobytes * 1024).ok_or_else(|| io::Error::other("no VmRSS in its status"))
}

/// Whether all threads of a process are stopped or have ended: the third field of each one's `stat`.
pub fn is_stopped(pid: u32) -> io::Result<bool> {
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // One that has ended meanwhile is not there any more.
        let Ok(stat) = fs::read_to_string(task?.path().join("stat")) else { continue };
        let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next());
        if !matches!(state, Some('T' | 't' | 'Z' | 'X')) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// CPU time of a process so far: fields 14 and 15 of its `stat`, in clock ticks.
pub fn cpu_time(pid: u32) -> io::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is the name in parentheses and may hold anything; the third follows the last parenthesis.
    let rest = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    let fields: Vec<_> = rest.split_ascii_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
    let (Some(user), Some(system)) = (ticks(11), ticks(12)) else {
        return Err(io::Error::other("its stat has no CPU times"));
    };
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    Ok(Duration::from_millis((user + system) * 1000 / per_second))
}

/// The names of a process's threads.
pub fn threads(pid: u32) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        // One that has ended by now has none.
        let name = fs::read_to_string(thread?.path().join("comm")).unwrap_or_default();
        names.push(name.trim_end().to_owned());
    }
    Ok(names)
}
