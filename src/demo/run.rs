use std::{env, time::Duration};

use tideover_sandbox::{
    SandboxError,
    proxy::{Proxy, ProxyOptions},
    servers::{Cluster, ClusterOptions},
};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    DemoOptions,
    groups::Groups,
    history::History,
    picture::{self, View},
    screen::Screen,
    state::{SharedState, State},
    style::{Line, Style},
    summary::Summary,
    switcher::Switcher,
};

/// How often the screen is drawn; plain lines come once a second.
const TICK: Duration = Duration::from_millis(100);
/// How long the proxy may take to end.
const PROXY_LIMIT: Duration = Duration::from_secs(10);
/// Exit code after a second Ctrl-C.
const INTERRUPTED: u8 = 130;

/// Runs the demo and returns the exit code: 0 if the clients of the proxy saw no error and every acknowledged write is
/// stored once, 1 if not or if something could not be started, 130 if it was interrupted twice.
pub async fn run(options: DemoOptions) -> u8 {
    let mut screen = Screen::new(options.plain);
    let (interrupt, interrupts) = watch::channel(0_u32);
    let counting = tokio::spawn(count_interrupts(interrupt));
    let mut second = interrupts.clone();
    let outcome = tokio::select! {
        outcome = play(&options, &mut screen, interrupts) => outcome,
        // Everything is dropped, and with it every process ends.
        _ = second.wait_for(|&count| count > 1) => Ok(INTERRUPTED),
    };
    counting.abort();
    screen.leave();
    outcome.unwrap_or_else(|error| {
        screen.line(&Line::styled(Style::Bad, format!("demo: {error}")));
        1
    })
}

async fn count_interrupts(count: watch::Sender<u32>) {
    while tokio::signal::ctrl_c().await.is_ok() {
        count.send_modify(|count| *count += 1);
    }
}

/// Everything that runs during the demo.
struct Stage {
    cluster: Cluster,
    proxy: Proxy,
    groups: Groups,
    state: SharedState,
    switching: JoinHandle<()>,
    stop_switching: watch::Sender<bool>,
    title: String,
}

async fn play(
    options: &DemoOptions,
    screen: &mut Screen,
    mut interrupts: watch::Receiver<u32>,
) -> Result<u8, SandboxError> {
    let stage = tokio::select! {
        stage = Box::pin(set_up(options, screen)) => stage?,
        _ = interrupts.wait_for(|&count| count > 0) => return Ok(INTERRUPTED),
    };
    screen.enter();
    show(options, screen, &stage, interrupts).await;
    let live = screen.is_live();
    screen.leave();

    let Stage { cluster, proxy, groups, state, switching, stop_switching, title } = stage;
    screen.line(&Line::plain("finishing: the last switchover, the clients, the books"));
    stop_switching.send_replace(true);
    let _ = switching.await;
    let groups = groups.stop(&cluster).await?;
    proxy.stop(PROXY_LIMIT).await?;
    let state = state.lock().clone();
    if live {
        // The list was on the screen that is gone now; plain output has shown each already.
        state.flights.iter().for_each(|flight| screen.line(&picture::flight(flight)));
    }
    let summary = Summary { title: &title, state: &state, groups: &groups };
    summary.lines().iter().for_each(|line| screen.line(line));
    Ok(u8::from(!summary.is_clean()))
}

async fn set_up(options: &DemoOptions, screen: &Screen) -> Result<Stage, SandboxError> {
    let say = |text: String| screen.line(&Line::plain(text));
    if !options.flavor.available() {
        say(format!("getting {} (once; some ten seconds)", options.flavor));
    }
    let version = options.flavor.provision().await?;
    say(format!("starting a primary and two replicas: {} ({version})", options.flavor));
    let cluster = Cluster::start(ClusterOptions::new(options.flavor)).await?;
    let program = env::current_exe()
        .map_err(|source| SandboxError::Io { what: "find this program's own file".into(), source })?;
    let proxy = Proxy::start(&ProxyOptions::new(program, &cluster)).await?;
    let servers = cluster.addresses();
    let primary = cluster.primary().address();
    let (moved, follow) = watch::channel(primary);
    let clients = options.clients;
    say(format!("starting {clients} clients through Tideover ({}) and {clients} directly", proxy.address()));
    let groups = Groups::start(&cluster, proxy.address(), follow, clients).await?;

    let state = State::shared(primary);
    let (stop_switching, stop) = watch::channel(false);
    let switcher = Switcher {
        admin: proxy.admin().clone(),
        servers,
        every: options.every,
        state: state.clone(),
        primary: moved,
        stop,
    };
    let switching = tokio::spawn(switcher.work());
    let title = format!("{} ({version})", options.flavor);
    Ok(Stage { cluster, proxy, groups, state, switching, stop_switching, title })
}

/// Shows how it goes until the time is over or somebody interrupts it.
async fn show(options: &DemoOptions, screen: &Screen, stage: &Stage, mut interrupts: watch::Receiver<u32>) {
    let begin = Instant::now();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut history = History::default();
    let mut shown = Shown::default();
    while begin.elapsed() < options.time {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = interrupts.wait_for(|&count| count > 0) => return,
        }
        if !stage.proxy.is_running() {
            return;
        }
        let groups = stage.groups.snapshots();
        let elapsed = begin.elapsed();
        history.add(elapsed.as_secs_f64(), [groups[0].total_ok(), groups[1].total_ok()]);
        let state = stage.state.lock().clone();
        let view = View {
            title: &stage.title,
            elapsed,
            time: options.time,
            now: Instant::now(),
            state: &state,
            groups: &groups,
            history: &history,
            clients: options.clients,
        };
        if screen.is_live() {
            screen.draw(&picture::screen(&view));
        } else {
            shown.print_new(screen, &view);
        }
    }
}

/// What was printed already, where there is no live screen.
#[derive(Default)]
struct Shown {
    seconds: u64,
    flights: usize,
}

impl Shown {
    fn print_new(&mut self, screen: &Screen, view: &View<'_>) {
        for flight in view.state.flights.iter().skip(self.flights) {
            screen.line(&picture::flight(flight));
        }
        self.flights = view.state.flights.len();
        if view.elapsed.as_secs() > self.seconds {
            self.seconds = view.elapsed.as_secs();
            screen.line(&picture::progress(view));
        }
    }
}
