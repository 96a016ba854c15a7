from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator

import pytest

from onhook.errors import ConfigurationError
from onhook.sentinel.fleet.claims import Claim, ClaimLostError, FleetUnavailableError, Refused
from onhook.sentinel.fleet.redis_claims import RedisClaims
from onhook.sentinel.fleet.redis_client import RedisClient
from tests.sentinel.fleet.contract import CALL, LONG, ClaimsContract, claimed, refused
from tests.sentinel.fleet.redis_server import RedisServer
from tests.sentinel.fleet.telling import opened, outcome


@pytest.fixture
async def client(redis_server: RedisServer) -> AsyncIterator[RedisClient]:
    client = RedisClient(redis_server.url)
    yield client
    await client.aclose()


class TestRedisClaims(ClaimsContract):
    @pytest.fixture
    def claims(self, client: RedisClient) -> RedisClaims:
        return RedisClaims(client, fleet=uuid.uuid4().hex)


async def test_fleets_of_one_server_do_not_see_each_other(client: RedisClient) -> None:
    one, two = (RedisClaims(client, fleet=uuid.uuid4().hex) for _ in range(2))
    await claimed(one)
    await claimed(two)


async def test_everything_in_redis_ends_by_itself(client: RedisClient) -> None:
    fleet = uuid.uuid4().hex
    claims = RedisClaims(client, fleet=fleet, keep_days=1, limit=5)
    for number in range(8):
        claim = await claimed(claims, call=f"RM_{number}")
        await claims.renew(claim, LONG, [opened()])
        await claims.release(claim, outcome())
    assert len(await claims.recent(100)) == 5
    for key in await client.command("KEYS", f"{{onhook:{fleet}}}:*M_*"):
        assert 0 < await client.command("PTTL", key) <= 86_400_000


async def test_an_answer_that_was_lost_is_asked_for_again_and_is_the_same(
    redis_server: RedisServer,
) -> None:
    """The server acts at once; what it says is held back for longer than is waited."""
    async with _Slow(redis_server.port) as proxy:
        client = RedisClient(f"redis://127.0.0.1:{proxy.port}/0", read_timeout=0.2)
        claims = RedisClaims(client, fleet=uuid.uuid4().hex)
        warm = await claimed(claims, call="warm")  # the server knows the scripts from here on
        await claims.release(await claims.renew(warm, LONG, [opened()]), outcome())
        proxy.hold_answers = 1
        claim = await claimed(claims)
        proxy.hold_answers = 1
        await claims.renew(claim, LONG, [opened()])
        assert list(await claims.events(CALL)) == [opened()]
        proxy.hold_answers = 1
        await claims.release(claim, outcome())
        assert (await refused(claims)).finished is not None
        await client.aclose()


async def test_a_server_that_is_gone_is_a_typed_error_at_once_and_back_when_it_is(
    own_redis: RedisServer,
) -> None:
    client = RedisClient(own_redis.url)
    claims = RedisClaims(client)
    claim = await claimed(claims)
    await asyncio.gather(*(claims.done(str(number)) for number in range(20)))
    own_redis.kill()
    loop = asyncio.get_running_loop()
    before = loop.time()
    with pytest.raises(FleetUnavailableError, match="does not serve"):
        await claims.claim("RM_2", "a", LONG)
    assert loop.time() - before < 0.3
    own_redis.start()  # with nothing in it
    with pytest.raises(ClaimLostError, match="Redis may have lost its data"):
        await claims.renew(claim, LONG)
    assert (await claimed(claims, "b")).token > claim.token
    await client.aclose()


async def test_a_server_that_restarts_is_met_again_without_an_error(
    own_redis: RedisServer,
) -> None:
    client = RedisClient(own_redis.url)
    claims = RedisClaims(client)
    await asyncio.gather(*(claims.done(str(number)) for number in range(20)))
    own_redis.kill()
    own_redis.start()
    await asyncio.gather(*(claims.claim(f"RM_{number}", "a", LONG) for number in range(20)))
    await client.aclose()


async def test_a_server_that_does_not_answer_is_waited_for_so_long_and_no_longer(
    own_redis: RedisServer,
) -> None:
    client = RedisClient(own_redis.url, connect_timeout=0.2, read_timeout=0.2)
    claims = RedisClaims(client)
    await claimed(claims, call="before")
    own_redis.pause()
    loop = asyncio.get_running_loop()
    before = loop.time()
    with pytest.raises(FleetUnavailableError):
        await claims.claim(CALL, "a", LONG)
    assert loop.time() - before < 1.2
    own_redis.resume()
    answers = {type(await claims.claim(CALL, "b", LONG)) for _ in range(2)}
    assert Refused in answers
    await client.aclose()


async def test_requests_that_are_given_up_get_nobody_the_answer_of_another(
    client: RedisClient,
) -> None:
    claims = RedisClaims(client, fleet=uuid.uuid4().hex)
    rng = random.Random(7)  # noqa: S311 - no secret

    async def one(number: int) -> None:
        call = f"RM_{number}"
        try:
            async with asyncio.timeout(rng.uniform(0, 0.003)):
                await claims.claim(call, call, LONG)
        except TimeoutError:
            pass
        answer = await claims.claim(call, "other", LONG)
        assert answer.owner in (call, "other")
        if isinstance(answer, Claim):
            assert answer.call == call

    for start in range(0, 400, 40):
        await asyncio.gather(*(one(number) for number in range(start, start + 40)))


async def test_a_cancellation_is_never_swallowed(redis_server: RedisServer) -> None:
    """redis-py's first request of a connection did so once in about 60 times on Python 3.11."""
    rng = random.Random(7)  # noqa: S311 - no secret

    async def ask(client: RedisClient) -> None:
        while True:
            await client.command("PING")

    for _ in range(300):
        client = RedisClient(redis_server.url)
        task = asyncio.create_task(ask(client))
        for _ in range(rng.randrange(25)):
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait((task,), timeout=10)
        assert task in done
        assert task.cancelled()
        await client.aclose()


@pytest.mark.parametrize("url", ["http://x", "nothing", "redis://:secretword@h:port/0"])
def test_an_address_that_is_none_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigurationError, match="no address of a Redis") as error:
        RedisClient(url)
    assert "secretword" not in str(error.value)


async def test_a_refusal_is_not_tried_again_and_names_no_password(
    redis_server: RedisServer,
) -> None:
    client = RedisClient(f"redis://:secretword@127.0.0.1:{redis_server.port}/0")
    with pytest.raises(FleetUnavailableError) as error:
        await RedisClaims(client).claim(CALL, "a", LONG)
    assert "secretword" not in str(error.value)
    await client.aclose()


class _Slow:
    """Passes bytes to a server and back; an answer may be held back for ever.

    Args:
        port: The server's.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self.port = 0
        self.hold_answers = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> _Slow:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, out = await asyncio.open_connection("127.0.0.1", self._to)
        self._tasks.append(asyncio.create_task(self._pass(reader, out, answers=False)))
        self._tasks.append(asyncio.create_task(self._pass(back, writer, answers=True)))

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        try:
            while data := await reader.read(65_536):
                if answers and self.hold_answers:
                    self.hold_answers -= 1
                    continue
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()
