use crate::sysbench::{Load, Run};

/// One load's results: direct, HAProxy, Tideover.
pub(crate) struct Row {
    pub(crate) load: Load,
    pub(crate) runs: [Run; 3],
}

/// The run in the middle by each of its figures.
pub(crate) fn median(runs: Vec<Run>) -> Run {
    let middle = |value: fn(&Run) -> f64| {
        let mut values: Vec<f64> = runs.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    };
    Run {
        queries: middle(|run| run.queries),
        rate: middle(|run| run.rate),
        p95: middle(|run| run.p95),
        cpu_per_query: middle(|run| run.cpu_per_query),
    }
}

/// A table for the README.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "| load | direct, queries/s | HAProxy | Tideover | HAProxy, CPU µs/query | Tideover, CPU µs/query | ratio |\n\
         |---|---:|---:|---:|---:|---:|---:|\n",
    );
    for Row { load, runs: [direct, haproxy, tideover] } in rows {
        let share = |run: &Run| format!("{:.0} ({:.2})", run.rate, run.rate / direct.rate.max(1.0));
        text += &format!(
            "| {load} | {:.0} | {} | {} | {:.1} | {:.1} | {:.2} |\n",
            direct.rate,
            share(haproxy),
            share(tideover),
            haproxy.cpu_per_query,
            tideover.cpu_per_query,
            tideover.cpu_per_query / haproxy.cpu_per_query.max(0.1)
        );
    }
    text
}
