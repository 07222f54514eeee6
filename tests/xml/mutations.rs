//! Stanzas spoilt at random, from a fixed seed: the framer and rxml must agree (see the fuzz target `frame`).

use super::{HEADER, target};

/// Mutated streams that are tried.
const STREAMS: usize = 20_000;

/// What the streams are made of.
const STANZAS: [&str; 8] = [
    "<message from='juliet@example.com/balcony' to='romeo@example.net' type='chat' id='ju2ba41c' xml:lang='en'>\
     <body>Art thou not Romeo, &amp; a Montague?</body><thread>e0ffe42b28561960c6b12b944a092794b9683a38</thread>\
     <request xmlns='urn:xmpp:receipts'/></message>",
    "<presence><show>dnd</show><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='http://code.google.com/p/exodus' \
     ver='QgayPKawpkPSDYmwT/WM94uAlu0='/></presence>",
    "<iq id=\"rs1\" type='set'><query xmlns='jabber:iq:roster'><item jid='nurse@example.com' name='N&#xFC;rse'><group>Servants\
     </group></item></query></iq>",
    "<p:message xmlns:p='jabber:client' xmlns='urn:x' xmlns:q='urn:q' q:a='1' p:a='2' a='3'><q:b xmlns:q='urn:r'><q:c/></q:b>\
     <d xmlns=''><e/></d></p:message>",
    "<message><body><![CDATA[<b> & ]] ]]>\u{E4}\u{20AC}\u{1F600}</body><stream:x stream:y='z'/></message>",
    "<a><b><c><d e=\"'\" f='\"'/></c></b>\r\n\t</a>",
    "<r xmlns='urn:xmpp:sm:3'/><a xmlns='urn:xmpp:sm:3' h='1'/>",
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256'>biwsbj1qdWxpZXQscj0x</auth>",
];

/// Bytes that mean something somewhere.
const SPICE: [&[u8]; 40] = [
    b"<",
    b">",
    b"/",
    b"'",
    b"\"",
    b"=",
    b"&",
    b";",
    b":",
    b" ",
    b"!",
    b"?",
    b"]]>",
    b"<![CDATA[",
    b"<!--",
    b"-->",
    b"&lt;",
    b"&#0;",
    b"&#xD800;",
    b"&foo;",
    b"\0",
    b"\x0B",
    b"\r",
    b"\xC0\x80",
    b"\xED\xA0\x80",
    b"\xEF\xBF\xBF",
    b"\xF0\x9F\x98\x80",
    b"xmlns",
    b"xmlns:x='y' ",
    b" x:a=''",
    b"xml:",
    b"stream:",
    b"</stream:stream>",
    b"<x/>",
    b"1",
    b"-",
    b"<?xml version='1.0'?>",
    b" xmlns=''",
    b"<a>",
    b"</a>",
];

/// xorshift64*, so that every run tries the same.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize) % bound.max(1)
    }
}

#[test]
fn rxml_agrees_on_spoilt_streams() {
    let mut dice = Dice(0x5EED);
    for _ in 0..STREAMS {
        let mut stream = HEADER.as_bytes().to_vec();
        let header = stream.len();
        for _ in 0..=dice.below(3) {
            stream.extend_from_slice(STANZAS[dice.below(STANZAS.len())].as_bytes());
        }
        for _ in 0..=dice.below(3) {
            // The header is spoilt less often: what follows it would never be read.
            let from = if dice.below(8) == 0 { 0 } else { header };
            let at = from + dice.below(stream.len() - from);
            let spice = SPICE[dice.below(SPICE.len())];
            match dice.below(5) {
                0 => drop(stream.splice(at..at, spice.iter().copied())),
                1 => drop(stream.splice(at..at + 1, spice.iter().copied())),
                2 => drop(stream.drain(at..(at + 1 + dice.below(4)).min(stream.len()))),
                3 => stream[at] ^= 1 << dice.below(8),
                _ => {
                    let end = (at + dice.below(24)).min(stream.len());
                    let copy = stream[at..end].to_vec();
                    let to = from + dice.below(stream.len() - from);
                    drop(stream.splice(to..to, copy));
                }
            }
        }
        target::run(&stream);
    }
}
