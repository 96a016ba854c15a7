"""SIP over UDP and over TCP (RFC 3261, section 18)."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import time
from collections.abc import Callable
from typing import Protocol, TypeAlias, cast

from sipmessage import Request, Response

from onhook.bench.phone.message import Host, Received, parse_message
from onhook.bench.phone.phone_errors import PhoneError, SipError

__all__ = [
    "TRANSPORTS",
    "Receiver",
    "TcpWire",
    "UdpWire",
    "Wire",
    "local_host",
    "open_wire",
    "resolve",
]

logger = logging.getLogger("onhook.bench.phone")

Receiver: TypeAlias = Callable[[Received], None]

TRANSPORTS = ("udp", "tcp")

_CONNECT = 5.0
"""Seconds that a TCP connection may take."""
_LARGEST = 65536
"""Bytes of the largest message that we take from a stream."""


class Wire(Protocol):
    """Carries SIP messages."""

    name: str
    """As it stands in a Via."""
    reliable: bool
    """Whether messages need not be sent again."""

    @property
    def local(self) -> Host:
        """Our address and port."""
        ...

    async def reach(self, to: Host) -> Host:
        """Make sure that messages can be sent there, and return its numeric address.

        Raises:
            PhoneError: The name is unknown, or nothing accepts a connection there.
        """
        ...

    def send(self, message: Request | Response, to: Host) -> None:
        """Send a message now; one that cannot be sent is lost, as on any network."""
        ...

    async def aclose(self) -> None:
        """Close every socket; safe to repeat."""
        ...


async def open_wire(transport: str, host: str, port: int, receive: Receiver) -> Wire:
    """Listen for SIP messages.

    Args:
        transport: `udp` or `tcp`.
        host: The local address.
        port: The local port, 0 for a free one.
        receive: Takes every message.

    Raises:
        PhoneError: An unknown transport, or the address cannot be listened on.
    """
    if transport not in TRANSPORTS:
        raise PhoneError(f"unknown transport {transport!r}: give 'udp' or 'tcp'")
    try:
        return await (UdpWire if transport == "udp" else TcpWire).open(host, port, receive)
    except (OSError, OverflowError) as error:
        raise PhoneError(
            f"cannot listen on {host}:{port}/{transport}: {_reason(error)}; "
            "give a local address and a free port (0 chooses one)"
        ) from error


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


async def resolve(to: Host) -> Host:
    """Return the numeric IPv4 address of a host.

    Raises:
        PhoneError: The name is unknown.
    """
    try:
        return str(ipaddress.IPv4Address(to[0])), to[1]
    except ValueError:
        loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_CONNECT):
            found = await loop.getaddrinfo(*to, family=socket.AF_INET)
    except (OSError, TimeoutError) as error:
        raise PhoneError(f"cannot find the address of {to[0]!r} ({error!r}); give an IP") from error
    return str(found[0][4][0]), to[1]


async def local_host(towards: Host) -> str:
    """Return which of our addresses reaches a host: loopback for loopback, and so on.

    Raises:
        PhoneError: The name is unknown, or there is no route.
    """
    to = await resolve(towards)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(to)  # a datagram socket only looks up the route
        except OSError as error:
            raise PhoneError(f"no route to {to[0]}:{to[1]}: {error.strerror}") from error
        host: str = probe.getsockname()[0]
        return host


def _take(data: bytes, source: Host, receive: Receiver) -> None:
    at = time.monotonic()
    if not data.strip(b"\r\n\0 "):
        return  # keep-alives (RFC 5626, section 3.5.1)
    try:
        message = parse_message(data)
    except SipError as error:
        logger.warning("dropped what %s:%d sent: %s", *source, error)
        return
    try:
        receive(Received(message, source, at))
    except Exception:
        # The boundary to the network: no message of a stranger may take the phone down.
        logger.exception("cannot deal with what %s:%d sent: %r", *source, data[:200])


class UdpWire(asyncio.DatagramProtocol):
    """One socket for everything."""

    name = "UDP"
    reliable = False

    def __init__(self, receive: Receiver) -> None:
        self._receive = receive
        self._transport: asyncio.DatagramTransport | None = None
        self._closed = asyncio.Event()
        self.local: Host = ("", 0)

    @classmethod
    async def open(cls, host: str, port: int, receive: Receiver) -> UdpWire:
        """Bind; see `open_wire`."""
        loop = asyncio.get_running_loop()
        _, wire = await loop.create_datagram_endpoint(lambda: cls(receive), (host, port))
        return wire

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.DatagramProtocol`."""
        self._transport = cast("asyncio.DatagramTransport", transport)
        self.local = transport.get_extra_info("sockname")[:2]

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.DatagramProtocol`."""
        self._closed.set()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """See `asyncio.DatagramProtocol`."""
        _take(data, addr[:2], self._receive)

    async def reach(self, to: Host) -> Host:
        """See `Wire.reach`; a datagram needs no connection."""
        return await resolve(to)

    def send(self, message: Request | Response, to: Host) -> None:
        """See `Wire.send`."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(bytes(message), to)

    async def aclose(self) -> None:
        """See `Wire.aclose`."""
        if self._transport is not None:
            self._transport.close()
            await self._closed.wait()


class TcpWire:
    """A listening socket, and a connection for each peer."""

    name = "TCP"
    reliable = True

    def __init__(self, receive: Receiver) -> None:
        self._receive = receive
        self._writers: dict[Host, asyncio.StreamWriter] = {}
        self._readers: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.local: Host = ("", 0)

    @classmethod
    async def open(cls, host: str, port: int, receive: Receiver) -> TcpWire:
        """Listen; see `open_wire`."""
        wire = cls(receive)
        wire._server = await asyncio.start_server(wire._accept, host, port)
        wire.local = wire._server.sockets[0].getsockname()[:2]
        return wire

    async def reach(self, to: Host) -> Host:
        """See `Wire.reach`."""
        to = await resolve(to)
        writer = self._writers.get(to)
        if writer is not None and not writer.is_closing():
            return to
        try:
            async with asyncio.timeout(_CONNECT):
                reader, writer = await asyncio.open_connection(*to)
        except (OSError, TimeoutError) as error:
            raise PhoneError(
                f"cannot connect to {to[0]}:{to[1]} over TCP ({error!r}); is the SIP "
                "service running there?"
            ) from error
        self._accept(reader, writer, to)
        return to

    def send(self, message: Request | Response, to: Host) -> None:
        """See `Wire.send`."""
        writer = self._writers.get(to)
        if writer is None or writer.is_closing():
            logger.warning("no connection to %s:%d any more; a message is lost", *to)
            return
        writer.write(bytes(message))

    async def aclose(self) -> None:
        """See `Wire.aclose`."""
        if self._server is not None:
            self._server.close()
        readers = tuple(self._readers)
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Host | None = None
    ) -> None:
        peer = peer or writer.get_extra_info("peername")[:2]
        self._writers[peer] = writer
        task = asyncio.create_task(self._read(reader, writer, peer), name="phone-tcp-reader")
        self._readers.add(task)
        task.add_done_callback(self._readers.discard)

    async def _read(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Host
    ) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(_content_length(head))
                _take(head.lstrip(b"\r\n") + body, peer, self._receive)
        except (asyncio.IncompleteReadError, ConnectionError):
            logger.debug("%s:%d closed its connection", *peer)
        except (asyncio.LimitOverrunError, SipError) as error:
            logger.warning("%s:%d sent what is no SIP (%s); connection closed", *peer, error)
        finally:
            if self._writers.get(peer) is writer:
                del self._writers[peer]
            writer.close()


def _content_length(head: bytes) -> int:
    """Return the bytes that follow a header; on a stream it must say so (section 18.3)."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() in (b"content-length", b"l"):
            if value.strip().isdigit() and int(value) <= _LARGEST:
                return int(value)
            raise SipError(f"Content-Length {value[:20]!r}")
    return 0
