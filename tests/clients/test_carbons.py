"""Message carbons (XEP-0280): what one device receives or says, the others see."""

from slix import Client, clients

PLUGINS = ("xep_0280",)


async def devices(server, account):
    return [Client(server, f"{account}/{name}", plugins=PLUGINS) for name in ("desk", "phone")]


def carbons(client, direction):
    return [(c[direction]["from"], c[direction]["body"]) for c in client.messages.waiting if c[direction]["body"]]


async def test_both_devices_see_both_sides(server):
    romeo = Client(server, server.account("romeo"))
    desk, phone = await devices(server, server.account("juliet"))
    async with clients(romeo, desk, phone, presence=True):
        for device in (desk, phone):
            await device.plugin["xep_0280"].enable()

        romeo.send_message(desk.boundjid.full, "to the desk", mtype="chat")
        assert (await desk.messages.next())["body"] == "to the desk"
        copy = await phone.messages.next()
        assert copy["from"] == phone.boundjid.bare
        assert copy["carbon_received"]["body"] == "to the desk"
        assert copy["carbon_received"]["from"] == romeo.boundjid

        desk.send_message(romeo.boundjid.full, "from the desk", mtype="chat")
        assert (await romeo.messages.next())["body"] == "from the desk"
        copy = await phone.messages.next()
        assert copy["from"] == phone.boundjid.bare
        assert copy["carbon_sent"]["body"] == "from the desk"
        assert copy["carbon_sent"]["to"] == romeo.boundjid

        await romeo.fence(desk)
        assert desk.messages.waiting == []


async def test_a_device_that_turned_it_off_sees_nothing_more(server):
    romeo = Client(server, server.account("romeo"))
    desk, phone = await devices(server, server.account("juliet"))
    async with clients(romeo, desk, phone, presence=True):
        await phone.plugin["xep_0280"].enable()
        await phone.plugin["xep_0280"].disable()
        romeo.send_message(desk.boundjid.full, "to the desk", mtype="chat")
        assert (await desk.messages.next())["body"] == "to the desk"
        await romeo.fence(phone)
        assert phone.messages.waiting == []


async def test_a_private_message_is_not_copied(server):
    romeo = Client(server, server.account("romeo"), plugins=PLUGINS)
    desk, phone = await devices(server, server.account("juliet"))
    async with clients(romeo, desk, phone, presence=True):
        await phone.plugin["xep_0280"].enable()
        message = romeo.make_message(desk.boundjid.full, "for this screen only", mtype="chat")
        message.enable("carbon_private")
        message.send()
        assert (await desk.messages.next())["body"] == "for this screen only"
        await romeo.fence(phone)
        assert phone.messages.waiting == []
