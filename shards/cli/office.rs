//! Who carries out a request: the server that runs, or this process on the store that nobody else has open.

use std::sync::Arc;

use wattle::config::Config;

use crate::admin::accounts;
use crate::admin::client::Client;
use crate::admin::words::{Reply, Request};
use crate::cli::owner;
use crate::fault::Fault;
use crate::store::Store;

/// The one who carries out requests.
pub(super) enum Office {
    /// The running server.
    Server(Client),
    /// Nobody runs, so the store is open here.
    Store {
        /// Locked for as long as this lives.
        store: Store,
        /// For the domains.
        config: Arc<Config>,
    },
}

impl Office {
    /// Finds the running server, or opens the store, which is made if it is missing and `make` says so.
    pub(super) fn enter(config: &Arc<Config>, make: bool) -> Result<Self, Fault> {
        if let Some(client) = Client::to_server(config)? {
            return Ok(Self::Server(client));
        }
        let data = &config.server.data;
        if !make && !data.exists() {
            let what = format!("there is no data folder {}", data.display());
            return Err(Fault::new(what, "go where it is, or name the configuration with --config FILE"));
        }
        owner::refuse_others(data, "…")?;
        let store = Store::open(config, Arc::new(|_, _, _| {}))?;
        Ok(Self::Store { store, config: Arc::clone(config) })
    }

    /// Asks.
    pub(super) fn ask(&mut self, request: &Request) -> Result<Reply, Fault> {
        match self {
            Self::Server(client) => client.ask(request),
            Self::Store { store, config } => {
                let handle = store.handle();
                accounts::answer(request, config, &|question| handle.call(question))
            }
        }
    }

    /// Asks for something to be done; how many sessions were ended by it.
    pub(super) fn done(&mut self, request: &Request) -> Result<u32, Fault> {
        match self.ask(request)? {
            Reply::Done { sessions_ended } => Ok(sessions_ended),
            _ => Err(surprised()),
        }
    }
}

/// For a reply of the wrong kind.
pub(super) fn surprised() -> Fault {
    Fault::new("the server said something that does not fit", "use the command line of the same version as the server")
}
