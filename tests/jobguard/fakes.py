"""A job without a server: what the guard reads of a `JobContext`, and a room that tells changes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

from livekit import api, rtc
from livekit.agents import (
    AgentStateChangedEvent,
    JobContext,
    JobExecutorType,
    UserInputTranscribedEvent,
    UserStateChangedEvent,
)
from livekit.agents.llm import FunctionCall
from livekit.agents.voice import SpeechHandle
from livekit.agents.voice.io import AudioOutput, AudioOutputCapabilities

from onhook.line import Line
from onhook.livekit.framework.session_internals import tells_of_tools

ROOM = "call-1"
AGENT = "agent-1"


class FakeRoom(rtc.EventEmitter[str]):
    """Not connected, as long as a job has not called `connect()`."""

    name = ROOM
    connection_state = rtc.ConnectionState.CONN_DISCONNECTED
    _local_participant: Any = None

    @property
    def local_participant(self) -> Any:
        if self._local_participant is None:
            raise Exception("cannot access local participant before connecting")
        return self._local_participant

    def isconnected(self) -> bool:
        return False


class FakeTrack(rtc.LocalAudioTrack):
    """A track of the job's that nobody can listen to."""

    def __init__(self) -> None:
        """It has no handle of the rtc library."""


class ConnectedRoom(FakeRoom):
    """A room that a job may connect to, with people in it and a voice."""

    connection_state = rtc.ConnectionState.CONN_CONNECTED

    def __init__(self, *, connected: bool = True) -> None:
        super().__init__()
        self.connected = connected
        self.remote_participants: dict[str, Any] = {}
        self.attempts: list[dict[str, str]] = []
        self.refuses: Exception | None = None
        self.ignores = False
        if connected:
            self.connects()

    def connects(self) -> None:
        """The agent has joined the room."""
        self.connected = True
        if self._local_participant is None:
            self._local_participant = SimpleNamespace(
                identity=AGENT,
                attributes={},
                track_publications={},
                register_rpc_method=lambda *_: None,
                set_attributes=self._set_attributes,
            )

    async def _set_attributes(self, attributes: dict[str, str]) -> None:
        """Merge as the server does: an empty value takes an attribute away."""
        self.attempts.append(attributes)
        if self.refuses is not None:
            raise self.refuses
        if self.ignores:
            return
        whole = {**self.local_participant.attributes, **attributes}
        self.local_participant.attributes = {n: v for n, v in whole.items() if v}
        self.emit("participant_attributes_changed")

    def isconnected(self) -> bool:
        return self.connected

    def publishes(self, name: str = "roomio_audio") -> None:
        """The agent connects and publishes audio."""
        self.connects()
        track = FakeTrack()
        audio = SimpleNamespace(kind=rtc.TrackKind.KIND_AUDIO, muted=False, name=name, track=track)
        self.local_participant.track_publications["mic"] = audio
        self.emit("local_track_published")

    def caller_is(self, status: str, *, inbound: bool = True) -> None:
        """A SIP leg is there, in this state of its line."""
        rule = {"sip.ruleID": "SDR_1"} if inbound else {}
        self.remote_participants["sip_1"] = SimpleNamespace(
            identity="sip_1",
            kind=rtc.ParticipantKind.PARTICIPANT_KIND_SIP,
            kind_details=[],
            permissions=None,
            attributes={"sip.callStatus": status, "sip.callID": "SCL_1", **rule},
            track_publications={},
        )
        self.emit("participant_attributes_changed")


def answered_room() -> ConnectedRoom:
    """A room with a caller who was answered, and an agent with a voice."""
    room = ConnectedRoom()
    room.publishes()
    room.caller_is("active")
    return room


class FakeSpeech:
    """The part of a `SpeechHandle` that is listened to."""

    def __init__(self) -> None:
        self.interrupted = False
        self.scheduled = True
        self._callbacks: list[Callable[[Any], None]] = []
        self._done = False

    @property
    def handle(self) -> SpeechHandle:
        return cast(SpeechHandle, self)

    def done(self) -> bool:
        return self._done

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self._callbacks.append(callback)

    def ends(self, *, interrupted: bool = False) -> None:
        self._done, self.interrupted = True, interrupted
        for callback in self._callbacks:
            callback(self)


class FakeJob:
    """Stands in for `JobContext`."""

    def __init__(self) -> None:
        self.room = FakeRoom()
        room = SimpleNamespace(name=ROOM, creation_time=0, creation_time_ms=0)
        self.job = SimpleNamespace(
            id="AJ_1", metadata="", room=room, agent_name="", dispatch_id="", attributes={}
        )
        token = api.AccessToken("key", "s" * 32).with_identity(AGENT).to_jwt()
        self._info = SimpleNamespace(token=token)
        self.callbacks: list[Callable[[str], Awaitable[None]]] = []
        self.shutdowns: list[str] = []
        self.fake = False
        self.proc = SimpleNamespace(executor_type=JobExecutorType.PROCESS)
        self.session: FakeSession | None = None

    @property
    def primary_session(self) -> Any:
        if self.session is None:
            raise RuntimeError("No AgentSession was started for this job")
        return self.session

    @property
    def ctx(self) -> JobContext:
        return cast(JobContext, self)

    def is_fake_job(self) -> bool:
        return self.fake

    def add_shutdown_callback(self, callback: Callable[[str], Awaitable[None]]) -> None:
        assert callback.__code__.co_argcount == 1
        self.callbacks.append(callback)

    def shutdown(self, reason: str = "user requested") -> None:
        self.shutdowns.append(reason)

    async def end(self, reason: str = "room disconnected") -> None:
        """End the job as livekit-agents does: run the shutdown callbacks."""
        for callback in self.callbacks:
            await callback(reason)


class FakeSpeaker(AudioOutput):
    def __init__(self) -> None:
        super().__init__(label="speaker", capabilities=AudioOutputCapabilities(pause=True))
        self.frames = 0

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        self.frames += 1

    def flush(self) -> None:
        super().flush()

    def clear_buffer(self) -> None: ...


class FakeSession(rtc.EventEmitter[Any]):
    """The part of an `AgentSession` that a watch touches."""

    def __init__(self) -> None:
        super().__init__()
        self.llm = self.tts = None
        self.stt: Any = "speech to text"
        self.current_speech = None
        self.agent: Any = SimpleNamespace(llm=None, stt=None)
        self.agent_state = "listening"
        self.turn_detection = "vad"
        self._closing_task: object = None
        self.amd: Any = None
        self.output: Any = SimpleNamespace(audio=FakeSpeaker(), audio_enabled=True)
        self.input: Any = SimpleNamespace(audio="the caller", audio_enabled=True)

    @property
    def current_agent(self) -> Any:
        return self.agent

    def becomes(self, state: Any) -> None:
        old, self.agent_state = self.agent_state, state
        self.emit("agent_state_changed", AgentStateChangedEvent(old_state=old, new_state=state))  # type: ignore[arg-type]

    def caller_says(self, text: str = "a table for two") -> None:
        """Speak and be transcribed: that alone asks for nothing."""
        for old, new in (("listening", "speaking"), ("speaking", "listening")):
            self.emit("user_state_changed", UserStateChangedEvent(old_state=old, new_state=new))  # type: ignore[arg-type]
        self.emit(
            "user_input_transcribed", UserInputTranscribedEvent(transcript=text, is_final=True)
        )

    def begins(self, source: str = "generate_reply") -> FakeSpeech:
        """Create a speech, as the framework does for a reply and for `say`."""
        speech = FakeSpeech()
        self.emit("speech_created", SimpleNamespace(speech_handle=speech, source=source))
        return speech

    def takes_turn(self, text: str = "a table for two") -> FakeSpeech:
        """Commit what the caller has said, and begin to answer it."""
        self.caller_says(text)
        reply = self.begins()
        message = SimpleNamespace(type="message", role="user")
        self.emit("conversation_item_added", SimpleNamespace(item=message))
        self.becomes("thinking")
        return reply

    def calls_tool(self, name: str, reply: FakeSpeech) -> None:
        """Begin a tool that never ends, as this version of the framework tells of it."""
        call = FunctionCall(call_id=name, name=name, arguments="{}")
        if tells_of_tools():
            update = SimpleNamespace(type="tool_call_started", function_call=call)
            self.emit("tool_execution_updated", SimpleNamespace(update=update))
            return
        self.tool = asyncio.create_task(asyncio.Event().wait(), name=f"func_exec_{name}")
        info = SimpleNamespace(function_call=call, speech_handle=reply)
        setattr(self.tool, "__livekit_agents_activity_task", info)

    async def sends(self, *, audible: bool = True) -> None:
        sample = b"\x00\x20" if audible else b"\x00\x00"
        await self.output.audio.capture_frame(rtc.AudioFrame(sample * 1600, 16000, 1, 1600))


def opening(line: Line) -> Callable[[], contextlib.AbstractAsyncContextManager[Line]]:
    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[Line]:
        yield line

    return opened
