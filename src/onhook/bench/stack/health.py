"""Is a server there? Asked in its own protocol."""

from __future__ import annotations

import asyncio
import socket
import uuid

from onhook.bench.stack.ports import HOST

__all__ = ["redis", "sip"]


async def redis(port: int) -> bool:
    """Send PING to a Redis server."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(b"PING\r\n")
        return await reader.readline() == b"+PONG\r\n"
    finally:
        writer.close()
        await writer.wait_closed()


async def sip(port: int) -> bool:
    """Send OPTIONS to a SIP server (RFC 3261 section 11); any final response will do."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.setblocking(False)
        udp.connect((HOST, port))
        mine = "{}:{}".format(*udp.getsockname())
        token = uuid.uuid4().hex
        request = (
            f"OPTIONS sip:{HOST}:{port} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {mine};branch=z9hG4bK{token};rport\r\n"
            f"From: <sip:health@{mine}>;tag={token[:8]}\r\n"
            f"To: <sip:{HOST}:{port}>\r\n"
            f"Call-ID: {token}@{HOST}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n"
            f"Contact: <sip:health@{mine}>\r\nContent-Length: 0\r\n\r\n"
        )
        await loop.sock_sendall(udp, request.encode())
        return (await loop.sock_recv(udp, 2048)).startswith(b"SIP/2.0 2")
