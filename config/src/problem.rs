use std::fmt;
use std::sync::Arc;

/// Where a value was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In a file, at a line counted from 1.
    File(Arc<str>, usize),
    /// In a file that has no such line: something is missing.
    Missing(Arc<str>),
    /// In an environment variable.
    Environment(String),
    /// In an option of the command line.
    Argument(String),
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file, line) => write!(formatter, "{file}:{line}"),
            Self::Missing(file) => write!(formatter, "{file}"),
            Self::Environment(name) => write!(formatter, "environment {name}"),
            Self::Argument(option) => write!(formatter, "option {option}"),
        }
    }
}

/// One mistake in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it is.
    pub place: Place,
    /// The key, with its table: `pool.max_per_server`. Empty for a file as a whole.
    pub key: String,
    /// What was found, and what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, key, message } = self;
        if key.is_empty() {
            write!(formatter, "{place}: {message}")
        } else {
            write!(formatter, "{place}: {key}: {message}")
        }
    }
}

/// All mistakes in a configuration, in the order of their places. One a line when printed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            write!(formatter, "{problem}")?;
        }
        Ok(())
    }
}
