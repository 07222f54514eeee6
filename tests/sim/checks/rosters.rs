//! What the clients see of their rosters (RFC 6121 section 2).

use std::collections::BTreeMap;

use wattle::store::{RosterItem, Subscription};

use crate::story::{Asked, Story, Verdict};

impl Story {
    pub(super) fn check_rosters(&self) -> Verdict {
        for device in 0..self.devices.len() {
            let Some(index) = self.connected(device) else { continue };
            let session = &self.sessions[index];
            let waiting = self.devices[device].asked.values().any(|asked| matches!(asked, Asked::Roster));
            if !session.wants_roster || waiting {
                continue;
            }
            let row = self.world.store.row(&self.accounts[session.account].jid).unwrap();
            let truth: BTreeMap<String, String> =
                row.record.roster.iter().map(|item| (item.jid.as_str().to_owned(), written(item))).collect();
            if session.roster != truth {
                return Err(format!("{} sees the roster {:?}, and it is {truth:?}", session.jid, session.roster));
            }
        }
        Ok(())
    }
}

/// An item in the words of [`Story`]'s clients.
fn written(item: &RosterItem) -> String {
    let subscription = match item.subscription {
        Subscription::None => "none",
        Subscription::To => "to",
        Subscription::From => "from",
        Subscription::Both => "both",
    };
    let groups: Vec<String> = item.groups.iter().map(|group| group.to_string()).collect();
    format!("{:?} {:?} {} {} {groups:?}", item.name.as_deref(), Some(subscription), item.ask, item.approved)
}
