"""SIP transactions: what is sent again, and what is answered again (RFC 3261, section 17)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from sipmessage import CSeq, Request, Response

from onhook.bench.phone.message import Host, Received, mark_source, reply, token
from onhook.bench.phone.phone_errors import CallTimeoutError
from onhook.bench.phone.sip_transport import Wire

__all__ = ["ClientTransaction", "Owner", "ServerTransaction", "Timers"]


@dataclass(frozen=True, slots=True)
class Timers:
    """The base of every timer, in seconds (RFC 3261, section 17.1.1.1 and table 4).

    Args:
        t1: An estimate of the round trip; a request is given up after 64 of them.
        t2: The longest interval between two sendings.
        t4: How long a message may stay in the network.
    """

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0

    @property
    def give_up(self) -> float:
        """Timers B, F, H: 64 times T1."""
        return 64 * self.t1


class Owner(Protocol):
    """Where transactions live: the endpoint."""

    timers: Timers
    wire: Wire

    def forget(self, transaction: ClientTransaction | ServerTransaction) -> None:
        """Drop a transaction that has ended."""
        ...


class _Timed:
    """Sends a message again at growing intervals, and ends after a while. Owns its timers."""

    def __init__(self, timers: Timers) -> None:
        self._loop = asyncio.get_running_loop()
        self._timers = timers
        self._again: asyncio.TimerHandle | None = None
        self._end: asyncio.TimerHandle | None = None

    def repeat(self, send: Callable[[], None], interval: float, longest: float) -> None:
        def fire() -> None:
            send()
            self.repeat(send, min(2 * interval, longest), longest)

        self.quiet()
        self._again = self._loop.call_later(interval, fire)

    def quiet(self) -> None:
        """Send nothing again."""
        if self._again is not None:
            self._again.cancel()
            self._again = None

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something once, in place of what would have been done at the end."""
        if self._end is not None:
            self._end.cancel()
        self._end = self._loop.call_later(seconds, action)

    def stop(self) -> None:
        """Cancel both timers."""
        self.quiet()
        if self._end is not None:
            self._end.cancel()
            self._end = None


class ClientTransaction(_Timed):
    """A request of ours, and the responses to it (sections 17.1.1 and 17.1.2).

    Args:
        endpoint: Where it lives.
        request: The request, with its Via.
        to: Where it goes.
    """

    def __init__(self, endpoint: Owner, request: Request, to: Host) -> None:
        super().__init__(endpoint.timers)
        self.request = request
        self.to = to
        self.provisional = asyncio.Event()
        self._responses: asyncio.Queue[tuple[Received, Response] | None] = asyncio.Queue()
        self._endpoint = endpoint
        self._wire = endpoint.wire
        self._final = False

    def start(self) -> None:
        """Send the request."""
        self._send()
        invite = self.request.method == "INVITE"
        if not self._wire.reliable:
            longest = self._timers.give_up if invite else self._timers.t2
            self.repeat(self._send, self._timers.t1, longest)
        self.after(self._timers.give_up, self.abandon)

    async def next(self) -> tuple[Received, Response]:
        """Return the next response.

        Raises:
            CallTimeoutError: None came in time (timers B and F).
        """
        response = await self._responses.get()
        if response is None:
            raise CallTimeoutError(
                f"no response to {self.request.method} from {self.to[0]}:{self.to[1]} within "
                f"{self._timers.give_up:g} s: is the SIP service running there?"
            )
        return response

    async def final(self) -> Response:
        """Return the final response; raises as `next` does."""
        while True:
            _, response = await self.next()
            if response.code >= 200:
                return response

    def abandon(self) -> None:
        """Wait no longer: who waits for a response is told so."""
        self.stop()
        self._endpoint.forget(self)
        self._responses.put_nowait(None)

    def receive(self, received: Received, response: Response) -> None:
        """Take a response that belongs here."""
        invite = self.request.method == "INVITE"
        if self._final:
            if invite and response.code >= 300:
                self._acknowledge(response)
            return
        self._responses.put_nowait((received, response))
        if response.code < 200:
            self.provisional.set()
            if invite:
                self.stop()  # it rings for as long as it likes; the caller cancels
            elif not self._wire.reliable:
                self.repeat(self._send, self._timers.t2, self._timers.t2)
            return
        self._final = True
        self.quiet()
        if invite and response.code < 300:
            self._endpoint.forget(self)  # the dialog acknowledges, and again if need be
            return
        if invite:
            self._acknowledge(response)
        linger = self._timers.give_up if invite else self._timers.t4
        self.after(0 if self._wire.reliable else linger, lambda: self._endpoint.forget(self))

    def _send(self) -> None:
        self._wire.send(self.request, self.to)

    def _acknowledge(self, response: Response) -> None:
        """Acknowledge a refusal within the transaction (section 17.1.1.3)."""
        ack = Request("ACK", self.request.uri)
        ack.headers.set("Via", self.request.headers["Via"])
        ack.headers.set("Max-Forwards", "70")
        routes = self.request.headers.getlist("Route")
        if routes:
            ack.headers.setlist("Route", list(routes))
        ack.headers.set("From", self.request.headers["From"])
        ack.headers.set("To", response.headers["To"])
        ack.headers.set("Call-ID", self.request.headers["Call-ID"])
        ack.cseq = CSeq(self.request.cseq.sequence, "ACK")
        ack.headers.set("Content-Length", "0")
        self._wire.send(ack, self.to)


class ServerTransaction(_Timed):
    """A request of theirs, and our responses (section 17.2; RFC 6026 for the 2xx of an INVITE).

    Args:
        endpoint: Where it lives.
        received: The request.
        request: The same, typed.
    """

    def __init__(self, endpoint: Owner, received: Received, request: Request) -> None:
        super().__init__(endpoint.timers)
        mark_source(request, received.source)
        self.request = request
        self.source = received.source
        self.at = received.at
        self.tag = token(4)
        self.acknowledged: asyncio.Future[bool] | None = None
        self.status = 0
        self._endpoint = endpoint
        self._wire = endpoint.wire
        self._last: Response | None = None

    def respond(
        self,
        status: int,
        *,
        reason: str = "",
        body: bytes = b"",
        contact: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Send a response; after a final one there can be no other."""
        if self.status >= 200:
            return
        response = reply(
            self.request, status, tag=self.tag if status > 100 else "", reason=reason, body=body
        )
        if contact:
            response.headers.set("Contact", contact)
        for name, value in (headers or {}).items():
            response.headers.set(name, value)
        self._last, self.status = response, status
        self.resend()
        if status >= 200:
            self._finish(status)

    def resend(self) -> None:
        """Answer a request that came again."""
        if self._last is not None:
            self._wire.send(self._last, self.source)

    def acknowledge(self) -> None:
        """Take the ACK of our final response to an INVITE."""
        self.quiet()
        self._settle(True)
        self.after(0 if self._wire.reliable else self._timers.t4, self._forget)

    def stop(self) -> None:
        """See `_Timed.stop`; nobody waits for the ACK any longer."""
        super().stop()
        self._settle(False)

    def _settle(self, acknowledged: bool) -> None:
        if self.acknowledged is not None and not self.acknowledged.done():
            self.acknowledged.set_result(acknowledged)

    def _finish(self, status: int) -> None:
        if self.request.method != "INVITE":
            self.after(0 if self._wire.reliable else self._timers.give_up, self._forget)
            return
        self.acknowledged = self._loop.create_future()
        if status < 300 or not self._wire.reliable:  # a 2xx crosses proxies (section 13.3.1.4)
            self.repeat(self.resend, self._timers.t1, self._timers.t2)
        self.after(self._timers.give_up, self._forget)

    def _forget(self) -> None:
        self.stop()
        self._endpoint.forget(self)
