"""What a client asks its server: disco, ping, version, time, last activity, vCard, private XML and contact addresses."""

import re
from datetime import datetime, timezone

import pytest
from slixmpp.exceptions import IqError
from slixmpp.xmlstream import ET

from server import DOMAIN
from slix import Client, clients
from test_roster import befriend


async def test_the_server_says_what_it_can(server):
    async with clients(juliet := Client(server, server.account("juliet"), plugins=["xep_0030", "xep_0115"])):
        info = (await juliet.plugin["xep_0030"].get_info(DOMAIN))["disco_info"]
        assert ("server", "im") in {identity[:2] for identity in info["identities"]}
        assert info["features"] >= {
            "http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/disco#items", "urn:xmpp:ping",
            "jabber:iq:version", "urn:xmpp:time", "jabber:iq:last", "urn:xmpp:carbons:2", "urn:xmpp:blocking",
            "vcard-temp",
        }
        assert (await juliet.plugin["xep_0030"].get_items(DOMAIN))["type"] == "result"
        assert "c" in juliet.features or "caps" in juliet.features


async def test_the_account_is_registered_to_its_owner_only(server):
    account = server.account("juliet")
    juliet = Client(server, account, plugins=["xep_0030"])
    romeo = Client(server, server.account("romeo"), plugins=["xep_0030"])
    async with clients(juliet, romeo, presence=True):
        info = (await juliet.plugin["xep_0030"].get_info(account))["disco_info"]
        assert ("account", "registered") in {identity[:2] for identity in info["identities"]}
        with pytest.raises(IqError) as refused:
            await romeo.plugin["xep_0030"].get_info(account)
        assert refused.value.condition in ("service-unavailable", "subscription-required")


async def test_contact_addresses(server):
    async with clients(juliet := Client(server, server.account("juliet"), plugins=["xep_0030", "xep_0128"])):
        answer = await juliet.plugin["xep_0030"].get_info(DOMAIN)
        assert "http://jabber.org/network/serverinfo" in str(answer)
        assert f"xmpp:admin@{DOMAIN}" in str(answer)


async def test_ping_to_server_and_own_account(server):
    async with clients(juliet := Client(server, server.account("juliet"), plugins=["xep_0199"])):
        assert await juliet.plugin["xep_0199"].ping(DOMAIN) < 20
        assert await juliet.plugin["xep_0199"].ping(juliet.boundjid.bare) < 20


async def test_version(server):
    async with clients(juliet := Client(server, server.account("juliet"), plugins=["xep_0092"])):
        version = (await juliet.plugin["xep_0092"].get_version(DOMAIN))["software_version"]
        assert version["name"].lower() == server.name
        assert version["version"]


async def test_time(server):
    async with clients(juliet := Client(server, server.account("juliet"), plugins=["xep_0202"])):
        answer = (await juliet.plugin["xep_0202"].get_entity_time(DOMAIN))["entity_time"]
        assert re.fullmatch(r"Z|[+-]\d\d:\d\d", answer.xml.findtext("{urn:xmpp:time}tzo"))
        told = datetime.fromisoformat(answer.xml.findtext("{urn:xmpp:time}utc"))
        assert abs((told - datetime.now(timezone.utc)).total_seconds()) < 20


async def test_last_activity_of_the_server_and_of_a_contact(server):
    juliet = Client(server, server.account("juliet"), plugins=["xep_0012"])
    romeo = Client(server, server.account("romeo"))
    async with clients(juliet, romeo, roster=True, presence=True):
        uptime = (await juliet.plugin["xep_0012"].get_last_activity(DOMAIN))["last_activity"]["seconds"]
        assert 0 <= uptime < 36_000
        with pytest.raises(IqError) as refused:
            await juliet.plugin["xep_0012"].get_last_activity(romeo.boundjid.bare)
        assert refused.value.condition in ("forbidden", "service-unavailable")
        await befriend(juliet, romeo)
        romeo.send_presence(ptype="unavailable", pstatus="gone to Mantua")
        await juliet.presences.next(lambda p: p["from"] == romeo.boundjid and p["type"] == "unavailable")
        last = (await juliet.plugin["xep_0012"].get_last_activity(romeo.boundjid.bare))["last_activity"]
        assert 0 <= last["seconds"] < 20
        assert last["status"] == "gone to Mantua"


async def test_vcard(server):
    juliet = Client(server, server.account("juliet"), plugins=["xep_0054"])
    romeo = Client(server, server.account("romeo"), plugins=["xep_0054"])
    async with clients(juliet, romeo):
        card = juliet.plugin["xep_0054"].make_vcard()
        card["FN"], card["NICKNAME"] = "Juliet Capulet", "Jule"
        await juliet.plugin["xep_0054"].publish_vcard(card)
        seen = (await romeo.plugin["xep_0054"].get_vcard(juliet.boundjid.bare))["vcard_temp"]
        assert (seen["FN"], seen["NICKNAME"]) == ("Juliet Capulet", ["Jule"])


async def test_private_xml_is_kept_for_its_owner(server):
    account = server.account("juliet")
    note = ET.fromstring("<notes xmlns='urn:example:notes'><note day='1'>buy &lt;potion&gt;</note></notes>")
    async with clients(juliet := Client(server, account)):
        iq = juliet.make_iq_set()
        query = ET.SubElement(iq.xml, "{jabber:iq:private}query")
        query.append(note)
        await iq.send()
    async with clients(juliet := Client(server, account)):
        iq = juliet.make_iq_get()
        ET.SubElement(ET.SubElement(iq.xml, "{jabber:iq:private}query"), "{urn:example:notes}notes")
        answer = await iq.send()
        kept = answer.xml.find("{jabber:iq:private}query/{urn:example:notes}notes/{urn:example:notes}note")
        assert (kept.text, kept.attrib) == ("buy <potion>", {"day": "1"})


async def test_an_unknown_request_is_answered(server):
    """RFC 6120 section 8.2.3: every get and set is answered, understood or not."""
    async with clients(juliet := Client(server, server.account("juliet"))):
        for to in (DOMAIN, juliet.boundjid.bare, None):
            with pytest.raises(IqError) as refused:
                await juliet.make_iq_get("urn:example:unknown", to).send()
            assert refused.value.condition == "service-unavailable"
