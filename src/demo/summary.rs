//! What the demo came to. PURE: values in, lines and a verdict out.

use tideover_sandbox::workload::Snapshot;

use super::{
    groups::GroupReport,
    picture::{first_errors, ms},
    state::State,
    style::{Line, Style},
};

/// The end of the demo.
pub(super) struct Summary<'a> {
    pub(super) title: &'a str,
    pub(super) state: &'a State,
    /// Through the proxy, and directly.
    pub(super) groups: &'a [GroupReport; 2],
}

const LABEL: usize = 26;
const COLUMN: usize = 20;

impl Summary<'_> {
    /// Whether the clients of the proxy noticed nothing and their books are right.
    pub(super) fn is_clean(&self) -> bool {
        let proxied = &self.groups[0];
        proxied.snapshot.is_clean() && proxied.books.is_clean()
    }

    /// The text.
    pub(super) fn lines(&self) -> Vec<Line> {
        let (done, failed) = self.state.counts();
        let mut lines = vec![
            Line::default(),
            Line::styled(
                Style::Bold,
                format!("{}: {done} switchovers, {failed} failed{}", self.title, self.times()),
            ),
            Line::default(),
            Line::styled(
                Style::Dim,
                format!("{:LABEL$}{:>COLUMN$}{:>COLUMN$}", "", "through Tideover", "direct"),
            ),
        ];
        lines.extend(self.table());
        for (group, name) in self.groups.iter().zip(["through Tideover", "direct"]) {
            let errors = first_errors(&group.snapshot);
            if !errors.is_empty() {
                lines.push(Line::default());
                lines.push(Line::styled(Style::Dim, format!("errors of the clients {name}")));
                lines.extend(errors);
            }
        }
        for detail in &self.groups[0].books.details {
            lines.push(Line::styled(Style::Bad, format!("books: {detail}")));
        }
        lines.push(Line::default());
        lines.push(self.verdict());
        lines
    }

    fn verdict(&self) -> Line {
        let [proxied, direct] = self.groups;
        let writes = proxied.books.acknowledged;
        if self.is_clean() {
            let text = format!(
                "No client of Tideover saw an error: {writes} writes acknowledged, each stored exactly once. \
                 Directly connected clients saw {} errors.",
                direct.snapshot.total_errors()
            );
            Line::styled(Style::Good, text)
        } else {
            let Snapshot { lost_sessions, wrong_answers, .. } = &proxied.snapshot;
            let text = format!(
                "Clients of Tideover saw {} errors, {lost_sessions} lost sessions and {} wrong answers; of {writes} \
                 acknowledged writes {} are lost, and {} are doubled.",
                proxied.snapshot.total_errors(),
                wrong_answers.count,
                proxied.books.lost,
                proxied.books.doubled,
            );
            Line::styled(Style::Bad, text)
        }
    }

    fn table(&self) -> Vec<Line> {
        type Value = fn(&GroupReport) -> String;
        let rows: [(&str, Value); 11] = [
            ("units done", |group| group.snapshot.total_ok().to_string()),
            ("errors", |group| group.snapshot.total_errors().to_string()),
            ("lost sessions", |group| group.snapshot.lost_sessions.to_string()),
            ("wrong answers", |group| group.snapshot.wrong_answers.count.to_string()),
            ("statement, half below", |group| micros(group.snapshot.median)),
            ("statement, 99 % below", |group| micros(group.snapshot.p99)),
            ("longest wait", |group| ms(group.snapshot.longest_wait)),
            ("writes acknowledged", |group| group.books.acknowledged.to_string()),
            ("of these lost", |group| group.books.lost.to_string()),
            ("of these doubled", |group| group.books.doubled.to_string()),
            ("writes with no answer", |group| group.books.unknown.to_string()),
        ];
        let row = |(name, value): (&str, Value)| {
            let [left, right] = [0, 1].map(|group| value(&self.groups[group]));
            Line::plain(format!("{name:LABEL$}{left:>COLUMN$}{right:>COLUMN$}"))
        };
        rows.into_iter().map(row).collect()
    }

    /// Median and longest times of the switchovers that ended well.
    fn times(&self) -> String {
        let of = |value: fn(&tideover_sandbox::proxy::SwitchoverReport) -> f64| {
            let reports = self.state.flights.iter().filter_map(|flight| flight.result.as_ref().ok());
            let mut times: Vec<f64> = reports.filter(|report| report.is_done()).map(value).collect();
            times.sort_by(f64::total_cmp);
            times.get(times.len() / 2).copied().zip(times.last().copied())
        };
        let (Some(total), Some(held)) = (of(|report| report.total_ms), of(|report| report.held_ms)) else {
            return String::new();
        };
        format!(
            "; {:.0} ms each (at most {:.0}), clients held for {:.0} ms (at most {:.0})",
            total.0, total.1, held.0, held.1
        )
    }
}

fn micros(time: std::time::Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use tideover_sandbox::{
        proxy::SwitchoverReport,
        workload::{BooksReport, ErrorCount},
    };

    use super::*;
    use crate::demo::state::Flight;

    fn group(errors: u64, doubled: u64) -> GroupReport {
        let mut snapshot = Snapshot::default();
        if errors > 0 {
            snapshot.errors.insert(1290, ErrorCount { count: errors, first: vec!["1290: no".into()] });
        }
        GroupReport { snapshot, books: BooksReport { acknowledged: 9, doubled, ..BooksReport::default() } }
    }

    fn text(groups: &[GroupReport; 2]) -> (bool, String) {
        let report =
            |ms| SwitchoverReport { outcome: "done".into(), total_ms: ms, ..SwitchoverReport::default() };
        let flights = [90.0, 30.0, 60.0].map(|ms| Flight { number: 1, result: Ok(report(ms)) }).to_vec();
        let primary = "127.0.0.1:1".parse().unwrap();
        let state = State { primary, phase: None, target: None, next: None, flights };
        let summary = Summary { title: "MySQL", state: &state, groups };
        let lines: Vec<_> = summary.lines().iter().map(Line::text).collect();
        (summary.is_clean(), lines.join("\n"))
    }

    #[test]
    fn errors_of_the_control_group_are_no_failure() {
        let (clean, text) = text(&[group(0, 0), group(5, 0)]);
        assert!(
            clean && text.contains("each stored exactly once") && text.contains("saw 5 errors"),
            "{text}"
        );
        assert!(text.contains("60 ms each (at most 90)"), "{text}");
    }

    #[test]
    fn errors_and_doubled_writes_of_the_proxy_are() {
        assert!(!text(&[group(1, 0), group(5, 0)]).0);
        let (clean, text) = text(&[group(0, 2), group(0, 0)]);
        assert!(!clean && text.contains("2 are doubled"), "{text}");
    }
}
