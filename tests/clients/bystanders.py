"""People who chat on the same server while others misbehave, and who must notice nothing."""

import asyncio
import contextlib

from wire import CLIENT, Ended, Wire

PAIRS = 4
"""With four shards, four pairs leave no shard without a home of one of them but for one time in about a hundred."""


@contextlib.asynccontextmanager
async def undisturbed(server):
    """Pairs that talk in both directions the whole time: every message arrives once, in order, and with no long wait."""
    async with asyncio.TaskGroup() as group:
        stop = asyncio.Event()
        pairs = []
        for _ in range(PAIRS):
            pair = [await (await Wire.open(server)).login(server.account("bystander")) for _ in range(2)]
            for one in pair:
                await one.present()
            pairs.append(pair)
        talks = [group.create_task(talk(one, other, stop)) for one, other in pairs]
        try:
            yield
        finally:
            stop.set()
        rounds = await asyncio.gather(*talks)
        assert all(count > 1 for count in rounds), rounds
        for pair in pairs:
            for one in pair:
                one.close()


async def talk(one, other, stop) -> int:
    """Question and answer until `stop`, and two rounds after it."""
    count, last = 0, 2
    while last:
        last -= stop.is_set()
        for speaker, listener in ((one, other), (other, one)):
            speaker.send(f"<message type='chat' to='{listener.jid}'><body>{count}</body></message>")
            async with asyncio.timeout(10):
                try:
                    heard = await listener.next()
                except Ended:
                    raise AssertionError(f"the server dropped the bystander {listener.jid}") from None
            assert (heard.get("from"), heard.findtext(CLIENT + "body")) == (speaker.jid, str(count))
        count += 1
        await asyncio.sleep(0.01)
    return count
