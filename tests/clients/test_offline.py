"""Offline messages (XEP-0160) with the time they were sent (XEP-0203), and that they outlive the process."""

from datetime import datetime, timedelta, timezone

from slix import Client, clients


async def test_what_was_said_meanwhile_is_found_with_its_time(server):
    account = server.account("juliet")
    async with clients(romeo := Client(server, server.account("romeo")), presence=True):
        before = datetime.now(timezone.utc) - timedelta(seconds=1)
        for body in ("first", "second", "third"):
            romeo.send_message(account, body, mtype="chat")
        async with clients(other := Client(server, server.account("benvolio")), presence=True):
            await romeo.fence(other)
        async with clients(juliet := Client(server, account, plugins=["xep_0203"]), presence=True):
            found = [await juliet.messages.next() for _ in range(3)]
            assert [stanza["body"] for stanza in found] == ["first", "second", "third"]
            for stanza in found:
                assert stanza["from"] == romeo.boundjid
                assert before <= stanza["delay"]["stamp"] <= datetime.now(timezone.utc) + timedelta(seconds=1)
            await romeo.fence(juliet)
            assert juliet.messages.waiting == []
        async with clients(juliet := Client(server, account), presence=True):
            await romeo.fence(juliet)
            assert juliet.messages.waiting == [], "offline messages are delivered once"


async def test_nothing_is_kept_of_what_only_the_present_may_hear(server):
    """RFC 6121 section 8.5.2.2: a headline for nobody present is dropped, a groupchat message comes back."""
    account = server.account("juliet")
    async with clients(romeo := Client(server, server.account("romeo")), presence=True):
        romeo.send_message(account, "news", mtype="headline")
        romeo.send_message(account, "to the room", mtype="groupchat")
        bounce = await romeo.messages.next()
        assert (bounce["type"], bounce["error"]["condition"]) == ("error", "service-unavailable")
        async with clients(juliet := Client(server, account), presence=True):
            await romeo.fence(juliet)
            assert juliet.messages.waiting == []
