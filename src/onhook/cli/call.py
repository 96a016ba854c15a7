"""`onhook call`: a phone in the terminal that reports what it heard."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onhook.cli.call_report import show, state
from onhook.errors import OnhookError
from onhook.stack.state import running

if TYPE_CHECKING:
    from rich.console import Console

    from onhook.phone import Answering, Call, Phone, ReferAnswer, Report
    from onhook.phone.codec import Samples

__all__ = ["call", "default_server"]

_LONGEST = 3600.0
"""Seconds after which a call, or waiting for one, ends in any case."""
_TICK = 0.25


class Transport(StrEnum):
    """How SIP travels."""

    UDP = "udp"
    TCP = "tcp"


class CodecName(StrEnum):
    """The two codecs of G.711."""

    PCMU = "pcmu"
    PCMA = "pcma"


class OnRefer(StrEnum):
    """What to say to a REFER."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    SILENT = "silent"
    FAIL = "fail"


def default_server() -> str | None:
    """Return `HOST:PORT` of the SIP service of the one stack that runs, if there is just one."""
    addresses = [state.sip for state in running() if state.sip]
    return addresses[0] if len(addresses) == 1 else None


def call(
    number: Annotated[
        str | None, typer.Argument(help="A number, or a SIP address. Leave it out with --listen.")
    ] = None,
    *,
    server: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="The SIP service that takes the call.")
    ] = None,
    caller: Annotated[str, typer.Option("--from", help="Our own number.")] = "+15550199",
    transport: Annotated[Transport, typer.Option(help="How SIP travels.")] = Transport.UDP,
    codec: Annotated[CodecName, typer.Option(help="µ-law or a-law.")] = CodecName.PCMU,
    play: Annotated[
        Path | None, typer.Option(metavar="WAV", help="Play this once answered.")
    ] = None,
    say: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Speak this once answered (espeak-ng).")
    ] = None,
    dtmf: Annotated[
        str | None, typer.Option(metavar="DIGITS", help="Press these keys after that.")
    ] = None,
    hangup_after: Annotated[
        float, typer.Option(metavar="S", help="Hang up so many seconds after the answer.")
    ] = _LONGEST,
    cancel_after: Annotated[
        float, typer.Option(metavar="S", help="Give up after ringing so many seconds.")
    ] = 180.0,
    save: Annotated[
        Path | None, typer.Option(metavar="WAV", help="Write what was heard to this file.")
    ] = None,
    answer_refer: Annotated[
        OnRefer,
        typer.Option(help="A REFER (transfer): accept, refuse (603), silent (no NOTIFY), fail."),
    ] = OnRefer.ACCEPT,
    listen: Annotated[
        bool, typer.Option("--listen", help="Be called instead: wait for one call.")
    ] = False,
    bind: Annotated[
        str | None, typer.Option(metavar="HOST[:PORT]", help="Our own address; chosen if omitted.")
    ] = None,
    answer_after: Annotated[
        float, typer.Option(metavar="S", help="With --listen: ring so long, then answer.")
    ] = 1.0,
    reject: Annotated[
        int | None, typer.Option(metavar="STATUS", help="With --listen: refuse (486, 603, ...).")
    ] = None,
    never_answer: Annotated[
        bool, typer.Option("--never-answer", help="With --listen: ring for ever.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Call NUMBER, and report what was heard: every sound, every silence, and how it ended.

    The call lasts until the other side hangs up, --hangup-after, or Ctrl-C, which hangs up too.

    Exit status: 0 the call was answered; 1 it was not, or it failed; 2 the command line is wrong.
    """
    from rich.console import Console  # noqa: PLC0415  (`onhook --help` stays quick)

    errors = Console(stderr=True, highlight=False)
    try:
        order = _Order(
            number=number,
            server=server or default_server(),
            caller=caller,
            transport=transport.value,
            codec=codec.value,
            bind=bind,
            answering=_answering(answer_after, reject, never_answer=never_answer, listen=listen),
            on_refer=_on_refer(answer_refer),
            play=play,
            say=say,
            dtmf=dtmf,
            hangup_after=hangup_after,
            cancel_after=cancel_after,
        )
        _check(order, save)
    except OnhookError as error:
        raise _failed(errors, error, 2) from None
    try:
        report = asyncio.run(_hold(order, errors, save))
    except OnhookError as error:
        raise _failed(errors, error, 2 if isinstance(error, ValueError) else 1) from None
    if as_json:
        typer.echo(json.dumps(report.as_dict(), indent=2))
    else:
        show(Console(highlight=False), report, save)
    raise typer.Exit(0 if report.answered and report.ending != "failed" else 1)


def _failed(errors: Console, error: OnhookError, status: int) -> typer.Exit:
    errors.print(f"error: {error}", style="red", markup=False, soft_wrap=True)
    return typer.Exit(status)


@dataclass(frozen=True, slots=True)
class _Order:
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


def _answering(
    after: float, status: int | None, *, never_answer: bool, listen: bool
) -> Answering | None:
    from onhook.phone import Answer, Reject, Ring  # noqa: PLC0415

    if not listen:
        return None
    if never_answer:
        return Ring()
    return Answer(after) if status is None else Reject(status, after)


def _on_refer(choice: OnRefer) -> ReferAnswer:
    from onhook.phone import ReferAnswer  # noqa: PLC0415

    answer: ReferAnswer = getattr(ReferAnswer, choice.value)()
    return answer


def _check(order: _Order, save: Path | None) -> None:
    """Refuse now what would go wrong later.

    Raises:
        PhoneError: It names the option and the mend.
    """
    from onhook.phone import NumberError, address, check_digits  # noqa: PLC0415

    if (order.number is None) == (order.answering is None):
        raise NumberError("give either a NUMBER to call, or --listen to be called")
    if order.number is not None:
        if order.server is None and not order.number.startswith("sip:"):
            raise NumberError(
                f"no server for {order.number!r}: pass --server HOST:PORT, the address of the SIP "
                f"service, or dial sip:{order.number}@HOST:PORT"
            )
        address(order.number, order.server)
    if order.play is not None and order.say is not None:
        raise NumberError("give --play or --say, not both")
    if order.dtmf is not None:
        check_digits(order.dtmf)
    if min(order.hangup_after, order.cancel_after) <= 0:
        raise NumberError("--hangup-after and --cancel-after take seconds greater than 0")
    if save is not None and not save.parent.is_dir():
        raise NumberError(f"cannot save {str(save)!r}: there is no folder {str(save.parent)!r}")


async def _hold(order: _Order, errors: Console, save: Path | None) -> Report:
    """Hold the call from its first message to its last, and save what was heard."""
    from onhook.phone import Phone, load_audio, speech  # noqa: PLC0415

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


async def _local(order: _Order) -> tuple[str, int]:
    """Return where to listen: as told, else the address that reaches the server."""
    from onhook.phone import NumberError, address, local_host  # noqa: PLC0415

    if order.bind is not None:
        host, _, port = order.bind.partition(":")
        if not host or (port and not port.isdigit()):
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


async def _begin(order: _Order, phone: Phone, errors: Console, interrupted: asyncio.Event) -> Call:
    from onhook.phone import CallError  # noqa: PLC0415

    if order.number is not None:
        return await phone.dial(order.number, server=order.server, ring_timeout=order.cancel_after)
    errors.print(f"listening: {phone.uri} ({order.transport})", soft_wrap=True)
    incoming = asyncio.create_task(phone.next_call(_LONGEST))
    stopping = asyncio.create_task(interrupted.wait())
    try:
        await asyncio.wait({incoming, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if incoming.done():
            return incoming.result()
    finally:
        incoming.cancel()
        stopping.cancel()
    raise CallError("nobody called")


async def _talk(order: _Order, call: Call, words: Samples | None) -> None:
    """Say what is to be said, press what is to be pressed, hang up when it is time."""
    await call.answered(2 * _LONGEST)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(order.hangup_after):
            if words is not None:
                await call.play(words)
            if order.dtmf is not None:
                await call.send_digits(order.dtmf)
            await call.ended(2 * _LONGEST)
    await call.hang_up()
