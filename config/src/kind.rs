//! What values may be: how they are read and what to say if they are not.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::address::{ListenAddress, Network, ServerAddress};
use super::nearest::nearest;
use super::problem::Place;
use super::tree::{Node, Raw};
use super::units::{parse_size, parse_time, show_size, show_time};

/// Why a value does not do: where (if nearer than its key), what was found, and what else to say.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) place: Option<Place>,
    pub(crate) found: String,
    pub(crate) hint: Option<String>,
}

impl Fault {
    fn of(node: &Node) -> Self {
        Self { place: None, found: node.raw.describe(), hint: None }
    }
}

/// A sort of value.
pub(crate) trait Kind {
    type Value: Debug;
    /// What would be right, to follow "expected".
    fn expected(&self) -> String;
    /// Reads a value.
    fn read(&self, node: &Node) -> Result<Self::Value, Fault>;
}

fn text(node: &Node) -> Result<&str, Fault> {
    match &node.raw {
        Raw::Text(text) | Raw::Loose(text) => Ok(text),
        _ => Err(Fault::of(node)),
    }
}

/// A time within bounds.
pub(crate) struct Time(pub(crate) Duration, pub(crate) Duration);

/// Bounds in milliseconds.
pub(crate) const fn time(range: RangeInclusive<u64>) -> Time {
    Time(Duration::from_millis(*range.start()), Duration::from_millis(*range.end()))
}

impl Kind for Time {
    type Value = Duration;
    fn expected(&self) -> String {
        format!(
            "a time from {} to {}, such as \"500ms\", \"5s\" or \"2m\"",
            show_time(self.0),
            show_time(self.1)
        )
    }
    fn read(&self, node: &Node) -> Result<Duration, Fault> {
        let time = parse_time(text(node)?).ok_or_else(|| Fault::of(node))?;
        if (self.0..=self.1).contains(&time) { Ok(time) } else { Err(Fault::of(node)) }
    }
}

/// A size in bytes within bounds.
pub(crate) struct Size(pub(crate) RangeInclusive<u64>);

impl Kind for Size {
    type Value = u64;
    fn expected(&self) -> String {
        let (low, high) = (show_size(*self.0.start()), show_size(*self.0.end()));
        format!("a size from {low} to {high}, such as \"64KiB\", \"1MiB\" or \"1GiB\"")
    }
    fn read(&self, node: &Node) -> Result<u64, Fault> {
        let size = parse_size(text(node)?).ok_or_else(|| Fault::of(node))?;
        if self.0.contains(&size) { Ok(size) } else { Err(Fault::of(node)) }
    }
}

/// A whole number within bounds.
pub(crate) struct Number(pub(crate) RangeInclusive<usize>);

impl Kind for Number {
    type Value = usize;
    fn expected(&self) -> String {
        format!("a whole number from {} to {}", self.0.start(), self.0.end())
    }
    fn read(&self, node: &Node) -> Result<usize, Fault> {
        let number = match &node.raw {
            Raw::Integer(number) => usize::try_from(*number).ok(),
            Raw::Loose(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.filter(|number| self.0.contains(number)).ok_or_else(|| Fault::of(node))
    }
}

/// `true` or `false`.
pub(crate) struct Flag;

impl Kind for Flag {
    type Value = bool;
    fn expected(&self) -> String {
        "true or false".to_owned()
    }
    fn read(&self, node: &Node) -> Result<bool, Fault> {
        match &node.raw {
            Raw::Flag(flag) => Ok(*flag),
            Raw::Loose(text) => text.trim().parse().map_err(|_| Fault::of(node)),
            _ => Err(Fault::of(node)),
        }
    }
}

/// One of a few words.
pub(crate) struct Choice<T: 'static>(pub(crate) &'static [(&'static str, T)]);

impl<T: Copy + Debug> Kind for Choice<T> {
    type Value = T;
    fn expected(&self) -> String {
        let words: Vec<_> = self.0.iter().map(|(word, _)| format!("{word:?}")).collect();
        words.split_last().map_or_else(String::new, |(last, rest)| format!("{} or {last}", rest.join(", ")))
    }
    fn read(&self, node: &Node) -> Result<T, Fault> {
        let word = text(node)?;
        let found = self.0.iter().find(|(name, _)| *name == word);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let near = nearest(word, self.0.iter().map(|(name, _)| *name));
            Fault { hint: near.map(|near| format!("did you mean {near:?}?")), ..Fault::of(node) }
        })
    }
}

/// Text that is not empty.
pub(crate) struct Text(pub(crate) &'static str);

impl Kind for Text {
    type Value = String;
    fn expected(&self) -> String {
        self.0.to_owned()
    }
    fn read(&self, node: &Node) -> Result<String, Fault> {
        let text = text(node)?;
        if text.is_empty() { Err(Fault::of(node)) } else { Ok(text.to_owned()) }
    }
}

/// The path of a file. Whoever uses it makes it relative to the configuration's folder.
pub(crate) struct FilePath;

impl Kind for FilePath {
    type Value = PathBuf;
    fn expected(&self) -> String {
        "the path of a file".to_owned()
    }
    fn read(&self, node: &Node) -> Result<PathBuf, Fault> {
        Text("").read(node).map(PathBuf::from)
    }
}

/// Where clients are served.
pub(crate) struct Listen;

impl Kind for Listen {
    type Value = ListenAddress;
    fn expected(&self) -> String {
        "\"address:port\" or \"unix:/path\", such as \"127.0.0.1:3307\"".to_owned()
    }
    fn read(&self, node: &Node) -> Result<ListenAddress, Fault> {
        text(node)?.parse().map_err(|()| Fault::of(node))
    }
}

/// A network.
pub(crate) struct Net;

impl Kind for Net {
    type Value = Network;
    fn expected(&self) -> String {
        "an address or a network, such as \"10.0.0.0/8\"".to_owned()
    }
    fn read(&self, node: &Node) -> Result<Network, Fault> {
        text(node)?.parse().map_err(|()| Fault::of(node))
    }
}

/// A database server.
pub(crate) struct Server;

impl Kind for Server {
    type Value = ServerAddress;
    fn expected(&self) -> String {
        "\"host:port\", such as \"127.0.0.1:3306\"".to_owned()
    }
    fn read(&self, node: &Node) -> Result<ServerAddress, Fault> {
        text(node)?.parse().map_err(|()| Fault::of(node))
    }
}

/// Where the admin API is served, or nowhere.
pub(crate) struct SocketOrOff;

impl Kind for SocketOrOff {
    type Value = Option<SocketAddr>;
    fn expected(&self) -> String {
        "\"address:port\", such as \"127.0.0.1:9307\", or \"off\"".to_owned()
    }
    fn read(&self, node: &Node) -> Result<Option<SocketAddr>, Fault> {
        match text(node)? {
            "off" => Ok(None),
            text => text.parse().map(Some).map_err(|_| Fault::of(node)),
        }
    }
}

/// At least one of another kind. In the environment they are parted by commas.
pub(crate) struct List<K>(pub(crate) K);

impl<K: Kind> Kind for List<K> {
    type Value = Vec<K::Value>;
    fn expected(&self) -> String {
        format!("a list of {}", self.0.expected())
    }
    fn read(&self, node: &Node) -> Result<Vec<K::Value>, Fault> {
        let items: Vec<Node> = match &node.raw {
            Raw::List(items) => items.clone(),
            Raw::Loose(text) => {
                let item =
                    |part: &str| Node { place: node.place.clone(), raw: Raw::Loose(part.trim().to_owned()) };
                text.split(',').map(item).collect()
            }
            _ => return Err(Fault::of(node)),
        };
        if items.is_empty() {
            return Err(Fault { found: "an empty list".to_owned(), ..Fault::of(node) });
        }
        let read = |item: &Node| {
            self.0.read(item).map_err(|fault| Fault { place: Some(item.place.clone()), ..fault })
        };
        items.iter().map(read).collect()
    }
}
