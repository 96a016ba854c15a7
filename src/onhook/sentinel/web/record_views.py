"""Call records and what they sum up to, as the page shows them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from onhook.sentinel.records.call_record import CallRecord
from onhook.sentinel.records.record_sums import RecordSum
from onhook.sentinel.web.wording import Words

__all__ = ["RecordRow", "Records", "SumRow", "record_row", "sum_row", "sum_rows"]

_MOST_SUMS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class SumRow:
    """What the calls of one number, one agent or some days sum up to.

    Args:
        calls: How many.
        silent: How many of them were silent.
        rate: That as a part of all, in per cent.
        dead: Seconds of dead air.
        rescued: Calls that onhook brought to an end.
    """

    calls: int
    silent: int
    rate: str
    dead: float
    rescued: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRow:
    """A call that has ended. Times are seconds since 1970.

    Args:
        ended_at: When it ended.
        direction: Who dialled.
        number: The project's number, as it may be shown.
        caller: The far end's, likewise.
        agent: The agent's name.
        ended_by: Who ended it.
        length: Seconds from its beginning to its end.
        ringing: Seconds of ringing.
        silent: Seconds of dead air.
        fault: What went wrong; empty for nothing.
        incident: Id of its incident; empty for none.
        outcome: How the rescue ended.
    """

    ended_at: float
    direction: str
    number: str
    caller: str
    agent: str
    ended_by: str
    length: float
    ringing: float
    silent: float
    fault: str
    incident: str
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """What the page of records shows.

    Args:
        totals: The name of each span of time, and the sum of all its calls.
        numbers: The name of each, and its sums by number, with that as it may be shown.
        agents: The same by agent.
        newest: The calls that ended last.
        problem: Why nothing can be shown; empty for nothing.
    """

    totals: tuple[tuple[str, SumRow], ...] = ()
    numbers: tuple[tuple[str, tuple[tuple[str, SumRow], ...]], ...] = ()
    agents: tuple[tuple[str, tuple[tuple[str, SumRow], ...]], ...] = ()
    newest: tuple[RecordRow, ...] = ()
    problem: str = ""


def sum_row(summed: RecordSum) -> SumRow:
    """Return a sum as it is shown.

    Args:
        summed: It.
    """
    return SumRow(
        calls=summed.calls,
        silent=summed.silent_calls,
        rate=f"{100 * summed.silent_rate:.1f} %",
        dead=summed.dead_seconds,
        rescued=summed.rescued,
    )


def sum_rows(
    sums: Sequence[RecordSum], write: Callable[[str], str]
) -> tuple[tuple[str, SumRow], ...]:
    """Return sums as they are shown, with the numbers or agents that they are of.

    Args:
        sums: They, the most dead air first.
        write: Writes such a number or name as it may be shown.
    """
    return tuple((write(one.key), sum_row(one)) for one in sums[:_MOST_SUMS])


def record_row(record: CallRecord, words: Words) -> RecordRow:
    """Return a record as it is shown.

    Args:
        record: It.
        words: Writes names and numbers.
    """
    return RecordRow(
        ended_at=record.ended_at,
        direction=str(record.direction),
        number=words.number(record.number),
        caller=words.number(record.caller),
        agent=words.label(record.agent),
        ended_by=str(record.ended_by),
        length=record.ended_at - record.began_at,
        ringing=record.ringing,
        silent=record.silent,
        fault=words.name(record.fault),
        incident=words.name(record.incident),
        outcome=words.name(record.outcome.replace("_", " ")),
    )
