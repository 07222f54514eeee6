//! A client that may come back to its session, and knows what it must not get again.

use wattle::ns;
use wattle::xml::Element;

use super::ENABLE;
use crate::world::{Client, World};

/// A client that counts what it gets, so that it may come back.
pub(super) struct Counting {
    pub(super) client: Client,
    pub(super) token: String,
    pub(super) h: u32,
}

impl Counting {
    pub(super) fn online(world: &mut World, jid: &str, first: &str) -> Self {
        let mut client = Client::online(world, 0, jid, "secret");
        let got = client.ask(world, &format!("{ENABLE}{first}"));
        let place = got.iter().position(|element| element.is("enabled", ns::SM)).unwrap();
        let token = got[place].attr("id").unwrap().to_owned();
        Self { client, token, h: counted(&got[place..]) }
    }

    /// What came, and is counted.
    pub(super) fn take(&mut self, world: &mut World) -> Vec<Element> {
        let got = self.client.take(world);
        self.h += counted(&got);
        got
    }

    pub(super) fn ask(&mut self, world: &mut World, xml: &str) -> Vec<Element> {
        self.client.send(world, xml);
        self.take(world)
    }

    /// What it gets as it comes back, `<resumed/>` first.
    pub(super) fn back(&mut self, world: &mut World) -> Vec<Element> {
        let (bare, _) = self.client.jid.split_once('/').unwrap_or((&self.client.jid, ""));
        let bare = bare.to_owned();
        self.client = Client::connect(world, 0, &bare, "secret").resuming(&self.token, self.h);
        let got = self.take(world);
        assert!(got[0].is("resumed", ns::SM), "{got:?}");
        got
    }
}

pub(super) fn counted(got: &[Element]) -> u32 {
    u32::try_from(got.iter().filter(|element| *element.ns == *ns::CLIENT).count()).unwrap()
}
