"""What travels arrives unchanged; what is garbage is refused with a reason."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onhook.faults import Fault, Severity
from onhook.incident import Result, RungReport
from onhook.ladder import Ladder
from onhook.policy import Policy
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
from onhook.watchdog.protocol.messages import (
    Answer,
    Ask,
    Beat,
    Bye,
    Climbed,
    Closed,
    Hello,
    Intent,
    Message,
    Opened,
    Welcome,
)
from tests.fakes import call_of, caller, human

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
REPORT = RungReport("say", Result.TIMED_OUT, "not done", 1.0, 2.5)
MESSAGES: list[Message] = [
    HELLO,
    replace(HELLO, mode="observe"),
    Beat(0.01, "speaking"),
    Opened(
        "inc_1",
        Fault.ENTRYPOINT_RAISED,
        Severity.LOST,
        "it broke",
        12.5,
        "Traceback: ü",
        Ladder((Say(), HangUp())),
        CALL,
    ),
    Intent("inc_1", "say"),
    Climbed("inc_1", REPORT),
    Closed("inc_1", "handed_outward", "no"),
    Bye("done"),
    Welcome(7),
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
    for field in dataclasses.fields(JobPolicy):
        assert field.default is field.default_factory is dataclasses.MISSING, "nothing is guessed"
        assert getattr(got.policy, field.name) == getattr(POLICY, field.name)


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
    with pytest.raises(ProtocolError, match="hello: "):
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
    assert action not in ("drop", "add")
    encode(got)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"[" * 60_000,
        b'{"v":2,"kind":"beat","lag":1e999,"state":""}',
        b'{"v":2,"kind":"beat","lag":NaN,"state":""}',
        b'{"v":9,"kind":"bye","reason":""}',
        b'{"v":true,"kind":"bye","reason":""}',
        b'{"v":2,"kind":"nothing"}',
        b'{"v":2,"kind":["bye"],"reason":""}',
        b'{"v":2,"kind":"intent","incident":"' + b"9" * 5000 + b'"}',
        b'{"v":2,"kind":"welcome","pid":' + b"9" * 4000 + b"}",
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
