"""A dialog: what two sides of a call agree to call it (RFC 3261, section 12)."""

from __future__ import annotations

from dataclasses import dataclass

from sipmessage import URI, Address, CSeq, Request, Response

from onhook.bench.phone.message import ALLOW, Host, contact_uri, destination_of, tag_of, token
from onhook.bench.phone.phone_errors import SipError

__all__ = ["Dialog", "local_address"]


def local_address(user: str, host: Host, transport: str) -> str:
    """Return a Contact field for this phone."""
    suffix = "" if transport == "UDP" else f";transport={transport.lower()}"
    return f"<sip:{user}@{host[0]}:{host[1]}{suffix}>"


@dataclass(slots=True)
class Dialog:
    """One side of a call.

    The From and To fields are kept as they came, because a peer compares them byte by byte.

    Args:
        call_id: The Call-ID.
        local: Our From field, with our tag.
        remote: The other side's, with its tag once known.
        target: Where requests go.
        contact: Our Contact field.
        via: Our transport and address, as in a Via.
        routes: The route set (section 12.1.2).
        proxy: Where the first request goes, when not to the target.
        sequence: The last CSeq that we used.
        remote_sequence: The last CSeq that they used.
    """

    call_id: str
    local: str
    remote: str
    target: URI
    contact: str
    via: str
    routes: tuple[str, ...] = ()
    proxy: Host | None = None
    sequence: int = 0
    remote_sequence: int = -1

    def request(
        self, method: str, *, body: bytes = b"", sequence: int | None = None, branch: str = ""
    ) -> Request:
        """Return a new request within the dialog.

        Args:
            method: The method.
            body: A session description.
            sequence: The CSeq, for ACK and CANCEL; the next one without.
            branch: The branch, for CANCEL; a new one without.
        """
        if sequence is None:
            self.sequence += 1
            sequence = self.sequence
        request = Request(method, self.target, body)
        branch = branch or f"z9hG4bK{token()}"
        request.headers.set("Via", f"SIP/2.0/{self.via};branch={branch};rport")
        request.headers.set("Max-Forwards", "70")
        if self.routes:
            request.headers.setlist("Route", list(self.routes))
        request.headers.set("From", self.local)
        request.headers.set("To", self.remote)
        request.headers.set("Call-ID", self.call_id)
        request.cseq = CSeq(sequence, method)
        if method not in ("CANCEL", "BYE"):
            request.headers.set("Contact", self.contact)
            request.headers.set("Allow", ALLOW)
        request.headers.set("User-Agent", "onhook")
        if body:
            request.headers.set("Content-Type", "application/sdp")
        request.headers.set("Content-Length", str(len(body)))
        return request

    def destination(self) -> Host:
        """Return where the next request goes: the first route, else the target."""
        if self.routes:
            return destination_of(Address.parse_many(self.routes[0])[0].uri)
        return self.proxy or destination_of(self.target)

    def confirm(self, response: Response) -> None:
        """Take what the 2xx says: the remote tag, its Contact, the routes in reverse."""
        self.remote = response.headers["To"]
        self.routes = tuple(reversed(_split(response.headers.getlist("Record-Route"))))
        self.target = contact_uri(response) or self.target
        self.proxy = None if contact_uri(response) else self.proxy

    @classmethod
    def accepted(cls, request: Request, tag: str, contact: str, via: str) -> Dialog:
        """Return the dialog of an INVITE that came in.

        Raises:
            SipError: It has no Contact.
        """
        target = contact_uri(request)
        if target is None:
            raise SipError(f"the INVITE of call {request.call_id!r} has no usable Contact")
        return cls(
            call_id=request.call_id,
            local=f"{request.headers['To']};tag={tag}",
            remote=request.headers["From"],
            target=target,
            contact=contact,
            via=via,
            routes=_split(request.headers.getlist("Record-Route")),
            remote_sequence=request.cseq.sequence,
        )

    def matches(self, request: Request) -> bool:
        """Return whether a request of the other side belongs here; any of its tags before a 2xx."""
        return (
            request.call_id == self.call_id
            and tag_of(request.headers["To"]) == tag_of(self.local)
            and tag_of(self.remote) in ("", tag_of(request.headers["From"]))
        )


def _split(values: list[str]) -> tuple[str, ...]:
    return tuple(str(address) for value in values for address in Address.parse_many(value))
