//! The command line's end of the admin socket.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use wattle::config::Config;

use super::words::{LINE_BYTES, Reply, Request, line};
use crate::fault::Fault;

/// An answer waits for a commit or for every shard, hardly longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to the running server.
pub(crate) struct Client {
    reader: BufReader<UnixStream>,
}

impl Client {
    /// Connects to the server of this configuration; none if it does not run.
    ///
    /// # Errors
    /// If there is a socket that this user may not open.
    pub(crate) fn to_server(config: &Config) -> Result<Option<Self>, Fault> {
        let path = config.server.admin_socket();
        Self::connect(&path).map_err(|error| {
            let what = format!("cannot talk to the server at {}: {error}", path.display());
            Fault::new(what, "run this as the user that runs the server, or as root")
        })
    }

    /// Connects; none if nobody listens.
    pub(super) fn connect(path: &Path) -> io::Result<Option<Self>> {
        match UnixStream::connect(path) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                Ok(Some(Self { reader: BufReader::new(stream) }))
            }
            // No file, or one that a killed server left behind.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// If the server refuses, goes away, or says what this program does not know.
    pub(crate) fn ask(&mut self, request: &Request) -> Result<Reply, Fault> {
        match self.exchange(request) {
            Ok(Reply::Refused { what, cure }) => Err(Fault { what, cure }),
            Ok(reply) => Ok(reply),
            Err(error) => {
                let what = format!("the server did not answer: {error}");
                Err(Fault::new(what, "see whether it still runs, and what its log says"))
            }
        }
    }

    fn exchange(&mut self, request: &Request) -> io::Result<Reply> {
        // A server that is too busy says so and hangs up before it reads: then its sentence is worth more than the error.
        let written = self.reader.get_mut().write_all(&line(request));
        let mut reply = Vec::new();
        self.reader.by_ref().take(LINE_BYTES as u64).read_until(b'\n', &mut reply)?;
        if reply.is_empty() {
            written?;
            return Err(ErrorKind::UnexpectedEof.into());
        }
        serde_json::from_slice(&reply).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
    }
}
