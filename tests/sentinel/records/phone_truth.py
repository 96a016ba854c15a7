"""What a call was by its phone: who ended it, and how long its caller heard nothing."""

from __future__ import annotations

from onhook.bench.phone import Ending
from onhook.bench.phone.call_report import Report

__all__ = ["dead_air_heard", "hung_up_here"]


def hung_up_here(report: Report) -> bool:
    """Return whether the phone itself ended the call."""
    return report.ending in (Ending.BYE_SENT, Ending.CANCELLED)


def dead_air_heard(report: Report, struck: float) -> float:
    """Return the seconds of dead air that a caller heard because of a fault.

    From the fault, or the end of the sound that was heard then, to the first word after it, and
    from the last word to the end. Pauses between the words of one announcement are none.

    Args:
        report: What the phone has heard.
        struck: When the fault struck, on the monotonic clock.
    """
    if report.answered_at is None or report.ended_at is None:
        return 0.0
    begin, end = max(struck, report.answered_at), report.ended_at
    sounds = [sound for sound in report.hearing.sounds if sound.end > begin]
    if sounds and sounds[0].start < begin:
        begin = min(sounds.pop(0).end, end)
    if not sounds:
        return end - begin
    return sounds[0].start - begin + max(0.0, end - sounds[-1].end)
