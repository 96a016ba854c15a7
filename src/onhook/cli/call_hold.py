"""`onhook call`, from the first message to the last."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from onhook.cli.call_table import state

if TYPE_CHECKING:
    from rich.console import Console

    from onhook.bench.phone import Answering, Call, Phone, ReferAnswer, Report
    from onhook.bench.phone.codec import Samples

__all__ = ["LONGEST", "Order", "hold"]

LONGEST = 3600.0
"""Seconds after which a call, or waiting for one, ends in any case."""
_TICK = 0.25


@dataclass(frozen=True, slots=True)
class Order:
    """What the command line asks for."""

    number: str | None
    server: str | None
    caller: str
    transport: str
    codec: str
    bind: str | None
    answering: Answering | None
    on_refer: ReferAnswer
    play: Path | None
    say: str | None
    dtmf: str | None
    hangup_after: float
    cancel_after: float


async def hold(order: Order, errors: Console, save: Path | None) -> Report:
    """Hold the call from its first message to its last, and save what was heard."""
    from onhook.bench.phone import Phone, load_audio, speech  # noqa: PLC0415

    words: Samples | None = None
    if order.play is not None:
        words = await asyncio.to_thread(load_audio, order.play)
    elif order.say is not None:
        words = await speech(order.say)
    host, port = await _local(order)
    async with (
        Phone(
            order.caller,
            host=host,
            port=port,
            transport=order.transport,
            codecs=(order.codec,),
            answering=order.answering,
            on_refer=order.on_refer,
        ) as phone,
        _interrupts() as interrupted,
    ):
        with errors.status("…") as status:
            call = await _begin(order, phone, errors, interrupted)
            talking = asyncio.create_task(_talk(order, call, words))
            waiting = asyncio.create_task(interrupted.wait())
            try:
                while not (talking.done() or waiting.done() or call.report().ending):
                    status.update(state(call.report()))
                    await asyncio.wait(
                        {talking, waiting}, timeout=_TICK, return_when=asyncio.FIRST_COMPLETED
                    )
                if talking.done() and call.is_up:
                    talking.result()  # it failed, or it would have ended the call
                await call.hang_up()
            finally:
                for task in (talking, waiting):
                    task.cancel()
                await asyncio.gather(talking, waiting, return_exceptions=True)
        if save is not None:
            call.save(save)
        return call.report()


async def _local(order: Order) -> tuple[str, int]:
    """Return where to listen: as told, else the address that reaches the server."""
    from onhook.bench.phone import NumberError, address, local_host  # noqa: PLC0415

    if order.bind is not None:
        host, _, port = order.bind.partition(":")
        if not host or not (port or "0").isdecimal() or int(port or 0) > 65535:
            raise NumberError(f"cannot listen on {order.bind!r}: give --bind HOST or HOST:PORT")
        return host, int(port or 0)
    if order.number is None:
        return "127.0.0.1", 0
    target, proxy = address(order.number, order.server)
    return await local_host(proxy or (target.host, target.port or 5060)), 0


@contextlib.asynccontextmanager
async def _interrupts() -> AsyncIterator[asyncio.Event]:
    """Turn the first Ctrl-C into a quiet end; the second ends the program as ever."""
    loop = asyncio.get_running_loop()
    interrupted = asyncio.Event()
    kinds = (signal.SIGINT, signal.SIGTERM)

    def interrupt() -> None:
        interrupted.set()
        for kind in kinds:
            loop.remove_signal_handler(kind)

    for kind in kinds:
        loop.add_signal_handler(kind, interrupt)
    try:
        yield interrupted
    finally:
        for kind in kinds:
            loop.remove_signal_handler(kind)


async def _begin(order: Order, phone: Phone, errors: Console, interrupted: asyncio.Event) -> Call:
    from onhook.bench.phone import CallError  # noqa: PLC0415

    if order.number is not None:
        return await phone.dial(order.number, server=order.server, ring_timeout=order.cancel_after)
    errors.print(f"listening: {phone.uri} ({order.transport})", soft_wrap=True)
    incoming = asyncio.create_task(phone.next_call(LONGEST))
    stopping = asyncio.create_task(interrupted.wait())
    try:
        await asyncio.wait({incoming, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if incoming.done():
            return incoming.result()
    finally:
        incoming.cancel()
        stopping.cancel()
    raise CallError("nobody called")


async def _talk(order: Order, call: Call, words: Samples | None) -> None:
    """Say what is to be said, press what is to be pressed, hang up when it is time."""
    await call.answered(2 * LONGEST)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(order.hangup_after):
            if words is not None:
                await call.play(words)
            if order.dtmf is not None:
                await call.send_digits(order.dtmf)
            await call.ended(2 * LONGEST)
    await call.hang_up()
