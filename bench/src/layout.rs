//! JSON that people can read too: an entry to a line, and a column of numbers on one.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};

/// Pretty, but for what stands in an array.
#[derive(Default)]
struct Layout<'i> {
    pretty: PrettyFormatter<'i>,
    compact: CompactFormatter,
    arrays: usize,
}

/// The text of a value, with a line's end.
pub(crate) fn text(value: &Value) -> Result<String, String> {
    let mut bytes = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut bytes, Layout::default());
    value.serialize(&mut serializer).map_err(|e| e.to_string())?;
    bytes.push(b'\n');
    String::from_utf8(bytes).map_err(|e| e.to_string())
}

impl Formatter for Layout<'_> {
    fn begin_array<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.arrays += 1;
        self.compact.begin_array(to)
    }

    fn end_array<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.arrays -= 1;
        self.compact.end_array(to)?;
        // The pretty one has to know that there was a value.
        if self.arrays == 0 { self.pretty.end_array_value(to) } else { Ok(()) }
    }

    fn begin_array_value<W: Write + ?Sized>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        to.write_all(if first { b"" } else { b", " })
    }

    fn begin_object<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        if self.arrays == 0 { self.pretty.begin_object(to) } else { self.compact.begin_object(to) }
    }

    fn end_object<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        if self.arrays == 0 { self.pretty.end_object(to) } else { self.compact.end_object(to) }
    }

    fn begin_object_key<W: Write + ?Sized>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        if self.arrays == 0 {
            return self.pretty.begin_object_key(to, first);
        }
        to.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        to.write_all(b": ")
    }

    fn end_object_value<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        if self.arrays == 0 { self.pretty.end_object_value(to) } else { Ok(()) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde_json::{Value, json};

    #[test]
    fn columns_stand_on_one_line() {
        let value = json!({ "a": [1, 2.5, null], "b": { "c": [{ "d": [true], "e": "x" }, {}], "f": {} }, "g": [] });
        let text = super::text(&value).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        let lines = [
            "{",
            "  \"a\": [1, 2.5, null],",
            "  \"b\": {",
            "    \"c\": [{\"d\": [true], \"e\": \"x\"}, {}],",
            "    \"f\": {}",
            "  },",
            "  \"g\": []",
            "}",
            "",
        ];
        assert_eq!(text, lines.join("\n"));
    }
}
