"""What has changed is looked at once, rendered once, and sent to all who have it open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from onhook.sentinel.web.live import Feed, LiveUpdates, TooManyError, fingerprint

PERIOD = 0.01


class Board:
    """Something that changes."""

    def __init__(self) -> None:
        self.shown: object = "one"
        self.looks = 0

    async def look(self) -> object:
        self.looks += 1
        if isinstance(self.shown, Exception):
            raise self.shown
        return self.shown

    @property
    def feed(self) -> Feed:
        return Feed("board", self.look, lambda shown, root: f"<p>{shown}\n{root}</p>", PERIOD)


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - a counter tells nobody
            await asyncio.sleep(PERIOD)


async def next_message(events: AsyncIterator[bytes]) -> str:
    async with asyncio.timeout(10):
        async for data in events:
            if not data.startswith(b":"):
                return data.decode()
    raise AssertionError("the stream has ended")


async def test_all_who_have_it_open_get_one_rendering_of_each_change() -> None:
    board, live = Board(), LiveUpdates()
    async with (
        live.stream(board.feed, "/x", "") as one,
        live.stream(board.feed, "/x", "") as two,
    ):
        first = [await next_message(events) for events in (one, two)]
        board.shown = "two"
        second = [await next_message(events) for events in (one, two)]
    assert first[0] == first[1] == f"id: {fingerprint('one')}\ndata: <p>one\ndata: /x</p>\n\n"
    assert second[0] == second[1]
    assert "two" in second[0]
    assert live.renders == 2
    assert live.clients == 0


async def test_who_shows_the_newest_already_gets_the_next_change_only() -> None:
    board, live = Board(), LiveUpdates()
    async with live.stream(board.feed, "", fingerprint("one")) as events:
        waiting = asyncio.create_task(next_message(events))
        await until(lambda: board.looks > 3)
        assert not waiting.done()
        assert live.renders == 0
        board.shown = "two"
        assert "two" in await waiting


async def test_who_is_slow_gets_the_newest_and_not_all_that_was_before() -> None:
    board, live = Board(), LiveUpdates()
    async with live.stream(board.feed, "", "") as events:
        await next_message(events)
        for text in ("two", "three", "four"):
            board.shown = text
            looked = board.looks
            await until(lambda looked=looked: board.looks > looked + 1)  # type: ignore[misc]
        assert "four" in await next_message(events)


async def test_nothing_is_looked_at_while_nobody_has_it_open() -> None:
    board, live = Board(), LiveUpdates()
    async with live.stream(board.feed, "", "") as events:
        await next_message(events)
    looked = board.looks
    await asyncio.sleep(10 * PERIOD)
    assert board.looks == looked


async def test_a_look_that_fails_leaves_the_page_as_it_was(
    caplog: pytest.LogCaptureFixture,
) -> None:
    board, live = Board(), LiveUpdates()
    async with live.stream(board.feed, "", "") as events:
        await next_message(events)
        board.shown = ValueError("a bug")
        await until(lambda: "could not be brought up to date" in caplog.text)
        board.shown = "two"
        assert "two" in await next_message(events)


async def test_no_more_are_open_than_a_bound() -> None:
    board, live = Board(), LiveUpdates(most=1)
    async with live.stream(board.feed, "", "") as events:
        await next_message(events)
        with pytest.raises(TooManyError):
            async with live.stream(board.feed, "", ""):
                pass
    async with live.stream(board.feed, "", ""):
        pass


async def test_a_quiet_stream_beats() -> None:
    board, live = Board(), LiveUpdates(heartbeat=0.02)
    async with live.stream(board.feed, "", fingerprint("one")) as events:
        async with asyncio.timeout(10):
            beats = [await anext(events) for _ in range(4)]
    assert set(beats) == {b": alive\n\n"}


async def test_streams_end_with_the_login_and_with_the_sentinel() -> None:
    board, live = Board(), LiveUpdates()
    async with asyncio.timeout(10):
        async with live.stream(board.feed, "", "", seconds=0.05) as events:
            assert [data async for data in events][-1].startswith((b":", b"id"))
        async with live.stream(board.feed, "", "") as events:
            await next_message(events)
            await live.aclose()
            assert [data async for data in events] == []
        with pytest.raises(TooManyError):
            async with live.stream(board.feed, "", ""):
                pass
