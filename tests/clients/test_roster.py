"""Contacts: the roster, the handshake of a subscription in both directions, and the presence that follows from it."""

import pytest

from slix import Client, clients


async def push(client, contact, **wanted):
    """The next roster push about `contact` with these attributes."""
    def fits(iq):
        item = iq["roster"]["items"].get(contact)
        return iq["type"] == "set" and item and all(item[name] == value for name, value in wanted.items())
    return (await client.pushes.next(fits))["roster"]["items"][contact]


async def befriend(one, other):
    """Both see each other's presence afterwards; both must be available."""
    for asking, asked in ((one, other), (other, one)):
        asking.send_presence_subscription(asked.boundjid.bare, ptype="subscribe")
        await asked.presences.next(lambda p: p["type"] == "subscribe" and p["from"].bare == asking.boundjid.bare)
        asked.send_presence_subscription(asking.boundjid.bare, ptype="subscribed")
        await asking.presences.next(lambda p: p["type"] == "subscribed" and p["from"].bare == asked.boundjid.bare)
        await asking.presences.next(lambda p: p["type"] == "available" and p["from"] == asked.boundjid)


async def test_an_item_is_added_renamed_and_removed(server):
    account, romeo = server.account("juliet"), server.account("romeo")
    desk, phone = Client(server, account), Client(server, account)
    async with clients(desk, phone, roster=True):
        await desk.update_roster(romeo, name="Romeo", groups=["Friends", "Lovers"])
        for device in (desk, phone):
            item = await push(device, romeo, name="Romeo", subscription="none")
            assert sorted(item["groups"]) == ["Friends", "Lovers"]
        await phone.update_roster(romeo, name="R. M.", groups=[])
        assert (await push(desk, romeo, name="R. M."))["groups"] == []
        await desk.del_roster_item(romeo)
        await push(phone, romeo, subscription="remove")
        items = (await desk.get_roster())["roster"]["items"]
        assert romeo not in items


async def test_the_roster_is_there_after_the_next_login(server):
    account, romeo = server.account("juliet"), server.account("romeo")
    async with clients(juliet := Client(server, account), roster=True):
        await juliet.update_roster(romeo, name="Romeo", groups=["Friends"])
    async with clients(juliet := Client(server, account), roster=True):
        assert juliet.client_roster[romeo]["name"] == "Romeo"
        assert juliet.client_roster[romeo]["groups"] == ["Friends"]


async def test_subscription_both_ways_and_presence(server):
    juliet, romeo = Client(server, server.account("juliet")), Client(server, server.account("romeo"))
    async with clients(juliet, romeo, roster=True, presence=True):
        await befriend(juliet, romeo)
        assert (await push(juliet, romeo.boundjid.bare, subscription="both"))["ask"] == ""
        await push(romeo, juliet.boundjid.bare, subscription="both")

        romeo.send_presence(pshow="away", pstatus="below the balcony")
        seen = await juliet.presences.next(lambda p: p["from"] == romeo.boundjid and p["show"] == "away")
        assert seen["status"] == "below the balcony"

        romeo.send_presence(ptype="unavailable")
        await juliet.presences.next(lambda p: p["from"] == romeo.boundjid and p["type"] == "unavailable")
        romeo.send_presence()
        await juliet.presences.next(lambda p: p["from"] == romeo.boundjid and p["type"] == "available")
        await romeo.presences.next(lambda p: p["from"] == juliet.boundjid and p["type"] == "available")

        juliet.send_presence_subscription(romeo.boundjid.bare, ptype="unsubscribe")
        await push(juliet, romeo.boundjid.bare, subscription="from")
        await push(romeo, juliet.boundjid.bare, subscription="to")
        romeo.send_presence_subscription(juliet.boundjid.bare, ptype="unsubscribe")
        await push(juliet, romeo.boundjid.bare, subscription="none")
        await push(romeo, juliet.boundjid.bare, subscription="none")


@pytest.mark.needs("unavailable on unsubscribe")
async def test_who_unsubscribes_sees_the_contact_go(server):
    """RFC 6121 section 3.3.3: the contact's server sends unavailable presence from all of the contact's resources."""
    juliet, romeo = Client(server, server.account("juliet")), Client(server, server.account("romeo"))
    async with clients(juliet, romeo, roster=True, presence=True):
        await befriend(juliet, romeo)
        juliet.send_presence_subscription(romeo.boundjid.bare, ptype="unsubscribe")
        await juliet.presences.next(lambda p: p["from"] == romeo.boundjid and p["type"] == "unavailable")


async def test_a_request_waits_for_whom_it_is_for(server):
    account = server.account("juliet")
    async with clients(romeo := Client(server, server.account("romeo")), roster=True, presence=True):
        romeo.send_presence_subscription(account, ptype="subscribe")
        await push(romeo, account, ask="subscribe")
        async with clients(juliet := Client(server, account), roster=True, presence=True):
            await juliet.presences.next(lambda p: p["type"] == "subscribe" and p["from"].bare == romeo.boundjid.bare)
            juliet.send_presence_subscription(romeo.boundjid.bare, ptype="unsubscribed")
            await romeo.presences.next(lambda p: p["type"] == "unsubscribed")
            await push(romeo, account, subscription="none", ask="")


async def test_a_contact_that_logs_in_later_is_seen_at_once(server):
    accounts = server.account("juliet"), server.account("romeo")
    juliet, romeo = (Client(server, account) for account in accounts)
    async with clients(juliet, romeo, roster=True, presence=True):
        await befriend(juliet, romeo)
    async with clients(juliet := Client(server, accounts[0]), roster=True, presence=True):
        async with clients(romeo := Client(server, accounts[1]), roster=True, presence=True):
            await juliet.presences.next(lambda p: p["from"] == romeo.boundjid and p["type"] == "available")
            await romeo.presences.next(lambda p: p["from"] == juliet.boundjid and p["type"] == "available")
            romeo.cut()
            await juliet.presences.next(lambda p: p["from"] == romeo.boundjid and p["type"] == "unavailable")
