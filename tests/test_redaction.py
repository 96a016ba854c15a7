from __future__ import annotations

import time

import pytest

from onhook.redaction import (
    bounded,
    described,
    masked,
    masked_number,
    masked_numbers,
    traceback_of,
)

ENV = {
    "LIVEKIT_API_SECRET": "s3cret-s3cret-s3cret",
    "OPENAI_API_KEY": "sk-abc'def\n",
    "DEEPGRAM_API_KEY_2": "dg-123456",
    "DB_PASSWORD": "p&ss/word",
    "REDIS_URL": "redis://user:hunter22@host:6379",
    "HOME": "/home/user",
    "SSH_KEY": "on",
    "EMPTY_TOKEN": "",
}


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("401 for s3cret-s3cret-s3cret!", "401 for [LIVEKIT_API_SECRET]!"),
        (repr("sk-abc'def\n"), '"[OPENAI_API_KEY]"'),
        ("key=sk-abc'def ", "key=[OPENAI_API_KEY] "),
        ("dg-123456", "[DEEPGRAM_API_KEY_2]"),
        ("?p=p%26ss%2Fword", "?p=[DB_PASSWORD]"),
        ("cannot reach redis://user:hunter22@host", "cannot reach redis://user:[masked]@host"),
        ("password hunter22", "password [REDIS_URL]"),
        ("sip://bob:abc@host and /home/user", "sip://bob:[masked]@host and /home/user"),
        ("Authorization: Bearer abcdefghij", "Authorization: Bearer [masked]"),
        ("?access_token=eyJhbGciOi.eyJzdWIi.c2ln-_&x", "?access_token=[JWT]&x"),
        ("turned on", "turned on"),
        ("", ""),
    ],
)
def test_secrets_are_replaced_by_their_names(text: str, want: str) -> None:
    assert masked(text, ENV) == want


def test_one_that_contains_another_is_masked_whole() -> None:
    env = {"A_TOKEN": "abcdefgh", "B_TOKEN": "abcdefgh-ijkl"}
    assert masked("abcdefgh-ijkl abcdefgh", env) == "[B_TOKEN] [A_TOKEN]"


def test_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANY_API_KEY", "very-secret")
    assert masked("very-secret") == "[ANY_API_KEY]"


def test_a_long_text_of_one_kind_takes_no_time() -> None:
    began = time.perf_counter()
    for text in ("a." * 200_000, "a-" * 200_000, "x" * 400_000):
        masked(text, ENV)
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize("text", ["x" * 10_000_000, "k: v\n" * 2_000_000, "é" * 10_000, "\ud800"])
def test_a_text_of_any_length_is_bounded_at_once_and_only_once(text: str) -> None:
    began = time.perf_counter()
    short = bounded(text)
    assert time.perf_counter() - began < 0.1
    assert len(short) <= 4_000
    assert bounded(short) == short
    short.encode()


def test_whatever_an_exception_says_of_itself_it_can_be_described() -> None:
    class RudeError(Exception):
        def __repr__(self) -> str:
            raise RuntimeError("no")

    assert described(RudeError()) == "RudeError, which cannot be printed"
    assert described(ValueError("odd")) == "ValueError('odd')"
    assert len(described(ValueError("x" * 10_000_000))) <= 4_000


def test_an_exception_that_cannot_be_printed() -> None:
    class OddError(Exception):
        def __getattribute__(self, name: str) -> object:
            if name == "__notes__":
                raise RuntimeError("no notes")
            return super().__getattribute__(name)

    assert "Odd" in traceback_of(OddError("x"))


def test_no_secret_is_cut_in_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANY_API_KEY", "hidden-hidden")
    text = traceback_of(ValueError("hidden-hidden " * 20_000))
    assert "hidden-hidden" not in text
    assert len(text) < 17_000


@pytest.mark.parametrize(
    ("number", "want"),
    [
        ("+4930123456789", "+49********789"),
        ("+15550100", "+15****00"),
        ("030 1234-567", "03* ****-*67"),
        ("1001", "1**1"),
        ("112", "***"),
        ("alice", "a***e"),
        ("Anonymous", "Anonymous"),
        ("", ""),
    ],
)
def test_a_number_shows_its_beginning_and_its_end(number: str, want: str) -> None:
    assert masked_number(number) == want
    assert masked_number(want) == want


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("call-_+4930123456789_aB3dE", "call-_+49********789_aB3dE"),
        ("call-_4930123456789_aB3dE", "call-_49********789_aB3dE"),
        ("cannot reach +49 30 123-456", "cannot reach +49 ** ***-*56"),
        ("sip:+15550100@pbx.example.com", "sip:+15****00@pbx.example.com"),
        ("sales-12 at 10:20:30 on 2026-11-29", "sales-12 at 10:20:30 on 2026-11-29"),
        ("inc_0123456789ab", "inc_0123456789ab"),
        ("RM_4512345678xy", "RM_4512345678xy"),
        ("no number", "no number"),
    ],
)
def test_numbers_in_a_text_are_masked(text: str, want: str) -> None:
    assert masked_numbers(text) == want
    assert masked_numbers(want) == want
