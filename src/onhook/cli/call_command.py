"""`onhook call`: a phone in the terminal that reports what it heard."""

from __future__ import annotations

import asyncio
import json
import math
import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onhook.bench.stack.running_stacks import running
from onhook.cli.call_hold import LONGEST, Order, hold
from onhook.cli.call_table import show
from onhook.errors import OnhookError

if TYPE_CHECKING:
    from rich.console import Console

    from onhook.bench.phone import Answering, ReferAnswer

__all__ = ["call", "default_server"]


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
    ] = LONGEST,
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
        order = Order(
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
        report = asyncio.run(hold(order, errors, save))
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


def _answering(
    after: float, status: int | None, *, never_answer: bool, listen: bool
) -> Answering | None:
    from onhook.bench.phone import Answer, Reject, Ring  # noqa: PLC0415

    if not listen:
        return None
    if never_answer:
        return Ring()
    return Answer(after) if status is None else Reject(status, after)


def _on_refer(choice: OnRefer) -> ReferAnswer:
    from onhook.bench.phone import ReferAnswer  # noqa: PLC0415

    answer: ReferAnswer = getattr(ReferAnswer, choice.value)()
    return answer


def _check(order: Order, save: Path | None) -> None:
    """Refuse now what would go wrong later.

    Raises:
        PhoneError: It names the option and the mend.
    """
    from onhook.bench.phone import NumberError, address, check_digits  # noqa: PLC0415

    if (order.number is None) == (order.answering is None):
        raise NumberError("give either a NUMBER to call, or --listen to be called")
    if order.number is not None:
        if order.server is None and not order.number.startswith(("sip:", "sips:", "tel:")):
            raise NumberError(
                f"no server for {order.number!r}: pass --server HOST:PORT, the address of the SIP "
                f"service, or dial sip:{order.number}@HOST:PORT"
            )
        address(order.number, order.server)
    if order.play is not None and order.say is not None:
        raise NumberError("give --play or --say, not both")
    if order.dtmf is not None:
        check_digits(order.dtmf)
    if order.say is not None and not order.say.strip():
        raise NumberError("--say takes the words to speak; leave it out to say nothing")
    if not all(0 < seconds < math.inf for seconds in (order.hangup_after, order.cancel_after)):
        raise NumberError("--hangup-after and --cancel-after take seconds greater than 0")
    if save is not None:
        _check_save(save)


def _check_save(save: Path) -> None:
    from onhook.bench.phone import NumberError  # noqa: PLC0415

    if not save.parent.is_dir():
        raise NumberError(f"cannot save {str(save)!r}: there is no folder {str(save.parent)!r}")
    if not save.name or save.is_dir():
        raise NumberError(f"cannot save {str(save)!r}: give the name of a file, heard.wav")
    if not os.access(save.parent, os.W_OK):
        raise NumberError(f"cannot save {str(save)!r}: the folder cannot be written to")
