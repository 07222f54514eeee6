//! What a device does of its own.

use wattle::ns;

use super::{Asked, RESUME_SECONDS, Story};
use crate::ledger::{Known, Mark, Message, Said, Sent};
use crate::world::Stage;

impl Story {
    /// A device does something of its own.
    pub(super) fn act(&mut self, device: usize) {
        let Some(client) = &self.devices[device].client else {
            return self.appear(device);
        };
        if client.is_over(&self.world) {
            return self.lose_client(device, true);
        }
        match client.stage {
            Stage::Bound => {}
            Stage::Failed(_) => return self.after_failure(device),
            _ => {
                if self.chance.percent(3) {
                    self.note(format!("{} vanishes while it logs in", self.name(device)));
                    let noticed = self.chance.percent(50);
                    self.cut(device, noticed);
                }
                return;
            }
        }
        let Some(session) = self.devices[device].session else { return };
        match self.chance.below(1000) {
            0..300 => self.chat(device, session, false),
            300..430 => self.chat(device, session, true),
            430..510 => self.show(device, session, true),
            510..530 => self.show(device, session, false),
            530..590 => {
                let kind = *self.chance.pick(&["subscribe", "subscribed", "unsubscribe", "unsubscribed"]);
                let contact = self.other_account(device);
                self.subscription(device, kind, contact);
            }
            590..630 => {
                let requests = &self.accounts[self.devices[device].account].requests;
                if !requests.is_empty() {
                    let contact = *self.chance.pick(&requests.clone());
                    self.subscription(device, "subscribed", contact);
                    self.subscription(device, "subscribe", contact);
                }
            }
            630..670 => self.change_roster(device),
            670..690 => self.block(device, true),
            690..730 => self.block(device, false),
            730..770 => {
                let on = self.chance.percent(80);
                self.switch_carbons(device, session, on);
            }
            770..800 => {
                let inactive = self.chance.percent(60);
                self.look(device, session, !inactive);
            }
            800..850 => self.manage(device, session),
            850..900 => self.acknowledge(device, session),
            900..920 => {
                let full = self.chance.percent(50);
                self.sessions[session].congested |= full;
                let end = self.sessions[session].end;
                self.world.congest(end, full);
            }
            920..945 => {
                let noticed = self.chance.percent(50);
                self.note(format!("{} is cut{}", self.name(device), if noticed { "" } else { ", unnoticed" }));
                self.cut(device, noticed);
            }
            945..955 => {
                self.note(format!("{} hangs up", self.name(device)));
                let end = self.devices[device].client.as_ref().unwrap().end;
                self.world.hang_up(end);
                self.drop_client(device, end);
            }
            955..963 => self.log_out(device, session),
            963..965 => self.change_password(device),
            965..985 => self.fetch_roster(device, session),
            _ => {
                // The server may learn late that earlier connections are dead.
                for end in std::mem::take(&mut self.devices[device].dead) {
                    self.world.notice(end);
                }
            }
        }
    }

    fn other_account(&mut self, device: usize) -> usize {
        let own = self.devices[device].account;
        (own + 1 + self.chance.below(self.plan.accounts - 1)) % self.plan.accounts
    }

    /// Writes a stanza of a bound session.
    pub(super) fn say(&mut self, device: usize, sent: Sent, xml: &str) -> Mark {
        let end = self.devices[device].client.as_ref().unwrap().end;
        self.world.write(end, xml.as_bytes());
        let session = self.devices[device].session.unwrap();
        let session = &mut self.sessions[session];
        if session.asked_managed {
            session.sent += 1;
            session.unacknowledged.push((session.sent, sent, xml.into()));
        }
        Mark { end, written: self.world.written(end) }
    }

    fn question(&mut self, device: usize, what: Asked, kind: &str, payload: &str) {
        let id = self.id();
        self.devices[device].asked.insert(id.clone(), what);
        self.say(device, Sent::Other, &format!("<iq type='{kind}' id='{id}'>{payload}</iq>"));
    }

    pub(super) fn chat(&mut self, device: usize, session: usize, full: bool) {
        let to_account = self.other_account(device);
        let to_device = full.then(|| to_account + self.plan.accounts * self.chance.below(self.plan.devices_each));
        let to = match to_device {
            Some(to) => format!("{}/{}", self.accounts[to_account].jid, self.devices[to].resource),
            None => self.accounts[to_account].jid.clone(),
        };
        let number = self.messages.len();
        self.note(format!("{} sends m{number} to {to}", self.name(device)));
        let xml = format!("<message type='chat' id='m{number}' to='{to}'><body>m{number}</body></message>");
        let mark = self.say(device, Sent::Message(number), &xml);
        self.messages.push(Message {
            from: session,
            from_account: self.devices[device].account,
            to_account,
            to_device,
            sent: self.step,
            marks: vec![mark],
            got: Vec::new(),
            acknowledged: false,
            bounced: false,
            faulted: false,
            lost: false,
            may_repeat: false,
            may_lie: true,
            blocked: false,
        });
    }

    pub(crate) fn show(&mut self, device: usize, session: usize, available: bool) {
        let priority: i8 = if available { *self.chance.pick(&[0, 0, 0, 5, -1]) } else { 0 };
        self.show_as(device, session, available, priority);
    }

    pub(crate) fn show_as(&mut self, device: usize, session: usize, available: bool, priority: i8) {
        if self.sessions[session].inactive {
            // Coalesced while inactive, its own leaving and coming back would look like nothing at all.
            self.look(device, session, true);
        }
        let id = self.id();
        self.note(format!("{} shows {available} {priority} ({id})", self.name(device)));
        let xml = if available {
            format!("<presence id='{id}'><priority>{priority}</priority></presence>")
        } else {
            format!("<presence type='unavailable' id='{id}'/>")
        };
        let index = self.sessions[session].said.len();
        let mark = self.say(device, Sent::Presence(index), &xml);
        self.sessions[session].said.push(Said { id, available, priority, marks: vec![mark] });
        self.sessions[session].shown = Known::Unsure;
    }

    fn subscription(&mut self, device: usize, kind: &str, contact: usize) {
        let to = self.accounts[contact].jid.clone();
        self.note(format!("{} {kind} {to}", self.name(device)));
        self.say(device, Sent::Other, &format!("<presence type='{kind}' to='{to}'/>"));
        let account = self.devices[device].account;
        if kind != "subscribe" && kind != "unsubscribe" {
            self.accounts[account].requests.retain(|known| *known != contact);
        }
    }

    fn change_roster(&mut self, device: usize) {
        let contact = self.other_account(device);
        let jid = self.accounts[contact].jid.clone();
        let item = if self.chance.percent(20) {
            format!("<item jid='{jid}' subscription='remove'/>")
        } else {
            let name = self.chance.below(1000);
            format!("<item jid='{jid}' name='n{name}'><group>g{}</group></item>", name % 7)
        };
        self.note(format!("{} sets {item}", self.name(device)));
        self.question(device, Asked::Other, "set", &format!("<query xmlns='jabber:iq:roster'>{item}</query>"));
    }

    fn block(&mut self, device: usize, on: bool) {
        let contact = self.other_account(device);
        let account = self.devices[device].account;
        let jid = self.accounts[contact].jid.clone();
        let verb = if on { "block" } else { "unblock" };
        self.note(format!("{} {verb}s {jid}", self.name(device)));
        let step = self.step;
        let block = &mut self.accounts[account].blocks[contact];
        block.muddled |= block.asked > 0;
        block.asked += 1;
        block.state = Known::Unsure;
        block.touched = step;
        let payload = format!("<{verb} xmlns='urn:xmpp:blocking'><item jid='{jid}'/></{verb}>");
        self.question(device, Asked::Block(contact, on), "set", &payload);
    }

    pub(super) fn switch_carbons(&mut self, device: usize, session: usize, on: bool) {
        self.note(format!("{} carbons {on}", self.name(device)));
        self.sessions[session].carbons = Known::Unsure;
        self.sessions[session].carbons_asked |= on;
        let verb = if on { "enable" } else { "disable" };
        self.question(device, Asked::Carbons(on), "set", &format!("<{verb} xmlns='urn:xmpp:carbons:2'/>"));
    }

    pub(crate) fn look(&mut self, device: usize, session: usize, active: bool) {
        self.sessions[session].inactive = !active;
        let end = self.sessions[session].end;
        let verb = if active { "active" } else { "inactive" };
        self.note(format!("{} is {verb}", self.name(device)));
        self.world.write(end, format!("<{verb} xmlns='urn:xmpp:csi:0'/>").as_bytes());
    }

    pub(super) fn manage(&mut self, device: usize, session: usize) {
        if self.sessions[session].asked_managed {
            return;
        }
        self.note(format!("{} enables stream management", self.name(device)));
        self.sessions[session].asked_managed = true;
        let end = self.sessions[session].end;
        let resume = if self.chance.percent(80) { "resume='true'" } else { "" };
        self.world.write(end, format!("<enable xmlns='{}' {resume} max='{RESUME_SECONDS}'/>", ns::SM).as_bytes());
    }

    pub(crate) fn acknowledge(&mut self, _device: usize, session: usize) {
        let session = &mut self.sessions[session];
        if session.managed {
            let xml = format!("<a xmlns='{}' h='{}'/><r xmlns='{}'/>", ns::SM, session.received, ns::SM);
            session.owes_ack = false;
            self.world.write(session.end, xml.as_bytes());
        }
    }

    fn change_password(&mut self, device: usize) {
        let account = self.devices[device].account;
        let index = self.accounts[account].passwords.len();
        let password = format!("secret{index}");
        self.note(format!("{} changes its password to {password}", self.name(device)));
        self.accounts[account].passwords.push(password.clone());
        self.accounts[account].password_muddled = true;
        // From now on any session of the account may end.
        for other in self.sessions.iter_mut().filter(|other| other.account == account) {
            other.may_be_gone = true;
        }
        let payload = format!(
            "<query xmlns='jabber:iq:register'><username>user{account}</username><password>{password}</password></query>"
        );
        self.question(device, Asked::Password, "set", &payload);
    }

    pub(crate) fn fetch_roster(&mut self, device: usize, session: usize) {
        if !self.sessions[session].wants_roster {
            self.sessions[session].wants_roster = true;
            self.question(device, Asked::Roster, "get", "<query xmlns='jabber:iq:roster'/>");
        }
    }
}
