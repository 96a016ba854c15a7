"""The one way in which the bench speaks: the espeak-ng program."""

from __future__ import annotations

import asyncio

from onhook.errors import OnhookError

__all__ = ["espeak"]

_DEADLINE = 20.0
"""Seconds; a second of speech takes some milliseconds."""


async def espeak(text: str, voice: str) -> bytes:
    """Return a text as speech: a WAV file of 22,050 Hz, mono, 16 bits.

    Args:
        text: What to say.
        voice: A voice of `espeak-ng --voices`; an unknown one becomes its default.

    Raises:
        OnhookError: espeak-ng is not installed, fails or hangs.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *("espeak-ng", "-v", voice, "--stdout", "--", text),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except FileNotFoundError as error:
        raise OnhookError("espeak-ng is not installed: apt install espeak-ng") from error
    try:
        async with asyncio.timeout(_DEADLINE):
            data, complaint = await process.communicate()
    except TimeoutError as error:
        raise OnhookError(f"espeak-ng did not finish {text!r} in {_DEADLINE:g} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode or not data:
        raise OnhookError(f"espeak-ng cannot say {text!r}: {complaint.decode().strip()!r}")
    return data
