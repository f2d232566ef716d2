use std::collections::VecDeque;

/// Units a second over the last minute, of both groups. PURE: the caller brings the time.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Seconds since the start and units done until then, oldest first.
    samples: VecDeque<(f64, [u64; 2])>,
}

/// How much of the past is kept, seconds.
const KEPT: f64 = 60.0;
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

impl History {
    pub(super) fn add(&mut self, at: f64, done: [u64; 2]) {
        self.samples.push_back((at, done));
        while self.samples.front().is_some_and(|&(first, _)| first < at - KEPT - 1.0) {
            self.samples.pop_front();
        }
    }

    /// Units a second of both groups over about the last second.
    pub(super) fn rates(&self) -> [f64; 2] {
        let Some(&(now, _)) = self.samples.back() else { return [0.0; 2] };
        [0, 1].map(|group| self.rate_between(group, now - 1.0, now))
    }

    /// Units a second of a group for each of the last `width` seconds as bars, newest last.
    pub(super) fn bars(&self, group: usize, width: usize) -> String {
        let Some(&(now, _)) = self.samples.back() else { return String::new() };
        let columns = u32::try_from(width).unwrap_or(0).min(now.ceil().max(0.0) as u32);
        let rates: Vec<f64> = (0..columns)
            .rev()
            .map(|age| self.rate_between(group, now - f64::from(age) - 1.0, now - f64::from(age)))
            .collect();
        let most = rates.iter().copied().fold(1.0, f64::max);
        rates.iter().map(|rate| BARS[((rate / most * 7.0).round() as usize).min(BARS.len() - 1)]).collect()
    }

    fn rate_between(&self, group: usize, from: f64, to: f64) -> f64 {
        let value = |at: f64| {
            let before = self.samples.iter().rev().find(|sample| sample.0 <= at + 1e-9);
            before
                .or_else(|| self.samples.front())
                .map(|&(at, done)| (at, done.get(group).copied().unwrap_or(0)))
        };
        let (Some((from, before)), Some((to, after))) = (value(from), value(to)) else { return 0.0 };
        if to <= from { 0.0 } else { after.saturating_sub(before) as f64 / (to - from) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_the_last_second() {
        let mut history = History::default();
        for tick in 0..=50_u32 {
            let done = if tick < 40 { u64::from(tick) * 10 } else { 400 };
            history.add(f64::from(tick) / 10.0, [done, u64::from(tick)]);
        }
        let [proxied, direct] = history.rates();
        assert!(proxied.abs() < 1e-6 && (direct - 10.0).abs() < 1e-6, "{proxied} {direct}");
        assert_eq!(history.bars(0, 60), "████▁");
        assert_eq!(history.bars(1, 2), "██");
    }

    #[test]
    fn nothing_known_is_no_rate() {
        let mut history = History::default();
        assert_eq!((history.rates(), history.bars(0, 10)), ([0.0; 2], String::new()));
        history.add(0.0, [0, 0]);
        assert_eq!(history.rates(), [0.0; 2]);
    }
}
