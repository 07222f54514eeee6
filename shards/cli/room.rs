//! `wattle room`: asks the running server; making, listing and removing rooms goes without one too.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Subcommand;
use wattle::config::Config;

use super::office::{self, Office};
use super::{Failure, count};
use crate::admin::words::{self, Reply, Request, RoomAct, Secret};

/// What can be done with rooms. A room is named by its address or, in the first domain, by what stands before the @.
#[derive(Subcommand)]
pub(super) enum Room {
    /// Show all rooms, one a line: the address, and what people call it.
    List,
    /// Show how a room is set up, who is in it and who belongs to it.
    Show {
        /// The room, such as hall or hall@conference.example.org.
        room: String,
    },
    /// Make a room.
    Create {
        /// The room, such as hall or hall@conference.example.org.
        room: String,
        /// Whose it is; without it the operator's alone.
        #[arg(long, value_name = "JID")]
        owner: Option<String>,
    },
    /// Set a room up otherwise, for people in it at once.
    Config {
        /// The room, such as hall or hall@conference.example.org.
        room: String,
        /// What shall change, such as membersonly=0; `show` tells the names. Other users of this machine can see it while the
        /// command runs.
        #[arg(required = true, value_name = "NAME=VALUE", value_parser = field)]
        fields: Vec<(String, String)>,
    },
    /// Say where somebody stands with a room.
    Affiliation {
        /// The room, such as hall or hall@conference.example.org.
        room: String,
        /// Who: an address; a domain to ban all of it.
        jid: String,
        /// Where they stand.
        #[arg(value_parser = ["owner", "admin", "member", "none", "outcast"])]
        affiliation: String,
        /// Why; they are told.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Remove messages of a room from its archive; who has seen them keeps them.
    Purge {
        /// The room, such as hall or hall@conference.example.org.
        room: String,
        /// Only those older than this.
        #[arg(long, default_value_t = 0)]
        days: u32,
    },
    /// Remove a room with everything that was said in it.
    Destroy {
        /// The room, such as hall or hall@conference.example.org.
        room: String,
        /// Why; those in it are told.
        #[arg(long)]
        reason: Option<String>,
        /// The room where people meet instead.
        #[arg(long, value_name = "ROOM")]
        venue: Option<String>,
    },
}

/// Carries out one of them.
pub(super) fn run(room: Room, config: &Arc<Config>) -> Result<ExitCode, Failure> {
    let mut office = Office::enter(config, false)?;
    let mut act = |room: &str, act| office.ask(&Request::Room { room: room.to_owned(), act });
    let mut out = io::stdout().lock();
    match room {
        Room::List => list(&mut office)?,
        Room::Show { room } => {
            let Reply::Room(shown) = act(&room, RoomAct::Show)? else { return Err(office::surprised().into()) };
            show(&mut out, &shown)?;
        }
        Room::Create { room, owner } => {
            act(&room, RoomAct::Create { owner })?;
            writeln!(out, "{room} is made")?;
        }
        Room::Config { room, fields } => {
            let fields = fields.into_iter().map(|(name, value)| (name, Secret(value))).collect();
            act(&room, RoomAct::Config { fields })?;
            writeln!(out, "{room} is set up as you say")?;
        }
        Room::Affiliation { room, jid, affiliation, reason } => {
            act(&room, RoomAct::Affiliation { jid: jid.clone(), affiliation: affiliation.clone(), reason })?;
            match &*affiliation {
                "none" => writeln!(out, "{jid} is nothing to {room} any more")?,
                _ => writeln!(out, "{jid} is {affiliation} of {room}")?,
            }
        }
        Room::Purge { room, days } => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let before = now.saturating_sub(Duration::from_secs(u64::from(days) * 24 * 60 * 60));
            let before_ms = u64::try_from(before.as_millis()).unwrap_or(u64::MAX);
            let mut all = 0;
            loop {
                let Reply::Purged { messages, more } = act(&room, RoomAct::Purge { before_ms })? else {
                    return Err(office::surprised().into());
                };
                all += u64::from(messages);
                if !more {
                    break;
                }
            }
            writeln!(out, "{} of {room} removed", count(all, "message"))?;
        }
        Room::Destroy { room, reason, venue } => {
            act(&room, RoomAct::Destroy { reason, venue })?;
            writeln!(out, "{room} is removed")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn field(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn list(office: &mut Office) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let mut after = None;
    loop {
        let Reply::Rooms { rooms, more } = office.ask(&Request::RoomList { after })? else {
            return Err(office::surprised().into());
        };
        for (jid, name) in &rooms {
            writeln!(out, "{jid} {}", one_line(name))?;
        }
        match rooms.into_iter().next_back() {
            Some((last, _)) if more => after = Some(last),
            _ => return Ok(()),
        }
    }
}

fn show(out: &mut impl Write, room: &words::Room) -> io::Result<()> {
    writeln!(out, "{}", room.jid)?;
    for (name, label, value) in &room.fields {
        writeln!(out, "  {:<32} # {label}", format!("{name}={}", one_line(value)))?;
    }
    writeln!(out, "{}", count(room.occupants.len() as u64, "occupant"))?;
    for (role, nick, jid) in &room.occupants {
        writeln!(out, "  {role:<11} {} ({jid})", one_line(nick))?;
    }
    writeln!(out, "affiliations: {}", room.people.len())?;
    for (affiliation, jid) in &room.people {
        writeln!(out, "  {affiliation:<11} {jid}")?;
    }
    if room.left_out > 0 {
        writeln!(out, "and {} more", room.left_out)?;
    }
    Ok(())
}

/// What people wrote, without what would move the cursor or hide.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
