//! Where a new password comes from: the command line, the terminal without echo, or a pipe.

use std::io::{self, IsTerminal, Read};

use crate::admin::words::Secret;
use crate::fault::Fault;

/// Bytes of a password that is read from standard input.
const PASSWORD_BYTES: u64 = 4_096;

/// The password that was given, typed or piped in.
pub(super) fn secret(given: Option<String>, jid: &str) -> Result<Secret, Fault> {
    if let Some(given) = given {
        return Ok(Secret(given));
    }
    if !io::stdin().is_terminal() {
        return read(io::stdin().lock());
    }
    let typed = |prompt: String| {
        rpassword::prompt_password(prompt)
            .map_err(|error| Fault::new(format!("no password was read: {error}"), "use --password, or pipe it in"))
    };
    let first = typed(format!("Password for {jid}: "))?;
    if first != typed("The same again: ".to_owned())? {
        return Err(Fault::new("the two passwords differ", "try again"));
    }
    Ok(Secret(first))
}

/// One line.
fn read(input: impl Read) -> Result<Secret, Fault> {
    let mut text = String::new();
    let cure = "pipe the password in as one line of UTF-8";
    input
        .take(PASSWORD_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|error| Fault::new(format!("no password was read: {error}"), cure))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if text.len() as u64 > PASSWORD_BYTES || line.contains('\n') {
        return Err(Fault::new("there is more than one line of password on standard input", cure));
    }
    Ok(Secret(line.to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::{PASSWORD_BYTES, read};

    #[test]
    fn one_line_with_any_end() {
        for text in ["open sesame", "open sesame\n", "open sesame\r\n"] {
            assert_eq!(read(text.as_bytes()).unwrap().0, "open sesame");
        }
        assert_eq!(read(" two spaces \n".as_bytes()).unwrap().0, " two spaces ");
        assert!(read("one\ntwo\n".as_bytes()).is_err());
        assert!(read(&b"\xff\n"[..]).is_err());
        assert!(read(&*vec![b'a'; PASSWORD_BYTES as usize + 1]).is_err());
    }
}
