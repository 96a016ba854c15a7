"""The simulator: a provider's port, and beside it the port that controls it."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import numpy as np
from aiohttp import web

from onhook.bench.simulator import bodies, speech
from onhook.bench.simulator.control import State
from onhook.bench.simulator.provider_faults import Endpoint, Kind, ProviderFault
from onhook.bench.simulator.script import Ask, Script
from onhook.bench.simulator.sending import send
from onhook.bench.simulator.simulator_errors import SimulatorError

__all__ = ["Simulator"]

HOST = "127.0.0.1"
_KEY = "sk-onhook-simulator"
"""Every key is accepted; this one is nobody's."""
_UPLOAD = 32 * 2**20
_SILENT = -50.0
_CLOSING = 0.2
_CACHE = 64


class Simulator:
    """OpenAI's HTTP interface on loopback, with faults on demand.

    Args:
        script: What is said and understood.
        port: Port of the provider; a free one when 0.
        control_port: Port of the control endpoint; a free one when 0.

    Raises:
        SimulatorError: The port is taken.
    """

    def __init__(
        self, script: Script | None = None, *, port: int = 0, control_port: int = 0
    ) -> None:
        self._state = State(script or Script())
        self._ports = (port, control_port)
        self._holds: list[socket.socket] = []
        self._provider: web.AppRunner | None = None
        self._control: web.AppRunner | None = None
        self._spoken: dict[tuple[str, int, str, bool], bytes] = {}

    async def __aenter__(self) -> Simulator:
        try:
            self._holds = [_hold(port) for port in self._ports]
            self._control = await self._serve(
                1, [web.get("/control", self._tell), web.put("/control", self._obey)]
            )
            await self.listen()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.refuse()
        if self._control is not None:
            await self._control.cleanup()
        for hold in self._holds:
            hold.close()

    @property
    def base_url(self) -> str:
        """What a client takes for `https://api.openai.com/v1`."""
        return f"http://{HOST}:{self._holds[0].getsockname()[1]}/v1"

    @property
    def control_url(self) -> str:
        """Where another process reads (GET) and changes (PUT) the faults."""
        return f"http://{HOST}:{self._holds[1].getsockname()[1]}/control"

    @property
    def api_key(self) -> str:
        """A key that the simulator accepts, as it does every other."""
        return _KEY

    @property
    def env(self) -> dict[str, str]:
        """The environment in which OpenAI's own client finds the simulator."""
        return {"OPENAI_BASE_URL": self.base_url, "OPENAI_API_KEY": _KEY}

    @property
    def requests(self) -> list[Ask]:
        """The requests that were seen, oldest first, at most the last thousand."""
        return list(self._state.asks)

    def fail_next(self, endpoint: Endpoint | str, *faults: ProviderFault) -> None:
        """Let the next requests fail, one fault each; those after them are as before.

        Raises:
            SimulatorError: The endpoint cannot have such a fault.
        """
        for fault in faults:
            fault.check(Endpoint(endpoint))
        self._state.queue[Endpoint(endpoint)].extend(faults)

    def fail(self, endpoint: Endpoint | str, fault: ProviderFault) -> None:
        """Let every request fail until `heal`.

        Raises:
            SimulatorError: The endpoint cannot have such a fault.
        """
        fault.check(Endpoint(endpoint))
        self._state.standing[Endpoint(endpoint)] = fault

    def heal(self, *endpoints: Endpoint | str) -> None:
        """Let requests succeed again: those of some endpoints, or all."""
        self._state.heal(*endpoints)

    def follow(self, script: Script) -> None:
        """Begin another script."""
        self._state.follow(script)

    async def refuse(self) -> None:
        """Close the port and every connection: from now on, connection refused."""
        runner, self._provider = self._provider, None
        if runner is not None:
            await runner.cleanup()

    async def listen(self) -> None:
        """Open the port again."""
        if self._provider is None:
            self._provider = await self._serve(
                0,
                [
                    web.get("/v1/models", self._models),
                    web.post("/v1/chat/completions", self._chat),
                    web.post("/v1/audio/speech", self._speech),
                    web.post("/v1/audio/transcriptions", self._transcriptions),
                ],
            )

    async def _serve(self, which: int, routes: list[web.RouteDef]) -> web.AppRunner:
        app = web.Application(client_max_size=_UPLOAD, middlewares=[_explained])
        app.add_routes(routes)
        runner = web.AppRunner(
            app, handler_cancellation=True, shutdown_timeout=_CLOSING, access_log=None
        )
        await runner.setup()
        port = self._holds[which].getsockname()[1]
        await web.SockSite(runner, _listener(port)).start()
        return runner

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": []})

    async def _tell(self, _: web.Request) -> web.Response:
        facts = {**self._state.to_dict(), "listening": self._provider is not None}
        return web.json_response(facts)

    async def _obey(self, request: web.Request) -> web.Response:
        order = await request.json()
        self._state.obey(order)
        if "listening" in order:
            await (self.listen() if order["listening"] else self.refuse())
        return await self._tell(request)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        fault = self._state.take(Endpoint.CHAT)
        last = (asked.get("messages") or [{}])[-1].get("content")
        text = last if isinstance(last, str) else " ".join(p.get("text", "") for p in last or [])
        ask = self._note(Endpoint.CHAT, asked, fault, text)
        kind = fault and fault.kind
        if kind in (Kind.STATUS, Kind.EMPTY, Kind.MALFORMED):
            answer = None
        else:
            answer = self._state.answers.take()
        pace = self._state.script.pace
        body = bodies.chat(asked, answer, pace=pace, malformed=kind is Kind.MALFORMED)
        return await send(request, ask, fault, body)

    async def _speech(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        fault = self._state.take(Endpoint.SPEECH)
        text = str(asked.get("input", ""))
        ask = self._note(Endpoint.SPEECH, asked, fault, text)
        kind = fault and fault.kind
        form = str(asked.get("response_format") or "mp3")
        rate = fault.rate if fault and kind is Kind.WRONG_RATE else speech.RATE
        audio = b""
        if kind not in (Kind.STATUS, Kind.EMPTY, Kind.MALFORMED):
            audio = await self._audio(text, rate, form, mute=kind is Kind.MUTE)
        sse = asked.get("stream_format") == "sse"
        content = speech.CONTENT_TYPES.get(form, "application/octet-stream")
        body = bodies.speech(audio, content, sse=sse, malformed=kind is Kind.MALFORMED)
        return await send(request, ask, fault, body)

    async def _transcriptions(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        fault = self._state.take(Endpoint.TRANSCRIPTIONS)
        upload = form.get("file")
        if not isinstance(upload, web.FileField):
            raise SimulatorError("a transcription needs the field `file`")
        with upload.file as file:
            loudness = await asyncio.to_thread(speech.level, file.read())
        ask = self._note(Endpoint.TRANSCRIPTIONS, form, fault, level=loudness)
        kind = fault and fault.kind
        understood = loudness > _SILENT and kind not in (Kind.STATUS, Kind.EMPTY, Kind.MALFORMED)
        text = self._state.heard.take() if understood else ""
        body = bodies.transcription(text, malformed=kind is Kind.MALFORMED)
        return await send(request, ask, fault, body)

    def _note(
        self,
        endpoint: Endpoint,
        asked: Mapping[str, Any],
        fault: ProviderFault | None,
        text: str = "",
        level: float | None = None,
    ) -> Ask:
        model = str(asked.get("model", ""))
        kind = str(fault.kind) if fault else ""
        ask = Ask(endpoint, model, text, time.monotonic(), kind, level)
        self._state.asks.append(ask)
        return ask

    async def _audio(self, text: str, rate: int, form: str, *, mute: bool) -> bytes:
        """Return speech; the last few sentences are kept, so that they cost nothing again."""
        wanted = (text, rate, form, mute)
        if wanted not in self._spoken:
            samples = await speech.speak(text, rate)
            samples = np.zeros_like(samples) if mute else samples
            audio = await asyncio.to_thread(speech.encode, samples, rate, form)
            while len(self._spoken) >= _CACHE:
                del self._spoken[next(iter(self._spoken))]
            self._spoken[wanted] = audio
        return self._spoken[wanted]


@web.middleware
async def _explained(request: web.Request, handler: Any) -> web.StreamResponse:
    """Answer a request that makes no sense with the reason."""
    try:
        response: web.StreamResponse = await handler(request)
    except (SimulatorError, ValueError) as error:
        return web.json_response({"error": {"message": str(error), "code": None}}, status=400)
    return response


def _hold(port: int) -> socket.socket:
    """Bind a port without listening on it: it is ours, and refuses connections."""
    hold = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    hold.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        hold.bind((HOST, port))
    except OSError as error:
        hold.close()
        raise SimulatorError(f"cannot use port {port}: {error.strerror}; give another") from error
    return hold


def _listener(port: int) -> socket.socket:
    listener = _hold(port)
    listener.listen(128)
    listener.setblocking(False)
    return listener
