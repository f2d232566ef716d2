use std::{
    fs::File,
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

/// A thread that starts processes.
///
/// Servers are started through `setpriv --pdeathsig KILL` where it is there, so that none is left when the test binary
/// is killed. The kernel sends that signal when the *thread* that started the process ends, so this thread lives as long as
/// the servers do, whatever runtime threads come and go.
#[derive(Debug)]
pub(crate) struct Keeper {
    requests: mpsc::Sender<Request>,
}

#[derive(Debug)]
struct Request {
    command: Command,
    answer: mpsc::Sender<io::Result<Child>>,
}

/// What to start.
#[derive(Debug)]
pub(crate) struct Spawn<'a> {
    pub(crate) program: &'a Path,
    pub(crate) arguments: &'a [String],
    /// Beside the environment of this process.
    pub(crate) environment: &'a [(String, String)],
    /// Both outputs are added to this file.
    pub(crate) log: &'a Path,
}

impl Keeper {
    pub(crate) fn new() -> io::Result<Self> {
        let (requests, inbox) = mpsc::channel::<Request>();
        thread::Builder::new().name("sandbox keeper".into()).spawn(move || {
            for mut request in inbox {
                let child = request.command.spawn();
                // Nobody waits for the answer only if the asker panicked; the process must not stay then.
                if let Err(mpsc::SendError(Ok(mut child))) = request.answer.send(child) {
                    let _ = child.kill().and_then(|()| child.wait());
                }
            }
        })?;
        Ok(Self { requests })
    }

    /// Starts a program in a process group of its own, so that Ctrl-C in a terminal reaches only us.
    pub(crate) fn spawn(&self, spawn: &Spawn<'_>) -> io::Result<Child> {
        let output = File::options().create(true).append(true).open(spawn.log)?;
        let mut command = match find_in_path("setpriv") {
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                command.args(["--pdeathsig", "KILL"]).arg(spawn.program);
                command
            }
            None => Command::new(spawn.program),
        };
        command.args(spawn.arguments).envs(spawn.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).process_group(0);
        let (answer, reply) = mpsc::channel();
        let gone = || io::Error::other("the thread that starts processes has ended");
        self.requests.send(Request { command, answer }).map_err(|_| gone())?;
        reply.recv().map_err(|_| gone())?
    }
}

fn find_in_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(program)).find(|file| file.is_file())
}

/// Sends a signal to a process that is ours and not waited for yet, so its id cannot have passed to another.
pub(crate) fn signal(child: &Child, signal: Signal) -> io::Result<()> {
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let id = id.ok_or_else(|| io::Error::other("a process id out of range"))?;
    kill_process(id, signal).map_err(io::Error::from)
}

/// Waits for the end of a process that `poll` looks at, for at most `limit`.
pub(crate) async fn wait_for_end(
    limit: Duration,
    mut poll: impl FnMut() -> io::Result<Option<ExitStatus>>,
) -> io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + limit;
    loop {
        let status = poll()?;
        if status.is_some() || Instant::now() >= deadline {
            return Ok(status);
        }
        sleep(Duration::from_millis(5)).await;
    }
}
