"""Well-formed and wrong: headers, logins, addresses and acknowledgements that RFC 6120 and XEP-0198 answer with an error."""

import base64

import pytest

from bystanders import undisturbed
from server import DOMAIN, PASSWORD
from wire import CLIENT, SASL, SM, STANZA_ERRORS, Scram, encoded, wires

pytestmark = pytest.mark.needs("wattle's bounds")

HEADERS = {
    "a domain that is not served": ({"to": "elsewhere.test"}, "host-unknown"),
    "the namespace of servers": ({"namespace": "jabber:server"}, "invalid-namespace"),
    "an unknown namespace": ({"namespace": "urn:example:x"}, "invalid-namespace"),
    "an old version": ({"version": "0.9"}, "unsupported-version"),
}


@pytest.mark.parametrize("tls", ["direct", "clear"])
@pytest.mark.parametrize("header", HEADERS)
async def test_a_wrong_header(server, header, tls):
    options, condition = HEADERS[header]
    async with wires(server, tls=tls) as wire:
        error = await wire.header(**options)
        assert [child.tag.split("}")[1] for child in error][0] == condition
        await wire.ended()


@pytest.mark.parametrize("tls", ["direct", "starttls", "clear"])
@pytest.mark.parametrize("stanza", ["<message to='x@{}'/>", "<presence/>", "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
                                    "<enable xmlns='urn:xmpp:sm:3'/>", "<unknown xmlns='urn:example:x'/>"])
async def test_a_stanza_before_login(server, stanza, tls):
    async with undisturbed(server), wires(server, tls=tls) as wire:
        await wire.header()
        wire.send(stanza.format(DOMAIN))
        await wire.refused("not-authorized")


async def test_a_stanza_before_bind(server):
    async with wires(server) as wire:
        await wire.authenticate(server.account("hostile"))
        wire.send(f"<message to='x@{DOMAIN}'/>")
        await wire.refused("not-authorized")


async def test_a_login_in_the_clear(server):
    account = server.account("hostile")
    async with wires(server, tls="clear") as wire:
        features = await wire.header()
        assert features.find(SASL + "mechanisms") is None
        answer = await wire.plain(account, PASSWORD)
        assert answer.tag != SASL + "success"


async def test_what_follows_starttls_in_the_clear_is_not_taken_for_safe(server):
    """The injection of CVE-2011-0411: bytes behind `<starttls/>` must not be read as if they came through TLS."""
    async with undisturbed(server), wires(server, tls="clear") as wire:
        await wire.header()
        wire.send(f"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><presence/><iq type='get' id='injected' to='{DOMAIN}'/>")
        await wire.ended()


@pytest.mark.parametrize("stanza", ["message", "presence", "iq"])
async def test_a_forged_sender(server, stanza):
    async with undisturbed(server), wires(server, 2) as (juliet, mercutio):
        await (await juliet.login(server.account("juliet"))).present()
        await mercutio.login(server.account("mercutio"))
        kind, payload = ("type='get'", "<ping xmlns='urn:xmpp:ping'/>") if stanza == "iq" else ("", "")
        mercutio.send(f"<{stanza} from='romeo@{DOMAIN}/orchard' to='{juliet.jid}' {kind} id='1'>{payload}</{stanza}>")
        await mercutio.refused("invalid-from")
        assert (await juliet.request("<ping xmlns='urn:xmpp:ping'/>", to=DOMAIN)).get("type") == "result"


async def test_the_own_address_is_no_forgery_and_the_bare_one_is_completed(server):
    async with wires(server) as juliet:
        await (await juliet.login(server.account("juliet"))).present()
        for sender in (juliet.jid, juliet.jid.split("/")[0]):
            juliet.send(f"<message from='{sender}' to='{juliet.jid}' type='chat'><body>me</body></message>")
            assert (await juliet.next()).get("from") == juliet.jid


async def test_an_unknown_element(server):
    async with undisturbed(server), wires(server) as wire:
        await wire.login(server.account("hostile"))
        wire.send("<pubsub xmlns='jabber:client'/>")
        await wire.refused("unsupported-stanza-type")


@pytest.mark.parametrize("address", ["@", "a@", "@{}", "a@b@{}", "a b@{}", "&quot;a&quot;@{}", "a&amp;b@{}", "{}/",
                                     "a@{}/", "x" * 1024 + "@{}", "a@" + "y" * 1100, "&#x202e;@{}", "a@{}/\ufffe",
                                     "a@-{}-", "\u2126\u0378@{}"])
async def test_an_address_with_forbidden_characters(server, address):
    async with wires(server) as wire:
        await wire.login(server.account("hostile"))
        to = address.format(DOMAIN)
        wire.send(f"<message id='m' to='{to}' type='chat'><body>x</body></message>")
        if "\ufffe" in address:
            await wire.refused("not-well-formed")
            return
        answer = await wire.next()
        assert (answer.get("id"), answer.get("type")) == ("m", "error")
        assert answer.find(f".//{STANZA_ERRORS}jid-malformed") is not None
        assert (await wire.request("<ping xmlns='urn:xmpp:ping'/>", to=DOMAIN)).get("type") == "result"


@pytest.mark.parametrize("resource", ["\u202ex", "&#x9;", "x" * 1024])
async def test_a_resource_with_forbidden_characters(server, resource):
    async with wires(server) as wire:
        await wire.authenticate(server.account("hostile"))
        wire.send(f"<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{resource}</resource></bind></iq>")
        answer = await wire.next()
        if answer.get("type") == "error":
            assert answer.find(f".//{STANZA_ERRORS}bad-request") is not None \
                or answer.find(f".//{STANZA_ERRORS}jid-malformed") is not None
        else:  # RFC 6120 section 7.7.2.1 lets the server choose another one
            assert resource not in answer.findtext(".//{urn:ietf:params:xml:ns:xmpp-bind}jid")


async def failure(wire) -> str:
    answer = await wire.next()
    assert answer.tag == SASL + "failure"
    return answer[0].tag.removeprefix(SASL)


async def test_sasl_aborted_and_started_again(server):
    account = server.account("juliet")
    async with wires(server) as wire:
        await wire.header()
        wire.send(Scram(account).first())
        assert (await wire.next()).tag == SASL + "challenge"
        wire.send("<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")
        assert await failure(wire) == "aborted"
        scram = Scram(account)
        wire.send(scram.first())
        wire.send(scram.final(await wire.next()))
        assert (await wire.next()).tag == SASL + "success"


async def test_sasl_replayed_on_another_connection(server):
    account = server.account("juliet")
    scram = Scram(account)
    async with wires(server, 2) as (juliet, mercutio):
        await juliet.header()
        juliet.send(scram.first())
        proof = scram.final(await juliet.next())
        juliet.send(proof)
        assert (await juliet.next()).tag == SASL + "success"
        await mercutio.header()
        mercutio.send(scram.first())
        assert (await mercutio.next()).tag == SASL + "challenge"
        mercutio.send(proof)
        assert await failure(mercutio) == "not-authorized"


@pytest.mark.parametrize("said, condition", [
    ("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='X-UNHEARD-OF'/>", "invalid-mechanism"),
    ("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>%%%</auth>", "incorrect-encoding"),
    ("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AAAA</auth>", "malformed-request"),
    (encoded("auth", "n,,garbage", " mechanism='SCRAM-SHA-256'"), "malformed-request"),
    (encoded("auth", "y,,n=juliet,r=abc", " mechanism='SCRAM-SHA-256'"), "not-authorized"),
    (encoded("auth", "n,a=romeo,n=juliet,r=abc", " mechanism='SCRAM-SHA-256'"), "invalid-authzid"),
])
async def test_a_wrong_login(server, said, condition):
    """The fifth is a downgrade attack: a client that could bind to the channel was told that the server could not."""
    async with wires(server) as wire:
        await wire.header()
        wire.send(said)
        found = await failure(wire)
        assert found == condition


async def test_a_message_of_sasl_out_of_turn(server):
    async with undisturbed(server), wires(server) as wire:
        await wire.header()
        wire.send(encoded("response", "c=biws,r=abc,p=abc"))
        answer = await wire.next()
        assert answer.tag == SASL + "failure" or answer.find("{urn:ietf:params:xml:ns:xmpp-streams}not-authorized") is not None


async def test_somebody_elses_authorisation(server):
    account, other = server.account("mercutio"), server.account("juliet")
    async with wires(server) as wire:
        await wire.header()
        token = base64.b64encode(f"{other}\0{account.split('@')[0]}\0{PASSWORD}".encode()).decode()
        wire.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{token}</auth>")
        assert await failure(wire) == "invalid-authzid"


async def test_ten_wrong_passwords(server):
    account = server.account("juliet")
    async with undisturbed(server), wires(server) as wire:
        await wire.header()
        for _ in range(9):
            answer = await wire.plain(account, "wrong")
            assert (answer.tag, answer[0].tag) == (SASL + "failure", SASL + "not-authorized")
        wire.send(base64_plain(account, "wrong"))
        await wire.refused("policy-violation")
    async with wires(server) as wire:
        await wire.login(account)  # the account is not shut for its owner


def base64_plain(jid, password):
    token = base64.b64encode(f"\0{jid.split('@')[0]}\0{password}".encode()).decode()
    return f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{token}</auth>"


async def test_nobody_is_told_apart_from_somebody(server):
    """The same salt every time, the same iterations, the same refusal: an account's existence is not told by its login."""
    somebody, nobody = server.account("juliet"), f"nobody-at-all@{DOMAIN}"
    told = {}
    for account in (somebody, nobody):
        for attempt in range(2):
            async with wires(server) as wire:
                await wire.header()
                scram = Scram(account, "wrong")
                wire.send(scram.first())
                challenge = await wire.next()
                fields = dict(part.split("=", 1) for part in base64.b64decode(challenge.text).decode().split(","))
                told[account, attempt] = fields["s"], fields["i"]
                wire.send(scram.final(challenge))
                assert await failure(wire) == "not-authorized"
    assert told[nobody, 0] == told[nobody, 1]
    assert [len(value) for value in told[nobody, 0]] == [len(value) for value in told[somebody, 0]]
    assert told[nobody, 0][1] == told[somebody, 0][1]


async def enabled(wire, resume=True):
    wire.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>" if resume else "<enable xmlns='urn:xmpp:sm:3'/>")
    while (answer := await wire.next()).tag != SM + "enabled":
        pass
    return answer


async def test_an_acknowledgement_of_what_was_never_sent(server):
    async with undisturbed(server), wires(server) as wire:
        await wire.login(server.account("hostile"))
        await enabled(wire)
        wire.send("<a xmlns='urn:xmpp:sm:3' h='1000'/>")
        error = await wire.refused("undefined-condition")
        told = error.find(SM + "handled-count-too-high")
        assert (told.get("h"), told.get("send-count")) == ("1000", "0")


async def test_resuming_an_unknown_session_leaves_a_way_in(server):
    async with wires(server) as wire:
        await wire.authenticate(server.account("hostile"))
        wire.send("<resume xmlns='urn:xmpp:sm:3' previd='made-up' h='0'/>")
        answer = await wire.next()
        assert answer.tag == SM + "failed"
        assert answer.find(STANZA_ERRORS + "item-not-found") is not None
        wire.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
        assert (await wire.next()).get("type") == "result"


async def test_nobody_resumes_the_session_of_another(server):
    async with undisturbed(server), wires(server, 2) as (juliet, mercutio):
        await (await juliet.login(server.account("juliet"))).present()
        identifier = (await enabled(juliet)).get("id")
        await mercutio.authenticate(server.account("mercutio"))
        mercutio.send(f"<resume xmlns='urn:xmpp:sm:3' previd='{identifier}' h='0'/>")
        answer = await mercutio.next()
        assert answer.tag == SM + "failed"
        assert answer.find(STANZA_ERRORS + "item-not-found") is not None
        assert (await juliet.request("<ping xmlns='urn:xmpp:ping'/>", to=DOMAIN)).get("type") == "result"


async def test_resuming_with_a_count_beyond_what_was_sent(server):
    account = server.account("juliet")
    async with wires(server, 2) as (old, new):
        await (await old.login(account)).present()
        identifier = (await enabled(old)).get("id")
        old.close()
        await new.authenticate(account)
        new.send(f"<resume xmlns='urn:xmpp:sm:3' previd='{identifier}' h='5000'/>")
        error = await new.refused("undefined-condition")
        assert error.find(SM + "handled-count-too-high") is not None


async def test_an_iq_with_nothing_in_it_or_too_much(server):
    """RFC 6120 section 8.2.3."""
    async with wires(server) as wire:
        await wire.login(server.account("hostile"))
        for payload in ("", "<a xmlns='urn:example:x'/><b xmlns='urn:example:x'/>"):
            answer = await wire.request(payload, to=DOMAIN)
            assert answer.get("type") == "error"
            assert answer.find(f".//{STANZA_ERRORS}bad-request") is not None
        wire.send(f"<iq type='nonsense' id='n' to='{DOMAIN}'><ping xmlns='urn:xmpp:ping'/></iq>")
        answer = await wire.next()
        assert (answer.get("id"), answer.get("type")) == ("n", "error")
        assert answer.find(f".//{STANZA_ERRORS}bad-request") is not None
        assert answer.tag == CLIENT + "iq"
