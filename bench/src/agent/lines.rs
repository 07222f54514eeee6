//! Lines of JSON on a TCP connection, with a bound on their length and on the time they take.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::net::sockopt;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Nobody has to wait longer until a line is taken from him.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);

/// One side of a conversation.
pub(super) struct Lines {
    stream: TcpStream,
    /// Received, and behind the last line.
    kept: Vec<u8>,
}

impl Lines {
    /// A side whose other end is noticed to be gone, also when it went without a word.
    pub(super) fn new(stream: TcpStream) -> Result<Self, String> {
        let set = || {
            stream.set_nodelay(true)?;
            stream.set_write_timeout(Some(WRITE_PATIENCE))?;
            sockopt::set_socket_keepalive(&stream, true)?;
            sockopt::set_tcp_keepidle(&stream, Duration::from_secs(10))?;
            sockopt::set_tcp_keepintvl(&stream, Duration::from_secs(5))?;
            sockopt::set_tcp_keepcnt(&stream, 3)?;
            Ok::<_, std::io::Error>(())
        };
        set().map_err(|e| e.to_string())?;
        Ok(Self { stream, kept: Vec::new() })
    }

    pub(super) fn say(&mut self, words: &impl Serialize) -> Result<(), String> {
        let mut line = serde_json::to_vec(words).map_err(|e| e.to_string())?;
        line.push(b'\n');
        self.stream.write_all(&line).map_err(|e| e.to_string())
    }

    /// Waits for a line, until the deadline if there is one. `Err` says what came instead.
    pub(super) fn hear<T: DeserializeOwned>(
        &mut self,
        bytes_max: usize,
        deadline: Option<Instant>,
    ) -> Result<T, String> {
        let mut piece = [0; 4096];
        loop {
            if let Some(end) = self.kept.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.kept.drain(..=end).collect();
                return serde_json::from_slice(&line).map_err(|e| {
                    format!("{e}, in {:?}", String::from_utf8_lossy(&line[..line.len().min(200)]).trim())
                });
            }
            if self.kept.len() > bytes_max {
                return Err(format!("a line of more than {bytes_max} bytes"));
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Err("no answer came in time".to_owned());
            }
            self.stream.set_read_timeout(left).map_err(|e| e.to_string())?;
            match self.stream.read(&mut piece) {
                Ok(0) => return Err("the connection was closed".to_owned()),
                Ok(got) => self.kept.extend_from_slice(&piece[..got]),
                Err(e) if matches!(e.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(e) => return Err(e.to_string()),
            }
        }
    }
}
