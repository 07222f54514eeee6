//! What a section of the file is: the macro that makes a struct, its defaults, its reader and its documentation out of one table.

use super::reader::Reader;

/// One option, for the file that shows them all.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: &'static str,
    /// What it does, line by line.
    pub doc: &'static [&'static str],
    /// What it takes, to follow "write".
    pub takes: String,
    /// The default as TOML; none if the default is to leave it out.
    pub default: Option<String>,
    /// What to show where there is no default.
    pub example: String,
}

/// A section: a table of options.
pub(super) trait Section: Default {
    /// Its key.
    const NAME: &'static str;
    /// What it is about, line by line.
    const ABOUT: &'static [&'static str];
    /// Its options in order.
    fn entries() -> Vec<Entry>;
    /// Reads those that are there; the others keep their defaults.
    fn read(&mut self, reader: &mut Reader<'_, '_>);
    /// Makes faults of options that do not go together.
    fn check(&self, _reader: &mut Reader<'_, '_>) {}
}

/// Reads a section of the file, with all that is wrong in it.
pub(super) fn read<S: Section>(reader: &mut Reader<'_, '_>) -> S {
    let mut section = S::default();
    if let Some(table) = reader.table(S::NAME) {
        let mut inner = reader.inner(table, S::NAME);
        section.read(&mut inner);
        section.check(&mut inner);
        inner.refuse_unknown();
    }
    section
}

/// Declares a section. One line per option: documentation, name, type, default, and the rule with its bounds. All else
/// (field, default, reading, suggestion, `config/wattle.toml`) follows from it.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $name:literal $Section:ident $(checked by $check:ident)? {
            $($(#[doc = $doc:literal])+ $field:ident: $ty:ty = $default:expr, $rule:expr;)+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $Section {
            $($(#[doc = $doc])+ pub $field: $ty,)+
        }

        impl Default for $Section {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        impl $crate::config::section::Section for $Section {
            const NAME: &'static str = $name;
            const ABOUT: &'static [&'static str] = &[$($about),+];

            fn entries() -> Vec<$crate::config::section::Entry> {
                use $crate::config::rule::Rule;
                vec![$({
                    let rule = $rule;
                    let default: $ty = $default;
                    $crate::config::section::Entry {
                        key: stringify!($field),
                        doc: &[$($doc),+],
                        takes: Rule::<$ty>::takes(&rule),
                        default: rule.show(&default),
                        example: Rule::<$ty>::example(&rule),
                    }
                }),+]
            }

            fn read(&mut self, reader: &mut $crate::config::reader::Reader<'_, '_>) {
                $(if let Some(value) = reader.take::<$ty>(stringify!($field), &$rule) {
                    self.$field = value;
                })+
            }

            $(fn check(&self, reader: &mut $crate::config::reader::Reader<'_, '_>) {
                $check(self, reader);
            })?
        }
    };
}

pub(super) use section;
