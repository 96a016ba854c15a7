"""What travels arrives unchanged; what is garbage is refused with a reason."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onhook.faults import Fault, Severity
from onhook.incident import Failure, Incident, Result, RungReport
from onhook.ladder import Ladder
from onhook.policy import Policy
from onhook.rescue.events import Closed, Resumed
from onhook.rungs import HangUp, RemoveCallers, Say
from onhook.watchdog.protocol.frames import (
    HEADER,
    LIMIT,
    PULSE,
    Frames,
    ProtocolError,
    decode,
    encode,
)
from onhook.watchdog.protocol.job_policy import JobPolicy
from onhook.watchdog.protocol.messages import Answer, Ask, Beat, Bye, Hello, Message, Welcome
from tests.fakes import call_of, caller, human
from tests.rescue.telling import about, climbed, intent, opened

POLICY = Policy(
    lost=[Say("We are sorry."), HangUp(deadline=3.0)],
    on={Fault.JOB_DIED: [RemoveCallers()]},
    ringing="reject",
    setup=None,
    hang_limit=7.0,
    late_caller=0,
)
HELLO = Hello("call-1", "AJ_1", "agent-1", 42, JobPolicy.of(POLICY))
CALL = call_of(caller(), human())
FAILURE = Failure(
    *(Fault.ENTRYPOINT_RAISED, "it broke", 12.5),
    evidence={"by": "line"},
    severity=Severity.LOST,
    traceback="Traceback: ü",
)
REPORT = RungReport("say", Result.TIMED_OUT, "not done", 1.0, 2.5)
MESSAGES: list[Message] = [
    HELLO,
    msgspec.structs.replace(HELLO, mode="observe"),
    Beat(0.01, "speaking"),
    opened(Incident(FAILURE, CALL), Ladder((Say(), HangUp())), 12.5),
    intent("inc_1", "say"),
    climbed("inc_1", REPORT),
    Resumed(**about("inc_1"), rung="say", detail="it died"),
    Closed(**about("inc_1"), ending="handed_outward", detail="no", failure=FAILURE),
    Bye("done"),
    Welcome(7, ""),
    Ask("status"),
    Answer("{}"),
]


def bodies(data: bytes) -> list[bytes]:
    return list(Frames().feed(data))


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_every_message_arrives_as_it_was_sent(message: Message) -> None:
    (body,) = bodies(encode(message))
    assert decode(body) == message


def test_a_policy_keeps_what_a_rescue_from_outside_needs() -> None:
    got = decode(bodies(encode(HELLO))[0])
    assert isinstance(got, Hello)
    assert got.policy == JobPolicy.of(POLICY)
    for field in msgspec.structs.fields(JobPolicy):
        assert field.required, "nothing is guessed"
    for fault in Fault:
        assert got.policy.ladder_for(fault) == POLICY.ladder_for(fault)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hang_limit", 0),
        ("hang_limit", None),
        ("api_timeout", "5"),
        ("late_caller", -1),
        ("setup", True),
        ("ringing", "wait"),
        ("on", {"job.bored": Ladder((HangUp(),)).to_json()}),
        ("on", []),
        ("lost", Ladder((Say(),)).to_json()),
        ("first_audio", 8.0),
    ],
)
def test_a_policy_that_cannot_be_is_refused(name: str, value: object) -> None:
    content = json.loads(bodies(encode(HELLO))[0])
    content["policy"][name] = value
    with pytest.raises(ProtocolError, match="no message: "):
        decode(json.dumps(content).encode())


@given(st.lists(st.sampled_from(MESSAGES), max_size=5), st.integers(1, 40))
def test_frames_come_whole_however_they_are_cut(messages: list[Message], step: int) -> None:
    data = b"".join(encode(message) + PULSE for message in messages)
    frames = Frames()
    got = [
        body
        for start in range(0, len(data), step)
        for body in frames.feed(data[start : start + step])
    ]
    assert [type(decode(body)) for body in got if body] == [type(m) for m in messages]
    assert got.count(b"") == len(messages)
    assert not frames.begun


@given(st.binary(max_size=300))
def test_bytes_that_are_no_frames_do_no_harm(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        for body in bodies(data):
            if body:
                decode(body)


_OPTIONAL = ("mode", "audible_until", "failure", "recovered", "released")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.sampled_from(MESSAGES), st.data())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_message_with_any_field_spoilt_is_refused_or_whole(
    message: Message, data: st.DataObject
) -> None:
    content: dict[str, Any] = json.loads(bodies(encode(message))[0])
    name = data.draw(st.sampled_from(sorted(content)))
    action = data.draw(st.sampled_from(["drop", "change", "add", "nest"]))
    match action:
        case "drop":
            del content[name]
        case "add":
            content["more"] = data.draw(JSON)
        case "nest" if isinstance(content[name], dict) and content[name]:
            inner = data.draw(st.sampled_from(sorted(content[name])))
            content[name][inner] = data.draw(JSON)
        case _:
            content[name] = data.draw(JSON)
    try:
        got = decode(json.dumps(content).encode())
    except ProtocolError:
        return
    assert action != "add"
    assert action != "drop" or name in _OPTIONAL
    encode(got)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"[" * 60_000,
        b'{"kind":"beat","lag":1e999,"state":""}',
        b'{"kind":"beat","lag":NaN,"state":""}',
        b'{"v":2,"kind":"bye","reason":""}',
        b'{"kind":"bye","reason":"","more":1}',
        b'{"kind":"bye","reason":"\\ud800"}' + b"\x00",
        b'{"kind":"nothing"}',
        b'{"kind":["bye"],"reason":""}',
        b'{"kind":"intent","incident":"' + b"9" * 5000 + b'"}',
        b'{"kind":"welcome","pid":' + b"9" * 4000 + b"}",
    ],
)
def test_garbage_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(body)


def test_a_frame_may_not_be_longer_than_the_limit() -> None:
    with pytest.raises(ProtocolError, match="at most"):
        bodies(HEADER.pack(LIMIT + 1))
    with pytest.raises(ProtocolError, match="too long"):
        encode(Answer("x" * LIMIT))
