"""A stand-in for LiveKit that records every act, and the line that a stand-in sentinel has to it.

An act that has arrived is done, whatever becomes of who asked for it: like a request to LiveKit.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from onhook.call import Call
from onhook.errors import ApiError, OnhookError
from onhook.line import Announcement, Dispatch, Referral
from onhook.sentinel.fleet.held_claim import HeldClaim
from tests.fakes import call_of, caller

__all__ = ["Act", "ChaosLine", "LineServer"]

HOST = "127.0.0.1"
API_TIMEOUT = 1.5


@dataclass(slots=True)
class Act:
    """One act that arrived.

    Args:
        call: Of which call.
        rung: Which one.
        owner: Who asked for it.
        token: With which fencing token; the server does not look at it.
        late: Whether a greater token had been seen before.
        begun: When.
        ended: When it was done; 0 while it is not.
    """

    call: str
    rung: str
    owner: str
    token: int
    late: bool
    begun: float
    ended: float = 0.0


@dataclass(slots=True)
class LineServer:
    """Serves lines to stand-in sentinels.

    Args:
        rng: Decides how long acts take.
        longest: Seconds that an act may take.
    """

    rng: random.Random
    longest: float
    acts: list[Act] = field(default_factory=list)
    released: set[str] = field(default_factory=set)
    finished: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    """By call: owners that were told that their outcome counts, and the ending."""
    taken_over: int = 0
    tokens: dict[str, int] = field(default_factory=dict)
    port: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def aclose(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while asked := await reader.readline():
                request = json.loads(asked)
                # of its own: whoever asks may be gone before it is done
                task = asyncio.create_task(self._answer(request, writer))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        except OSError:
            pass
        finally:
            writer.close()

    async def _answer(self, request: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        answer: dict[str, Any] = {"number": request["number"]}
        match request["op"]:
            case "picture":
                answer["there"] = request["call"] not in self.released
            case "finished":
                told = (request["owner"], request["ending"])
                self.finished[request["call"]].append(told)
            case "takeover":
                self.taken_over += 1
            case "act":
                await self._act(request)
        if not writer.is_closing():
            writer.write(json.dumps(answer).encode() + b"\n")

    async def _act(self, request: dict[str, Any]) -> None:
        call, rung, owner, token = (request[key] for key in ("call", "rung", "owner", "token"))
        greatest = self.tokens.get(call, 0)
        self.tokens[call] = max(greatest, token)
        act = Act(call, rung, owner, token, token < greatest, time.monotonic())
        self.acts.append(act)
        await asyncio.sleep(self.rng.uniform(0.2, 1.0) * self.longest)
        if rung == "delete":
            self.released.add(call)
        act.ended = time.monotonic()


class LineClient:
    """One sentinel's connection to the server.

    Args:
        port: The server's.
        owner: The sentinel's name.
    """

    def __init__(self, port: int, owner: str) -> None:
        self.owner = owner
        self._port = port
        self._number = 0
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def __aenter__(self) -> LineClient:
        self._reader, self._writer = await asyncio.open_connection(HOST, self._port)
        self._task = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        self._writer.close()

    async def ask(self, op: str, call: str, **more: Any) -> dict[str, Any]:
        self._number += 1
        number = self._number
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        request = {"number": number, "op": op, "call": call, "owner": self.owner, **more}
        try:
            async with asyncio.timeout(API_TIMEOUT):
                self._writer.write(json.dumps(request).encode() + b"\n")
                return await future
        except TimeoutError:
            raise ApiError(f"{call}: {op} timed out", code="timeout", passing=True) from None
        finally:
            del self._waiting[number]

    async def _read(self) -> None:
        while line := await self._reader.readline():
            answer = json.loads(line)
            future = self._waiting.get(answer["number"])
            if future is not None and not future.done():
                future.set_result(answer)


class ChaosLine:
    """The line of one call, with a caller and no agent.

    Args:
        client: The connection.
        call: Key of the call.
        held: Tells with which token it is asked; nothing else is looked at here.
    """

    def __init__(self, client: LineClient, call: str, held: HeldClaim) -> None:
        self._client = client
        self._call = call
        self._held = held

    async def picture(self) -> Call:
        found = await self._client.ask("picture", self._call)
        return call_of(caller()) if found["there"] else call_of()

    async def say(self, announcement: Announcement) -> str:
        await self._act(announcement.text)
        return "said"

    async def delete_room(self) -> None:
        await self._act("delete")

    async def _act(self, rung: str) -> None:
        await self._client.ask("act", self._call, rung=rung, token=self._held.claim.token)

    async def check(self) -> None:
        raise OnhookError("not here")

    async def remove(self, identity: str) -> None:
        raise OnhookError("not here")

    async def left(self, identity: str) -> None:
        raise OnhookError("not here")

    async def transfer(self, identity: str, referral: Referral) -> None:
        raise OnhookError("not here")

    async def origin(self) -> str | None:
        raise OnhookError("not here")

    async def dispatches(self) -> Sequence[Dispatch]:
        raise OnhookError("not here")

    async def dispatch(self, agent_name: str, metadata: str) -> str:
        raise OnhookError("not here")

    async def heard(self, dispatch: str) -> str:
        raise OnhookError("not here")

    async def withdraw(self, dispatch: str) -> None:
        raise OnhookError("not here")

    async def retry(self) -> str:
        raise OnhookError("not here")
