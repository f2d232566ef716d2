//! What is shown while the demo runs. PURE: values in, lines out.

use std::time::Duration;

use tideover_sandbox::workload::Snapshot;
use tokio::time::Instant;

use super::{
    history::History,
    state::{Flight, State},
    style::{Line, Style},
};

/// Everything that is shown at one moment.
pub(super) struct View<'a> {
    /// What runs, as `MariaDB 10.11.19`.
    pub(super) title: &'a str,
    /// Time since the load began, and until it ends.
    pub(super) elapsed: Duration,
    pub(super) time: Duration,
    /// The moment.
    pub(super) now: Instant,
    pub(super) state: &'a State,
    /// Through the proxy, and directly.
    pub(super) groups: &'a [Snapshot; 2],
    pub(super) history: &'a History,
    pub(super) clients: u16,
}

/// Width of the first column and of the groups' columns.
const LABEL: usize = 22;
const COLUMN: usize = 20;
/// How many past switchovers are listed.
const LISTED: usize = 6;

/// The whole screen.
pub(super) fn screen(view: &View<'_>) -> Vec<Line> {
    let (done, failed) = view.state.counts();
    let mut lines = vec![
        Line::styled(Style::Bold, "Tideover demo").and(
            Style::Plain,
            format!(
                "   {}   {} of {}   {done} switchovers, {failed} failed",
                view.title,
                clock(view.elapsed),
                clock(view.time)
            ),
        ),
        Line::default(),
        Line::plain(format!("{:LABEL$}{}", "primary", view.state.primary)),
        phase(view),
        Line::default(),
        Line::styled(
            Style::Dim,
            format!("{:LABEL$}{:>COLUMN$}{:>COLUMN$}", "", "through Tideover", "direct"),
        ),
    ];
    lines.extend(table(view));
    lines.push(Line::default());
    for (group, name) in ["through Tideover", "direct"].into_iter().enumerate() {
        lines.push(Line::plain(format!("{name:LABEL$}{}", view.history.bars(group, 58))));
    }
    lines.push(Line::default());
    lines.extend(view.state.flights.iter().rev().take(LISTED).map(flight));
    let errors = first_errors(&view.groups[1]);
    if !errors.is_empty() {
        lines.push(Line::default());
        lines.push(Line::styled(Style::Dim, "what the directly connected clients see"));
        lines.extend(errors.into_iter().take(3));
    }
    lines.push(Line::default());
    lines.push(Line::styled(Style::Dim, "Ctrl-C ends it"));
    lines
}

/// One line that says how it goes, for where there is no terminal.
pub(super) fn progress(view: &View<'_>) -> Line {
    let [proxied, direct] = view.groups;
    let [fast, control] = view.history.rates();
    let text = format!(
        "{} primary {} | through Tideover: {fast:.0}/s, {} errors, longest wait {} | direct: {control:.0}/s, {} errors",
        clock(view.elapsed),
        view.state.primary,
        proxied.total_errors(),
        ms(proxied.longest_wait),
        direct.total_errors(),
    );
    Line::plain(text)
}

/// One switchover that is over, in a line.
pub(super) fn flight(flight: &Flight) -> Line {
    let start = Line::plain(format!("#{:<3} ", flight.number));
    match &flight.result {
        Ok(report) if report.is_done() => start.and(
            Style::Plain,
            format!(
                "{} → {}  {:.0} ms (database {:.0}), held {} clients up to {:.0} ms: {}",
                report.from,
                report.to,
                report.total_ms,
                report.switch_ms,
                report.held_sessions,
                report.held_ms,
                report.timeline()
            ),
        ),
        Ok(report) => start.and(Style::Bad, format!("{}: {}", report.outcome, report.problems.join("; "))),
        Err(error) => start.and(Style::Bad, error.clone()),
    }
}

/// The comparison of both groups.
fn table(view: &View<'_>) -> Vec<Line> {
    let [fast, control] = view.history.rates();
    let [proxied, direct] = view.groups;
    let row = |name: &str, values: [String; 2]| {
        let [left, right] = values;
        Line::plain(format!("{name:LABEL$}{left:>COLUMN$}{right:>COLUMN$}"))
    };
    let counted = |name: &str, values: [u64; 2]| {
        let mut line = Line::plain(format!("{name:LABEL$}"));
        for value in values {
            let style = if value == 0 { Style::Good } else { Style::Bad };
            line = line.and(style, format!("{value:>COLUMN$}"));
        }
        line
    };
    vec![
        row("clients", [view.clients.to_string(), view.clients.to_string()]),
        row("units a second", [format!("{fast:.0}"), format!("{control:.0}")]),
        row("units done", [proxied.total_ok().to_string(), direct.total_ok().to_string()]),
        counted("errors", [proxied.total_errors(), direct.total_errors()]),
        counted("lost sessions", [proxied.lost_sessions, direct.lost_sessions]),
        row("longest wait", [ms(proxied.longest_wait), ms(direct.longest_wait)]),
        row("waiting now", [ms(proxied.waiting_now), ms(direct.waiting_now)]),
    ]
}

fn phase(view: &View<'_>) -> Line {
    let label = Line::plain(format!("{:LABEL$}", "switchover"));
    if let Some((phase, since)) = &view.state.phase {
        let target = view.state.target.map(|target| format!(" to {target}")).unwrap_or_default();
        let took = view.now.saturating_duration_since(*since);
        return label.and(Style::Busy, format!("{phase}, {}{target}", ms(took)));
    }
    match view.state.next {
        Some(next) => {
            let wait = next.saturating_duration_since(view.now);
            label.and(Style::Plain, format!("next in {:.1} s", wait.as_secs_f64()))
        }
        None => label.and(Style::Dim, "none any more"),
    }
}

/// The first message of each kind of error.
pub(super) fn first_errors(snapshot: &Snapshot) -> Vec<Line> {
    let mut lines = Vec::new();
    for errors in snapshot.errors.values() {
        let first = errors.first.first().map(String::as_str).unwrap_or_default();
        lines.push(Line::plain(format!("{:>7} × {first}", errors.count)));
    }
    if let Some(first) = snapshot.wrong_answers.first.first() {
        lines.push(Line::plain(format!("{:>7} × {first}", snapshot.wrong_answers.count)));
    }
    lines
}

/// Minutes and seconds.
fn clock(time: Duration) -> String {
    format!("{:02}:{:02}", time.as_secs() / 60, time.as_secs() % 60)
}

/// Milliseconds.
pub(super) fn ms(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

#[cfg(test)]
mod tests {
    use tideover_sandbox::{proxy::SwitchoverReport, workload::ErrorCount};

    use super::*;

    fn state() -> State {
        let primary = "127.0.0.1:3306".parse().unwrap();
        let report =
            SwitchoverReport { outcome: "done".into(), total_ms: 81.4, ..SwitchoverReport::default() };
        let failed = SwitchoverReport {
            outcome: "failed".into(),
            problems: vec!["catch-up took too long".into()],
            ..SwitchoverReport::default()
        };
        let flights = [Ok(report), Ok(failed), Err("no answer".to_owned())];
        let flights =
            flights.into_iter().zip(1..).map(|(result, number)| Flight { number, result }).collect();
        State { primary, phase: None, target: None, next: None, flights }
    }

    #[test]
    fn both_groups_and_every_switchover_are_shown() {
        let mut direct = Snapshot::default();
        let first = vec!["insert: 1290: read-only".to_owned()];
        direct.errors.insert(1290, ErrorCount { count: 7, first });
        let (state, groups, history) = (state(), [Snapshot::default(), direct], History::default());
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let view = View {
            title: "MariaDB 10.11",
            elapsed: 5 * second,
            time: 60 * second,
            now,
            state: &state,
            groups: &groups,
            history: &history,
            clients: 32,
        };
        let text: Vec<_> = screen(&view).iter().map(Line::text).collect();
        let text = text.join("\n");
        for part in [
            "00:05 of 01:00",
            "1 switchovers, 2 failed",
            "catch-up took too long",
            "7 × insert: 1290",
            "81 ms",
        ] {
            assert!(text.contains(part), "no {part} in\n{text}");
        }
        assert!(progress(&view).text().contains("direct: 0/s, 7 errors"));
        let running =
            State { phase: Some(("fence".into(), now)), target: Some(state.primary), ..state.clone() };
        let text: Vec<_> = screen(&View { state: &running, ..view }).iter().map(Line::text).collect();
        assert!(text.join("\n").contains("fence, 0 ms to 127.0.0.1:3306"));
    }
}
