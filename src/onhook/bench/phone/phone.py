"""The phone: dials, is called, and measures what it hears."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from sipmessage import Response

from onhook.bench.phone.answering import Answer, Answering, take_cancel, take_invite
from onhook.bench.phone.auth import Credentials
from onhook.bench.phone.codec import PCMA, PCMU, codec_named
from onhook.bench.phone.dial_target import address, check_user
from onhook.bench.phone.dialling import invite
from onhook.bench.phone.dialog import Dialog, local_address
from onhook.bench.phone.endpoint import Endpoint
from onhook.bench.phone.indialog import take_request
from onhook.bench.phone.leg import Leg, Line
from onhook.bench.phone.message import ALLOW, Host, check_header, tag_of, token
from onhook.bench.phone.phone_call import Call
from onhook.bench.phone.phone_errors import CallTimeoutError, NumberError, PhoneError
from onhook.bench.phone.refer import ReferAnswer
from onhook.bench.phone.sip_transport import open_wire
from onhook.bench.phone.sound_segments import Threshold
from onhook.bench.phone.transactions import ServerTransaction, Timers

__all__ = ["Phone"]

logger = logging.getLogger("onhook.bench.phone")

_CLOSE = 6.0
"""Seconds that hanging up every call may take when the phone is closed."""
_WAITING = 16
"""Calls that may wait for `next_call`; further ones are busy."""


class Phone:
    """A SIP phone at a local address; an asynchronous context manager.

    Leaving it hangs up every call and closes every socket.

    Args:
        number: Its own number, or the user of its address.
        host: The local IPv4 address to listen on; also what others are told to send to.
        port: The SIP port, 0 for a free one.
        transport: `udp` or `tcp`.
        codecs: What it can do, the best first: `pcmu`, `pcma`.
        answering: What it does with a call that comes in; may be changed at any time.
        on_refer: What it says to a REFER; may be changed for each call.
        threshold: Where sound begins.
        credentials: For a server that asks for them.
        timers: The timers of SIP.

    Raises:
        PhoneError: A value that cannot be used; a port in use is found on entering.
    """

    def __init__(
        self,
        number: str = "+15550199",
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        transport: str = "udp",
        codecs: Sequence[str] = ("pcmu", "pcma"),
        answering: Answering | None = None,
        on_refer: ReferAnswer | None = None,
        threshold: Threshold | None = None,
        credentials: Credentials | None = None,
        timers: Timers | None = None,
    ) -> None:
        if not codecs:
            raise PhoneError("a phone needs a codec: give 'pcmu', 'pcma' or both")
        self.number = check_user(number)
        self.answering: Answering = answering or Answer()
        self.calls: list[Call] = []
        self._line = Line(
            host,
            tuple(codec_named(name) for name in codecs),
            threshold or Threshold(),
            on_refer or ReferAnswer.accept(),
        )
        self._port = port
        self._transport = transport
        self._credentials = credentials
        self._endpoint = Endpoint(timers or Timers(), self._on_request, self._on_stray_ok)
        self._legs: list[Leg] = []
        self._incoming: asyncio.Queue[Call] = asyncio.Queue(_WAITING)
        self._opening = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = False

    async def __aenter__(self) -> Self:
        for codec in (PCMU, PCMA):
            await asyncio.to_thread(codec.load)
        self._endpoint.wire = await open_wire(
            self._transport, self._line.host, self._port, self._endpoint.receive
        )
        self._open = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    @property
    def address(self) -> Host:
        """Where it listens."""
        return self._endpoint.wire.local

    @property
    def uri(self) -> str:
        """What to dial to reach it."""
        return local_address(self.number, self.address, self._endpoint.wire.name)[1:-1]

    async def dial(
        self,
        to: str,
        *,
        server: str | None = None,
        caller: str | None = None,
        ring_timeout: float = 180.0,
        headers: Mapping[str, str] | None = None,
    ) -> Call:
        """Send an INVITE; the call is returned at once, `await call.answered()` waits.

        Args:
            to: A SIP address, or a number together with `server`.
            server: `HOST:PORT` of the SIP service; without, the host of the address.
            caller: The number shown to the other side; the phone's own without.
            ring_timeout: Seconds after which an unanswered call is cancelled.
            headers: Further header fields of the INVITE.

        Raises:
            NumberError: The number, address, server or caller cannot be used.
            PhoneError: The phone is not open, or has no port for the audio.
        """
        if not self._open:
            raise PhoneError("the phone is not open: use it as `async with Phone() as phone:`")
        if ring_timeout <= 0:
            raise PhoneError(f"ring_timeout={ring_timeout!r}: give seconds greater than 0")
        target, proxy = address(to, server)
        wanted = target.parameters.get("transport")
        if wanted is not None and wanted.lower() != self._transport:
            raise NumberError(
                f"{to!r} wants {wanted}; this phone has transport={self._transport!r}"
            )
        extra = [(name, check_header(name, value)) for name, value in (headers or {}).items()]
        user = check_user(caller or self.number)
        wire = self._endpoint.wire
        host, port = wire.local
        dialog = Dialog(
            call_id=f"{token()}@{host}",
            local=f"<sip:{user}@{host}:{port}>;tag={token(4)}",
            remote=f"<{target}>",
            target=target,
            contact=local_address(user, wire.local, wire.name),
            via=f"{wire.name} {host}:{port}",
            proxy=proxy,
        )
        leg = await Leg.open(self._endpoint, dialog, self._line, number=str(target), outgoing=True)
        request = dialog.request("INVITE", body=bytes(leg.ours))
        for name, value in extra:
            request.headers.set(name, value)
        leg.own(invite(leg, request, self._credentials, ring_timeout), "phone-invite")
        return self._add(leg)

    async def next_call(self, timeout: float = 30.0) -> Call:
        """Return the next call that comes in; it is being answered as `answering` says.

        Raises:
            CallTimeoutError: None came within `timeout` seconds.
        """
        try:
            async with asyncio.timeout(timeout):
                return await self._incoming.get()
        except TimeoutError:
            raise CallTimeoutError(f"nobody called {self.uri} within {timeout:g} s") from None

    async def aclose(self) -> None:
        """Hang up every call and close every socket; safe to repeat."""
        if not self._open:
            return
        self._open = False
        try:
            async with asyncio.timeout(_CLOSE):
                ends = [leg.hang_up() for leg in self._legs]
                for error in await asyncio.gather(*ends, return_exceptions=True):
                    if isinstance(error, BaseException):
                        logger.warning("hanging up: %s", error)
        except TimeoutError:
            logger.warning("the phone is closed with calls that nobody confirmed to be over")
        finally:
            await self._close()

    async def _close(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *(leg.aclose() for leg in self._legs), return_exceptions=True)
        self._endpoint.close()
        await self._endpoint.wire.aclose()

    def _add(self, leg: Leg) -> Call:
        call = Call(leg)
        self._legs.append(leg)
        self.calls.append(call)
        return call

    def _on_request(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        if request.method == "CANCEL":
            self._on_cancel(transaction)
        elif wanted := request.headers.getlist("Require"):  # we have no extensions (8.2.2.3)
            transaction.respond(420, headers={"Unsupported": ", ".join(wanted)})
        elif tag_of(request.headers["To"]):
            for leg in self._legs:
                if leg.dialog.matches(request):
                    take_request(leg, transaction)
                    return
            transaction.respond(481)
        elif request.method == "INVITE":
            self._on_invite(transaction)
        elif request.method == "OPTIONS":
            transaction.respond(200, headers={"Allow": ALLOW, "Accept": "application/sdp"})
        else:
            transaction.respond(405, headers={"Allow": ALLOW})

    def _on_invite(self, transaction: ServerTransaction) -> None:
        wire = self._endpoint.wire
        contact = local_address(self.number, wire.local, wire.name)
        via = f"{wire.name} {wire.local[0]}:{wire.local[1]}"
        try:
            dialog = Dialog.accepted(transaction.request, transaction.tag, contact, via)
        except ValueError as error:
            logger.warning("refused: %s", error)
            transaction.respond(400)
            return
        if not self._open or self._incoming.qsize() + self._opening >= _WAITING:
            transaction.respond(486 if self._open else 480)
            return
        transaction.respond(100)
        self._opening += 1
        task = asyncio.create_task(self._take(transaction, dialog), name="phone-incoming")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take(self, transaction: ServerTransaction, dialog: Dialog) -> None:
        number = dialog.remote.partition("<")[2].partition(">")[0] or dialog.remote
        try:
            leg = await Leg.open(self._endpoint, dialog, self._line, number=number, outgoing=False)
        except PhoneError as error:
            logger.warning("refused a call from %s: %s", number, error)
            transaction.respond(500)
            return
        finally:
            self._opening -= 1
        leg.story.invited_at = transaction.at
        call = self._add(leg)
        leg.own(take_invite(leg, transaction, self.answering), "phone-answer")
        self._incoming.put_nowait(call)

    def _on_cancel(self, transaction: ServerTransaction) -> None:
        invited = self._endpoint.invite_of(transaction.request)
        if invited is None:
            transaction.respond(481)
            return
        for leg in self._legs:
            if not leg.outgoing and leg.dialog.call_id == invited.request.call_id:
                take_cancel(leg, transaction, invited)
                return
        transaction.respond(200)  # so early that the call has no leg yet
        invited.respond(487)

    def _on_stray_ok(self, response: Response) -> None:
        """Acknowledge an answer again: our ACK was lost (RFC 3261, section 13.2.2.4)."""
        for leg in self._legs:
            if leg.dialog.call_id == response.call_id and leg.ack is not None:
                self._endpoint.wire.send(*leg.ack)
