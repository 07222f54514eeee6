//! What a shard counts, for `wattle stats`; names are stable and end in their unit.

/// Counters since the start, and gauges of now.
#[derive(Debug, Default, Clone)]
pub struct Counters {
    /// Stanzas that clients of this shard sent.
    pub stanzas_in: u64,
    /// Stanzas that were handed to sessions of this shard.
    pub stanzas_out: u64,
    /// Stanzas that went to other shards.
    pub stanzas_handed: u64,
    /// Stanzas that were answered with an error.
    pub stanzas_refused: u64,
    /// Messages that were stored.
    pub messages_stored: u64,
    /// Messages that went to the offline queue.
    pub messages_offline: u64,
    /// Logins that succeeded.
    pub logins: u64,
    /// Logins that failed.
    pub login_failures: u64,
    /// Sessions that a lost server left behind and this one has again.
    pub restored: u64,
    /// Sessions that were resumed.
    pub resumptions: u64,
    /// Streams that a peer broke.
    pub misbehaved: u64,
    /// Things dropped at a bound of `limits.rs`.
    pub dropped: u64,
}

impl Counters {
    /// By name.
    #[must_use]
    pub fn list(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("stanzas_in", self.stanzas_in),
            ("stanzas_out", self.stanzas_out),
            ("stanzas_handed", self.stanzas_handed),
            ("stanzas_refused", self.stanzas_refused),
            ("messages_stored", self.messages_stored),
            ("messages_offline", self.messages_offline),
            ("logins", self.logins),
            ("login_failures", self.login_failures),
            ("restored", self.restored),
            ("resumptions", self.resumptions),
            ("misbehaved", self.misbehaved),
            ("dropped", self.dropped),
        ]
    }
}
