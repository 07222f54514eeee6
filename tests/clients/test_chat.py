"""Messages between two people: to the bare and to the full address, in order, to several devices, and the undeliverable."""

from slix import Client, clients


async def test_chat_both_ways(server):
    juliet, romeo = Client(server, server.account("juliet")), Client(server, server.account("romeo"))
    async with clients(juliet, romeo, presence=True):
        juliet.send_message(romeo.boundjid.bare, "wherefore art thou?", mtype="chat")
        question = await romeo.messages.next()
        assert (question["from"], question["body"]) == (juliet.boundjid, "wherefore art thou?")
        romeo.send_message(question["from"], "here", mtype="chat")
        answer = await juliet.messages.next()
        assert (answer["from"], answer["to"], answer["body"]) == (romeo.boundjid, juliet.boundjid, "here")


async def test_what_is_said_arrives_as_it_was_said(server):
    """Markup characters, other scripts, characters beyond the basic plane, white space and a body of 100,000 characters."""
    juliet, romeo = Client(server, server.account("juliet")), Client(server, server.account("romeo"))
    sayings = ["<&>\"' ]]>", "Ромео и Джульетта", "\U0001f339\U0001f5e1", " two\n\tlines ", "x" * 100_000]
    async with clients(juliet, romeo, presence=True):
        for saying in sayings:
            juliet.send_message(romeo.boundjid.bare, saying, mtype="chat")
        assert [(await romeo.messages.next())["body"] for _ in sayings] == sayings


async def test_a_thousand_messages_arrive_once_and_in_order(server):
    juliet, romeo = Client(server, server.account("juliet")), Client(server, server.account("romeo"))
    async with clients(juliet, romeo, presence=True):
        for number in range(1000):
            juliet.send_message(romeo.boundjid.bare, str(number), mtype="chat")
        await juliet.fence(romeo)
        assert [stanza["body"] for stanza in romeo.messages.waiting] == [str(number) for number in range(1000)]


async def test_a_full_address_reaches_only_that_device(server):
    account = server.account("romeo")
    juliet = Client(server, server.account("juliet"))
    desk, phone = Client(server, account + "/desk"), Client(server, account + "/phone")
    async with clients(juliet, desk, phone, presence=True):
        juliet.send_message(phone.boundjid.full, "to the phone", mtype="chat")
        assert (await phone.messages.next())["body"] == "to the phone"
        await juliet.fence(desk)
        assert desk.messages.waiting == []


async def test_a_negative_priority_gets_nothing_sent_to_the_bare_address(server):
    account = server.account("romeo")
    juliet = Client(server, server.account("juliet"))
    desk, phone = Client(server, account + "/desk"), Client(server, account + "/phone")
    async with clients(juliet, desk, phone, presence=True):
        phone.send_presence(ppriority=-1)
        await desk.presences.next(lambda p: p["from"] == phone.boundjid and p["priority"] == -1)
        juliet.send_message(account, "to the desk", mtype="chat")
        assert (await desk.messages.next())["body"] == "to the desk"
        await juliet.fence(phone)
        assert phone.messages.waiting == []


async def test_a_message_to_nobody_comes_back(server):
    async with clients(juliet := Client(server, server.account("juliet")), presence=True):
        nobody = "nobody@" + juliet.boundjid.domain
        juliet.send_message(nobody, "is anybody there?", mtype="chat")
        bounce = await juliet.messages.next()
        assert (bounce["from"], bounce["type"], bounce["error"]["condition"]) == (nobody, "error", "service-unavailable")


async def test_directed_presence_ends_with_the_session(server):
    juliet, romeo = Client(server, server.account("juliet")), Client(server, server.account("romeo"))
    async with clients(juliet, romeo, presence=True):
        juliet.send_presence(pto=romeo.boundjid.full, pstatus="only for thee")
        seen = await romeo.presences.next(lambda p: p["from"] == juliet.boundjid)
        assert seen["status"] == "only for thee"
        juliet.cut()
        gone = await romeo.presences.next(lambda p: p["from"] == juliet.boundjid)
        assert gone["type"] == "unavailable"


async def test_the_same_resource_twice_ends_the_older_session(server):
    account = server.account("juliet") + "/balcony"
    older, newer = Client(server, account), Client(server, account)
    async with clients(older, newer):
        _, error = await older.event_named("stream_error")
        assert error["condition"] == "conflict"
        await older.event_named("disconnected")
        assert newer.boundjid.resource == "balcony"
