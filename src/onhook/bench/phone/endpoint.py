"""Which message belongs to which transaction (RFC 3261, sections 17.1.3 and 17.2.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from sipmessage import Request, Response

from onhook.bench.phone.message import Host, Received, branch_of, tag_of
from onhook.bench.phone.sip_transport import Wire
from onhook.bench.phone.transactions import ClientTransaction, ServerTransaction, Timers

__all__ = ["Endpoint"]

_Key: TypeAlias = tuple[str, str]
Answer: TypeAlias = Callable[[ServerTransaction], None]


class Endpoint:
    """Matches messages to transactions, and hands new requests on.

    Args:
        timers: The timers of every transaction.
        on_request: Takes every new request but ACK.
        on_stray_ok: Takes a 2xx to an INVITE that came again: its ACK was lost.
    """

    wire: Wire

    def __init__(
        self, timers: Timers, on_request: Answer, on_stray_ok: Callable[[Response], None]
    ) -> None:
        self.timers = timers
        self._on_request = on_request
        self._on_stray_ok = on_stray_ok
        self._clients: dict[_Key, ClientTransaction] = {}
        self._servers: dict[_Key, ServerTransaction] = {}

    async def send(self, request: Request, to: Host) -> ClientTransaction:
        """Send a request in a new transaction.

        Raises:
            PhoneError: There is no way to reach that address.
        """
        to = await self.wire.reach(to)
        transaction = ClientTransaction(self, request, to)
        self._clients[branch_of(request), request.method] = transaction
        transaction.start()
        return transaction

    def receive(self, received: Received) -> None:
        """Take a message from the wire."""
        message = received.message
        if isinstance(message, Response):
            transaction = self._clients.get((branch_of(message), message.cseq.method))
            if transaction is not None:
                transaction.receive(received, message)
            elif message.cseq.method == "INVITE" and 200 <= message.code < 300:
                self._on_stray_ok(message)
            return
        if message.method == "ACK":
            self._acknowledge(message)
            return
        key = (branch_of(message), message.method)
        if (known := self._servers.get(key)) is not None:
            known.resend()
            return
        transaction_ = ServerTransaction(self, received, message)
        self._servers[key] = transaction_
        self._on_request(transaction_)

    def invite_of(self, cancel: Request) -> ServerTransaction | None:
        """Return the INVITE that a CANCEL means (section 9.2)."""
        return self._servers.get((branch_of(cancel), "INVITE"))

    def forget(self, transaction: ClientTransaction | ServerTransaction) -> None:
        """Drop a transaction that has ended."""
        key = (branch_of(transaction.request), transaction.request.method)
        if isinstance(transaction, ClientTransaction):
            self._clients.pop(key, None)
        else:
            self._servers.pop(key, None)

    def close(self) -> None:
        """Stop every timer; who waits for a response gets none."""
        for client in self._clients.values():
            client.stop()
        for server in self._servers.values():
            server.stop()
        self._clients.clear()
        self._servers.clear()

    def _acknowledge(self, ack: Request) -> None:
        """Find the INVITE of an ACK: by branch, or for a 2xx by the dialog (section 13.3.1.4)."""
        transaction = self._servers.get((branch_of(ack), "INVITE"))
        if transaction is None:
            wanted = (ack.call_id, ack.cseq.sequence, tag_of(ack.headers["From"]))
            for server in self._servers.values():
                request = server.request
                found = (request.call_id, request.cseq.sequence, tag_of(request.headers["From"]))
                if request.method == "INVITE" and found == wanted:
                    transaction = server
        if transaction is not None and transaction.status >= 200:
            transaction.acknowledge()
