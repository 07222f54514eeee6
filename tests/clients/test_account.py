"""The account's own affairs (XEP-0077 for a logged-in user): a new password, and the end of the account."""

import pytest
from slixmpp.exceptions import IqError

from slix import Client, clients
from test_login import refused
from test_roster import befriend, push


async def test_a_new_password(server):
    account = server.account("juliet")
    async with clients(juliet := Client(server, account, plugins=["xep_0077"])):
        await juliet.plugin["xep_0077"].change_password("neu, très = 新")
    await refused(Client(server, account))
    async with clients(Client(server, account, "neu, très = 新")):
        pass


async def test_nobody_changes_the_password_of_another(server):
    account = server.account("romeo")
    async with clients(juliet := Client(server, server.account("juliet"))):
        request = juliet.make_iq_set()
        request.enable("register")
        request["register"]["username"], request["register"]["password"] = account.split("@")[0], "stolen"
        with pytest.raises(IqError):
            await request.send()
    async with clients(Client(server, account)):
        pass


async def test_the_end_of_an_account(server):
    account = server.account("juliet")
    juliet, romeo = Client(server, account, plugins=["xep_0077"]), Client(server, server.account("romeo"))
    async with clients(juliet, romeo, roster=True, presence=True):
        await befriend(juliet, romeo)
        juliet.plugin["xep_0077"].cancel_registration().add_done_callback(lambda done: done.exception())
        await juliet.event_named("disconnected")
        await push(romeo, account, subscription="none")
        await romeo.presences.next(lambda p: p["from"].bare == account and p["type"] == "unavailable")
    await refused(Client(server, account))
