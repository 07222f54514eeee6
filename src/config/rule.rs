//! The kinds of values that options take: each reads one, shows one, and says what it takes.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::DeValue;

use super::options::{Database, Shards};
use super::reader::{Place, kind, short};

/// A kind of value.
pub(super) trait Rule<T> {
    /// Reads one; what is wrong goes to `place`.
    fn read(&self, found: &Spanned<DeValue<'_>>, place: &mut Place<'_, '_>) -> Option<T>;
    /// Writes one as TOML; none if the option is left out for it.
    fn show(&self, value: &T) -> Option<String>;
    /// What it takes, to follow "write".
    fn takes(&self) -> String;
    /// What to show where the default is to leave it out, as TOML.
    fn example(&self) -> String {
        String::new()
    }
}

/// A whole number within bounds, both allowed.
pub(super) struct Number(pub(super) RangeInclusive<u32>);

impl<T: TryFrom<u32> + Copy + ToString> Rule<T> for Number {
    fn read(&self, found: &Spanned<DeValue<'_>>, place: &mut Place<'_, '_>) -> Option<T> {
        let takes = Rule::<T>::takes(self);
        let Some(integer) = found.get_ref().as_integer() else {
            return place.wrong_type(found, &takes);
        };
        let number = u32::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|n| self.0.contains(n));
        match number.and_then(|number| T::try_from(number).ok()) {
            Some(number) => Some(number),
            None => place.wrong_type(found, &takes),
        }
    }

    fn show(&self, value: &T) -> Option<String> {
        Some(value.to_string())
    }

    fn takes(&self) -> String {
        format!("a number from {} to {}", self.0.start(), self.0.end())
    }
}

/// The same, or nothing; with one to show.
pub(super) struct MaybeNumber(pub(super) RangeInclusive<u32>, pub(super) u32);

impl Rule<Option<u32>> for MaybeNumber {
    fn read(&self, found: &Spanned<DeValue<'_>>, place: &mut Place<'_, '_>) -> Option<Option<u32>> {
        Number(self.0.clone()).read(found, place).map(Some)
    }

    fn show(&self, value: &Option<u32>) -> Option<String> {
        value.map(|number| number.to_string())
    }

    fn takes(&self) -> String {
        Rule::<u32>::takes(&Number(self.0.clone()))
    }

    fn example(&self) -> String {
        self.1.to_string()
    }
}

/// One of a few words.
pub(super) struct Word<T: 'static>(pub(super) &'static [(&'static str, T)]);

impl<T: Copy + PartialEq> Rule<T> for Word<T> {
    fn read(&self, found: &Spanned<DeValue<'_>>, place: &mut Place<'_, '_>) -> Option<T> {
        let text = found.get_ref().as_str();
        match text.and_then(|text| self.0.iter().find(|(word, _)| *word == text)) {
            Some((_, value)) => Some(*value),
            None => place.wrong_type(found, &self.takes()),
        }
    }

    fn show(&self, value: &T) -> Option<String> {
        self.0.iter().find(|(_, known)| known == value).map(|(word, _)| format!("{word:?}"))
    }

    fn takes(&self) -> String {
        let words: Vec<_> = self.0.iter().map(|(word, _)| format!("{word:?}")).collect();
        one_of(&words)
    }
}

/// `true` or `false`.
pub(super) struct Truth;

impl Rule<bool> for Truth {
    fn read(&self, found: &Spanned<DeValue<'_>>, place: &mut Place<'_, '_>) -> Option<bool> {
        match found.get_ref().as_bool() {
            Some(truth) => Some(truth),
            None => place.wrong_type(found, &self.takes()),
        }
    }

    fn show(&self, value: &bool) -> Option<String> {
        Some(value.to_string())
    }

    fn takes(&self) -> String {
        "true or false".to_owned()
    }
}

/// A label of a domain's name, or nothing.
pub(super) struct Label;

impl Rule<Box<str>> for Label {
    fn read(&self, found: &Spanned<DeValue<'_>>, place: &mut Place<'_, '_>) -> Option<Box<str>> {
        let Some(text) = found.get_ref().as_str() else {
            return place.wrong_type(found, &self.takes());
        };
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if text.len() > 63 || !text.bytes().all(plain) || text.starts_with('-') || text.ends_with('-') {
            return place.wrong(&found.span(), &format!("is {:?}, which is no label", short(text)), &self.takes());
        }
        Some(text.into())
    }

    fn show(&self, value: &Box<str>) -> Option<String> {
        Some(quoted(value))
    }

    fn takes(&self) -> String {
        "a word of small letters, digits and dashes, such as \"conference\"".to_owned()
    }
}

/// `"auto"` or a number of shards.
pub(super) struct ShardCount;

/// More shards than this nobody has cores for.
const SHARDS: Number = Number(1..=256);

impl Rule<Shards> for ShardCount {
    fn read(&self, found: &Spanned<DeValue<'_>>, place: &mut Place<'_, '_>) -> Option<Shards> {
        match found.get_ref() {
            DeValue::String(text) if text == "auto" => Some(Shards::Auto),
            DeValue::Integer(_) => SHARDS.read(found, place).map(Shards::Count),
            _ => place.wrong_type(found, &self.takes()),
        }
    }

    fn show(&self, value: &Shards) -> Option<String> {
        Some(match value {
            Shards::Auto => "\"auto\"".to_owned(),
            Shards::Count(count) => count.to_string(),
        })
    }

    fn takes(&self) -> String {
        format!("\"auto\" or {}", Rule::<u16>::takes(&SHARDS))
    }
}

/// `"sqlite"` or the URI of a PostgreSQL database.
pub(super) struct DatabaseUri;

impl Rule<Database> for DatabaseUri {
    fn read(&self, found: &Spanned<DeValue<'_>>, place: &mut Place<'_, '_>) -> Option<Database> {
        match found.get_ref().as_str() {
            Some("sqlite") => Some(Database::Sqlite),
            Some(text) if text.starts_with("postgres://") || text.starts_with("postgresql://") => {
                Some(Database::Postgres(text.into()))
            }
            _ => place.wrong_type(found, &self.takes()),
        }
    }

    fn show(&self, value: &Database) -> Option<String> {
        Some(match value {
            Database::Sqlite => "\"sqlite\"".to_owned(),
            Database::Postgres(uri) => quoted(uri),
        })
    }

    fn takes(&self) -> String {
        "\"sqlite\" or a URI such as \"postgres://wattle:secret@127.0.0.1/wattle\"".to_owned()
    }
}

/// A path that must be given.
pub(super) struct Folder;

impl Rule<PathBuf> for Folder {
    fn read(&self, found: &Spanned<DeValue<'_>>, place: &mut Place<'_, '_>) -> Option<PathBuf> {
        match found.get_ref().as_str() {
            Some(text) if !text.is_empty() && !text.contains('\0') => Some(text.into()),
            _ => place.wrong_type(found, &self.takes()),
        }
    }

    fn show(&self, value: &PathBuf) -> Option<String> {
        value.to_str().map(quoted)
    }

    fn takes(&self) -> String {
        "a path in double quotes".to_owned()
    }
}

/// A path that may be left out, with one to show.
pub(super) struct File(pub(super) &'static str);

impl Rule<Option<PathBuf>> for File {
    fn read(&self, found: &Spanned<DeValue<'_>>, place: &mut Place<'_, '_>) -> Option<Option<PathBuf>> {
        Folder.read(found, place).map(Some)
    }

    fn show(&self, value: &Option<PathBuf>) -> Option<String> {
        value.as_ref().and_then(|path| Folder.show(path))
    }

    fn takes(&self) -> String {
        format!("a path in double quotes, such as {:?}", self.0)
    }

    fn example(&self) -> String {
        quoted(self.0)
    }
}

/// A list of addresses to listen on, each with its port.
pub(super) struct Addresses(pub(super) u16);

impl Rule<Vec<SocketAddr>> for Addresses {
    fn read(&self, found: &Spanned<DeValue<'_>>, place: &mut Place<'_, '_>) -> Option<Vec<SocketAddr>> {
        texts(found, place, &self.takes(), |text| match text.parse::<SocketAddr>() {
            Ok(address) => Ok(address),
            Err(_) => Err(match text.trim_matches(['[', ']']).parse::<IpAddr>() {
                Ok(ip) => ("which has no port", format!("{:?}", SocketAddr::new(ip, self.0).to_string())),
                Err(_) => ("which is no address with a port", self.takes()),
            }),
        })
    }

    fn show(&self, value: &Vec<SocketAddr>) -> Option<String> {
        Some(list(value))
    }

    fn takes(&self) -> String {
        let all = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), self.0);
        format!("[\"{all}\"] for every address of the machine, or \"127.0.0.1:{}\" for one", self.0)
    }
}

/// A list of DNS servers; the port is 53 unless it is said.
pub(super) struct NameServers;

/// RFC 1035 section 4.2.
const DNS_PORT: u16 = 53;

impl Rule<Vec<SocketAddr>> for NameServers {
    fn read(&self, found: &Spanned<DeValue<'_>>, place: &mut Place<'_, '_>) -> Option<Vec<SocketAddr>> {
        let takes = Rule::<Vec<SocketAddr>>::takes(self);
        texts(found, place, &takes, |text| {
            let with_port = text.parse::<SocketAddr>();
            let without = || text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, DNS_PORT));
            with_port.or_else(|_| without()).map_err(|_| ("which is no IP address", takes.clone()))
        })
    }

    fn show(&self, value: &Vec<SocketAddr>) -> Option<String> {
        Some(list(value))
    }

    fn takes(&self) -> String {
        "a list of IP addresses, such as [\"9.9.9.9\", \"[::1]:5353\"]".to_owned()
    }
}

/// A list of contact URIs (XEP-0157), with one to show.
pub(super) struct Uris(pub(super) &'static str);

impl Rule<Vec<Box<str>>> for Uris {
    fn read(&self, found: &Spanned<DeValue<'_>>, place: &mut Place<'_, '_>) -> Option<Vec<Box<str>>> {
        const SCHEMES: [&str; 5] = ["mailto:", "xmpp:", "https:", "http:", "tel:"];
        texts(found, place, &self.takes(), |text| {
            let plain = !text.contains(|c: char| c.is_whitespace() || c.is_control());
            match SCHEMES.iter().find_map(|scheme| text.strip_prefix(scheme)) {
                Some(rest) if plain && !rest.is_empty() => Ok(text.into()),
                _ if plain && text.contains('@') && !text.contains(':') => {
                    Err(("which does not say what it is", format!("\"mailto:{text}\" or \"xmpp:{text}\"")))
                }
                _ => Err(("which is no URI", self.takes())),
            }
        })
    }

    fn show(&self, value: &Vec<Box<str>>) -> Option<String> {
        (!value.is_empty()).then(|| list(value))
    }

    fn takes(&self) -> String {
        format!("a list of URIs, such as [{:?}]", self.0)
    }

    fn example(&self) -> String {
        format!("[{:?}]", self.0)
    }
}

/// Reads a list of texts; a fault for each that `read` refuses with what is wrong and what to write.
pub(super) fn texts<T>(
    found: &Spanned<DeValue<'_>>,
    place: &mut Place<'_, '_>,
    takes: &str,
    read: impl Fn(&str) -> Result<T, (&'static str, String)>,
) -> Option<Vec<T>> {
    let Some(values) = found.get_ref().as_array() else {
        return place.wrong_type(found, takes);
    };
    let mut good = Vec::with_capacity(values.len());
    for value in values {
        let Some(text) = value.get_ref().as_str() else {
            place.wrong::<()>(&value.span(), &format!("has {}", kind(value.get_ref())), takes);
            continue;
        };
        match read(text) {
            Ok(value) => good.push(value),
            Err((why, cure)) => {
                place.wrong::<()>(&value.span(), &format!("has {:?}, {why}", short(text)), &cure);
            }
        }
    }
    (good.len() == values.len()).then_some(good)
}

/// A list of texts as TOML.
pub(super) fn list<T: ToString>(values: &[T]) -> String {
    let quoted: Vec<_> = values.iter().map(|value| quoted(&value.to_string())).collect();
    format!("[{}]", quoted.join(", "))
}

/// A text as TOML.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// "a, b or c".
fn one_of(words: &[String]) -> String {
    match words {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => words.concat(),
    }
}
