//! Plays one conversation, step by step.

use super::caps;
use super::reading::{Item, Reading, template, text};
use super::script::{Script, Step};
use super::template::{Captures, expand, matches, repeat};
use super::{Patience, Read, Stage};
use wattle::ns;
use wattle::xml::Element;

/// Plays a conversation to its end.
///
/// # Errors
/// Where it went otherwise than written.
pub(crate) fn play(script: &Script, stage: &mut impl Stage) -> Result<(), String> {
    let clients = script.cast.iter().map(|_| Client { reading: Reading::new(), open: false }).collect();
    let mut player = Player { script, stage, clients, captures: Captures::new(), syncs: 0 };
    let file = script.place.split(':').next().unwrap_or_default();
    for line in &script.steps {
        player
            .step(&line.step)
            .map_err(|fault| format!("{file}:{}: {fault}\n    in {:?}", line.number, script.title))?;
    }
    for (who, role) in script.cast.iter().enumerate() {
        if player.clients[who].open {
            player.nothing(who).map_err(|fault| {
                format!("{}: {} after the last step: {fault}\n    in {:?}", script.place, role.name, script.title)
            })?;
        }
    }
    Ok(())
}

pub(super) struct Client {
    pub(super) reading: Reading,
    pub(super) open: bool,
}

pub(super) struct Player<'a, S> {
    pub(super) script: &'a Script,
    pub(super) stage: &'a mut S,
    pub(super) clients: Vec<Client>,
    pub(super) captures: Captures,
    syncs: u32,
}

pub(super) type Outcome<T = ()> = Result<T, String>;

impl<S: Stage> Player<'_, S> {
    fn step(&mut self, step: &Step) -> Outcome {
        match step {
            Step::Climb(who, rung, door) => self.climb(*who, *rung, *door),
            Step::StartTls(who) => {
                self.stage.start_tls(*who);
                Ok(())
            }
            Step::Authenticate(who, credentials) => self.authenticate(*who, credentials),
            Step::Available(who) => self.available(*who),
            Step::Friends(one, other) => self.befriend(*one, *other),
            Step::SeeEachOther(one, other) => self.meet(*one, *other),
            Step::Send(who, text) => {
                let bytes = expand(text, &self.captures)?;
                self.stage.write(*who, &bytes);
                Ok(())
            }
            Step::Receive { who, template: text, unordered } => {
                let expected = template(&repeat(text)?)?;
                if *unordered { self.receive_unordered(*who, expected) } else { self.receive(*who, &expected) }
            }
            Step::Nothing(who) => self.nothing(*who),
            Step::Ended(who) => {
                self.receive(*who, &[Item::End, Item::Closed])?;
                self.clients[*who].open = false;
                Ok(())
            }
            Step::CutOff(who) => {
                self.receive(*who, &[Item::Closed])?;
                self.clients[*who].open = false;
                Ok(())
            }
            Step::Cut(who) => {
                self.nothing(*who)?;
                self.stage.cut(*who);
                self.clients[*who].open = false;
                Ok(())
            }
            Step::Sync(who, jid) => self.sync(*who, jid),
            Step::Enter { who, occupant, makes } => self.enter(*who, occupant, *makes),
            Step::Caps(who, ver) => self.compute_caps(*who, ver),
            Step::Pass(ms) => {
                self.stage.pass(*ms);
                Ok(())
            }
            Step::Shutdown => {
                self.stage.shut_down();
                Ok(())
            }
            Step::Restart => {
                self.stage.restart();
                Ok(())
            }
            Step::Store { fails } => {
                self.stage.fail_store(*fails);
                Ok(())
            }
            Step::Empty(jid) => {
                self.stage.empty_archive(jid);
                Ok(())
            }
        }
    }

    /// The next item, waiting for it.
    pub(super) fn next(&mut self, who: usize, patience: Patience) -> Outcome<Option<Item>> {
        loop {
            let reading = &mut self.clients[who].reading;
            if let Some(item) = reading.items().pop_front() {
                return Ok(Some(item));
            }
            match self.stage.read(who, patience) {
                Read::Bytes(bytes) => reading.feed(&bytes)?,
                Read::Nothing => return Ok(None),
                Read::Closed => return Ok(Some(Item::Closed)),
            }
        }
    }

    pub(super) fn expect(&mut self, who: usize) -> Outcome<Item> {
        let name = &self.script.cast[who].name;
        self.next(who, Patience::Expecting)?.ok_or_else(|| format!("{name} received nothing"))
    }

    fn receive(&mut self, who: usize, expected: &[Item]) -> Outcome {
        for wanted in expected {
            let got =
                self.next(who, Patience::Expecting)?.ok_or_else(|| format!("nothing came instead of\n    {wanted}"))?;
            matches(wanted, &got, &mut self.captures)
                .map_err(|fault| format!("{fault}\n    wanted {wanted}\n    got    {got}"))?;
        }
        Ok(())
    }

    fn receive_unordered(&mut self, who: usize, mut expected: Vec<Item>) -> Outcome {
        while !expected.is_empty() {
            let missing = || expected.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n    ");
            let got = self
                .next(who, Patience::Expecting)?
                .ok_or_else(|| format!("nothing came instead of\n    {}", missing()))?;
            let captures = &mut self.captures;
            let fits = expected.iter().position(|wanted| matches(wanted, &got, captures).is_ok());
            let fits = fits.ok_or_else(|| format!("got    {got}\n    wanted one of\n    {}", missing()))?;
            expected.remove(fits);
        }
        Ok(())
    }

    fn nothing(&mut self, who: usize) -> Outcome {
        match self.next(who, Patience::Doubting)? {
            None => Ok(()),
            Some(item) => Err(format!("{} received {item}", self.script.cast[who].name)),
        }
    }

    pub(super) fn write(&mut self, who: usize, text: &str) {
        self.stage.write(who, text.as_bytes());
    }

    pub(super) fn element(&mut self, who: usize, name: &str, namespace: &str) -> Outcome<Element> {
        match self.expect(who)? {
            Item::Element(element) if element.is(name, namespace) => Ok(element),
            item => Err(format!("{} wanted <{name}/>, got {item}", self.script.cast[who].name)),
        }
    }

    /// Initial presence, and its echo.
    fn available(&mut self, who: usize) -> Outcome {
        self.write(who, "<presence/>");
        let echo = self.element(who, "presence", ns::CLIENT)?;
        let full = format!("{}/{}", self.account(who), self.script.cast[who].resource);
        if echo.attr("from") == Some(&*full) && echo.attr("type").is_none() {
            Ok(())
        } else {
            Err(format!("no echo of presence: {}", text(&echo)))
        }
    }

    /// Two that are not available yet, and have not asked for their rosters, subscribe to each other; so nobody hears of it.
    fn befriend(&mut self, one: usize, other: usize) -> Outcome {
        for (from, kind, to) in [
            (one, "subscribe", other),
            (other, "subscribed", one),
            (other, "subscribe", one),
            (one, "subscribed", other),
        ] {
            let to = self.account(to).to_owned();
            self.write(from, &format!("<presence type='{kind}' to='{to}'/>"));
            self.sync(from, &to)?;
        }
        Ok(())
    }

    /// Two friends become available, one after the other (RFC 6121 sections 4.2.2 and 4.3.2).
    fn meet(&mut self, one: usize, other: usize) -> Outcome {
        let full = |who: usize| format!("{}/{}", self.account(who), self.script.cast[who].resource);
        let (first, second, absent) = (full(one), full(other), self.account(other).to_owned());
        for (comes, sees, from, kind) in
            [(one, one, &absent, Some("unavailable")), (other, other, &first, None), (other, one, &second, None)]
        {
            if sees == comes {
                self.available(comes)?;
            }
            let seen = self.element(sees, "presence", ns::CLIENT)?;
            if seen.attr("from") != Some(from) || seen.attr("type") != kind {
                return Err(format!("they do not see each other: {}", text(&seen)));
            }
        }
        Ok(())
    }

    /// Into a room, until the subject that ends what entering brings (XEP-0045 section 7.1); and the instant room of section
    /// 10.1.2, if it is made.
    fn enter(&mut self, who: usize, occupant: &str, makes: bool) -> Outcome {
        self.write(who, &format!("<presence to='{occupant}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"));
        loop {
            match self.expect(who)? {
                Item::Element(end) if end.child("subject", ns::CLIENT).is_some() => break,
                Item::Element(item) if item.attr("type") != Some("error") => {}
                other => return Err(format!("did not enter {occupant}: {other}")),
            }
        }
        if makes {
            let room = occupant.split('/').next().unwrap_or_default();
            self.write(who, &format!("<iq type='set' id='instant' to='{room}'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query></iq>"));
            let result = self.element(who, "iq", ns::CLIENT)?;
            if result.attr("type") != Some("result") {
                return Err(format!("the room was not made: {}", text(&result)));
            }
        }
        Ok(())
    }

    /// A request goes to an account or domain and its answer comes back: what was sent there before has arrived.
    fn sync(&mut self, who: usize, jid: &str) -> Outcome {
        self.syncs += 1;
        let id = format!("sync{}", self.syncs);
        self.write(who, &format!("<iq type='get' id='{id}' to='{jid}'><sync xmlns='urn:example:sync'/></iq>"));
        let mut others = Vec::new();
        loop {
            match self.expect(who)? {
                Item::Element(iq) if iq.name.as_ref() == "iq" && iq.attr("id") == Some(&id) => break,
                Item::Closed => return Err("closed while it waited".to_owned()),
                other => others.push(other),
            }
        }
        for other in others.into_iter().rev() {
            self.clients[who].reading.items().push_front(other);
        }
        Ok(())
    }

    /// Asks the domain what it is and compares its hash with the one that was announced.
    fn compute_caps(&mut self, who: usize, announced: &str) -> Outcome {
        let announced = String::from_utf8_lossy(&expand(announced, &self.captures)?).into_owned();
        let domain = self.domain(who).to_owned();
        self.write(
            who,
            &format!(
                "<iq type='get' id='caps' to='{domain}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
            ),
        );
        let result = self.element(who, "iq", ns::CLIENT)?;
        let query = result.child("query", "http://jabber.org/protocol/disco#info").ok_or_else(|| text(&result))?;
        let computed = caps::ver(query);
        if computed == announced { Ok(()) } else { Err(format!("the caps are {computed}, not {announced}")) }
    }
}
