//! Which cores the shards take: `"auto"` or a list of their numbers.

use toml::Spanned;
use toml::de::DeValue;

use super::reader::{Place, kind};
use super::rule::Rule;

/// The kernel's own bound of a set of cores (`CPU_SETSIZE`).
const CORES: u16 = 1024;
/// More shards than this nobody has cores for, see `shards`.
const SHARDS: usize = 256;

/// Which cores the shards take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cores {
    /// All that the process may run on, or the strong ones where they differ.
    Auto,
    /// These, at least one and none twice.
    These(Vec<u16>),
}

/// Reads [`Cores`].
pub(super) struct CoreList;

impl Rule<Cores> for CoreList {
    fn read(&self, found: &Spanned<DeValue<'_>>, place: &mut Place<'_, '_>) -> Option<Cores> {
        let numbers = match found.get_ref() {
            DeValue::String(text) if text == "auto" => return Some(Cores::Auto),
            DeValue::Array(numbers) => numbers,
            _ => return place.wrong_type(found, &self.takes()),
        };
        let mut cores = Vec::with_capacity(numbers.len());
        for number in numbers {
            let integer = number.get_ref().as_integer();
            let core = integer.and_then(|integer| u16::from_str_radix(integer.as_str(), integer.radix()).ok());
            match core.filter(|core| *core < CORES) {
                Some(core) if cores.contains(&core) => {
                    return place.wrong(&number.span(), &format!("has {core} twice"), "each core once");
                }
                Some(core) => cores.push(core),
                None => {
                    let what = format!("has {}, which is no core", kind(number.get_ref()));
                    return place.wrong(&number.span(), &what, &self.takes());
                }
            }
        }
        if cores.is_empty() || cores.len() > SHARDS {
            return place.wrong(&found.span(), &format!("has {} cores", cores.len()), &self.takes());
        }
        Some(Cores::These(cores))
    }

    fn show(&self, value: &Cores) -> Option<String> {
        Some(match value {
            Cores::Auto => "\"auto\"".to_owned(),
            Cores::These(cores) => {
                let cores: Vec<_> = cores.iter().map(u16::to_string).collect();
                format!("[{}]", cores.join(", "))
            }
        })
    }

    fn takes(&self) -> String {
        "\"auto\" or a list of their numbers, such as [4, 5, 6, 7]".to_owned()
    }
}
