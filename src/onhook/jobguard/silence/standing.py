"""Who owes whom: the table of states by which a silence is judged. Pure, without clock or I/O.

Silence counts only while the agent owes the caller sound. The rows of `TABLE` are asked from top to
bottom; the first that applies is how the two stand with each other. `python -m
onhook.jobguard.silence.standing` prints the table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from onhook.faults import Severity

__all__ = [
    "ENDPOINTING",
    "TABLE",
    "Facts",
    "Judgement",
    "Limits",
    "Row",
    "Standing",
    "Warned",
    "judge",
]

FOR_EVER = float("inf")
SPOKE_AGAIN = "the caller spoke again into silence after the words"

_STIRS = 4.0
"""Seconds from a caller's last word in which a session that takes it shows a sign: a transcript of
a slow recogniser, a reply that begins."""
ENDPOINTING = 4.0
"""Seconds of silence in which a session may find that the caller has ended, and begin a reply."""
_AHEAD = 1 / 3
"""The part of `dead_air` that may pass before a turn is taken, while its model is asked already."""
_BY_INTENT = 2
"""Turns in a row that a model may leave without an answer on purpose: a caller who mumbles, or who
speaks with somebody else."""


class Standing(StrEnum):
    """How agent and caller stand with each other."""

    LINE_NOT_ANSWERED = "line not answered"
    SESSION_GONE = "session gone"
    ON_HOLD = "on hold by intent"
    AGENT_IS_HEARD = "the agent is heard"
    CALLER_SPEAKS = "the caller speaks"
    AGENT_OWES_THE_REST = "agent owes the rest"
    AGENT_WAITS_FOR_CALLER = "agent waits for the caller"
    AGENT_WORKS_AND_SAID_SO = "agent works, and said so"
    AGENT_WORKS = "agent works, without a word"
    AGENT_OWES_AN_ANSWER = "agent owes an answer"
    AGENT_ANSWERED_NOTHING = "agent answered nothing"
    CALLBACK_MAY_HANG = "a callback of the agent may hang"
    CALLER_WAS_NOT_ANSWERED = "the caller spoke into silence"
    NOBODY_OWES = "nobody owes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a call at one moment; times are seconds of one monotonic clock.

    Args:
        now: The moment.
        answered: Whether the caller's line is answered.
        answered_at: Since when, as far as the session's watch has seen it; `None` if it is not.
        gone: Whether the session has closed.
        held: Why no silence counts now (`busy`, disabled output, ...); empty for no reason.
        caller_speaks: Whether the caller's voice is heard now.
        quiet_since: Since when neither side is heard: the latest of the agent's last sound, the
            caller's last word, the answer and the end of a hold.
        heard_until: Until when the agent's audio plays.
        broken_off_at: When words that had begun and are not complete stopped; else `None`.
        tools_since: Since when the turn's tools run; `None` without one.
        tools_told: Whether the caller has heard something since then.
        task_listens: Whether a task inside the tool (`AgentTask`) has the call, and listens.
        answer_due_since: A scheduled speech is not over and not heard, the model thinks, or an
            answer came to nothing for a reason that is a fault: since when. `None` for none.
        model_asked_at: The model was asked before that, and has not answered: when.
        nothing_since: The model has answered a turn with nothing at all: since when.
        nothings: How many turns in a row it has.
        callback_since: An agent has entered, or a turn was transcribed, and nothing has followed:
            its own callback may run.
        unanswered_since: The caller has said something that nothing of the session answered.
        sentences: How many sentences the caller has said since the agent was heard.
        heeded: Whether a realtime model has understood what it does not answer.
        still: Whether a realtime model has shown no sign of life at all since it owes something.
        conversed: Whether this agent has answered this caller audibly before.
        outbound: Whether we dialled: there may be a machine or a menu at the other end.
    """

    now: float
    answered: bool = True
    answered_at: float | None = None
    gone: bool = False
    held: str = ""
    caller_speaks: bool = False
    quiet_since: float = 0.0
    heard_until: float = 0.0
    broken_off_at: float | None = None
    tools_since: float | None = None
    tools_told: bool = False
    task_listens: bool = False
    answer_due_since: float | None = None
    model_asked_at: float | None = None
    nothing_since: float | None = None
    nothings: int = 0
    callback_since: float | None = None
    unanswered_since: float | None = None
    sentences: int = 0
    heeded: bool = False
    still: bool = False
    conversed: bool = True
    outbound: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """How long things may last, in seconds; see `onhook.Policy`."""

    dead_air: float | None = 6.0
    tool_limit: float = 30.0
    give_up: float = 15.0


@dataclass(frozen=True, slots=True)
class Warned:
    """The caller has been told to be patient, and has not heard the agent since.

    Args:
        at: When the words were over.
        spoke_again_at: When the caller had ended a sentence after them; `None` while they have not.
    """

    at: float
    spoke_again_at: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    Args:
        standing: Its name.
        applies: Whether it is this one.
        since: Since when something is owed; `None` where nothing is, ever.
        patience: Which limit the first silence has: `dead_air` or `tool_limit`.
        again: Whether the call is lost once the caller spoke again into silence; `None`: never.
        bound: Whether `give_up` seconds after the words do.
        why: The rule, in one sentence.
    """

    standing: Standing
    applies: Callable[[Facts], bool]
    since: Callable[[Facts], float | None] | None = None
    patience: str = ""
    again: Callable[[Facts], bool] | None = None
    bound: bool = False
    why: str = ""


def _yes(_: Facts) -> bool:
    return True


TABLE: tuple[Row, ...] = (
    Row(
        Standing.LINE_NOT_ANSWERED,
        lambda f: not f.answered,
        why="nobody listens yet: ringing has a bound of its own, `setup`",
    ),
    Row(
        Standing.SESSION_GONE,
        lambda f: f.gone,
        why="the session has ended: how it ended is judged, not its silence",
    ),
    Row(
        Standing.ON_HOLD,
        lambda f: bool(f.held),
        why="the developer holds the call: busy, disabled output, machine detection",
    ),
    Row(Standing.AGENT_IS_HEARD, lambda f: f.heard_until > f.now, why="there is no silence"),
    Row(Standing.CALLER_SPEAKS, lambda f: f.caller_speaks, why="there is no silence"),
    Row(
        Standing.AGENT_OWES_THE_REST,
        lambda f: f.broken_off_at is not None,
        lambda f: f.broken_off_at,
        "dead_air",
        _yes,
        bound=True,
        why="a speech has begun and stopped in the middle",
    ),
    Row(
        Standing.AGENT_WAITS_FOR_CALLER,
        lambda f: f.tools_since is not None and f.task_listens and f.tools_told,
        why="a task inside the tool has asked, and the agent listens: it is the caller's turn",
    ),
    Row(
        Standing.AGENT_WORKS_AND_SAID_SO,
        lambda f: f.tools_since is not None and f.tools_told,
        lambda f: f.tools_since,
        "tool_limit",
        _yes,
        bound=True,
        why="a tool runs, and the caller has heard the agent since it began",
    ),
    Row(
        Standing.AGENT_WORKS,
        lambda f: f.tools_since is not None,
        lambda f: f.tools_since,
        "dead_air",
        _yes,
        bound=True,
        why="a tool runs, and the caller has not been told",
    ),
    Row(
        Standing.AGENT_OWES_AN_ANSWER,
        lambda f: f.answer_due_since is not None,
        lambda f: f.answer_due_since,
        "dead_air",
        _yes,
        bound=True,
        why="a reply was begun for a turn that the session took, and none of it is heard",
    ),
    Row(
        Standing.AGENT_ANSWERED_NOTHING,
        lambda f: f.nothing_since is not None and (f.conversed or not f.outbound),
        lambda f: f.nothing_since,
        "dead_air",
        lambda f: not f.outbound and f.nothings > _BY_INTENT,
        why="the model succeeded without content: that may be its intent for a caller who mumbles, "
        "in a menu, on hold; three times in a row it is none",
    ),
    Row(
        Standing.CALLBACK_MAY_HANG,
        lambda f: f.callback_since is not None,
        lambda f: f.callback_since,
        "dead_air",
        _yes,
        bound=True,
        why="a callback of the agent's own (on_enter, on_user_turn_completed) still runs",
    ),
    Row(
        Standing.CALLER_WAS_NOT_ANSWERED,
        lambda f: f.unanswered_since is not None and (f.conversed or not f.outbound),
        lambda f: f.unanswered_since,
        "dead_air",
        lambda f: (not f.outbound or f.conversed) and (not f.heeded or f.sentences > _BY_INTENT),
        why="the caller's voice is on the phone's track, and nothing of the session followed",
    ),
    Row(Standing.NOBODY_OWES, _yes, why="the caller's own silence on a healthy line"),
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """How the two stand, and when that becomes a fault.

    Args:
        row: The row of the table.
        since: Since when the caller hears nothing and is owed something; `None` where nothing is.
            What the session takes to see that the caller has ended their turn is not owed.
        due: When it has lasted too long: infinity for never.
        severity: What it is then.
        facts: What it was made of.
        evidence: What the line shows beside it, in words; empty before the words.
    """

    row: Row
    since: float | None
    due: float
    severity: Severity
    facts: Facts
    evidence: str = ""

    @property
    def standing(self) -> Standing:
        """How agent and caller stand with each other."""
        return self.row.standing

    @property
    def silent_since(self) -> float | None:
        """Since when the caller hears the silence in which something is owed; `None` for none."""
        quiet_since = self.facts.quiet_since
        if self.since is not None and 0 <= self.since - quiet_since <= ENDPOINTING:
            return quiet_since
        return self.since


def judge(facts: Facts, limits: Limits, warned: Warned | None = None) -> Judgement:
    """Find the row that applies, and when its silence has lasted too long.

    One kind of evidence is enough for words. A model that is asked before its turn is taken
    (preemptive generation), and is silent, has been waited for from then on. The end takes a second
    one: the caller has spoken again into silence after the words and heard nothing for `dead_air`,
    or `give_up` has passed since them. Where the session has not even begun an answer, twice
    `dead_air` has to pass since the first sentence, and four seconds since the second one; none of
    them for a realtime model that shows no sign of life.

    Args:
        facts: What is known.
        limits: How long things may last.
        warned: The words that the caller has heard, if they have.
    """
    row = next(row for row in TABLE if row.applies(facts))
    base = row.since(facts) if row.since is not None else None
    if base is None or limits.dead_air is None:
        return Judgement(row, None, FOR_EVER, Severity.IMPAIRED, facts)
    since = max(base, facts.quiet_since)
    working = row.patience == "tool_limit"
    patience = max(limits.dead_air, limits.tool_limit) if working else limits.dead_air
    if warned is None:
        waited = since
        if row.standing is Standing.AGENT_OWES_AN_ANSWER and facts.model_asked_at is not None:
            asked = min(max(facts.model_asked_at, base - patience * _AHEAD), base)
            waited = max(asked, facts.quiet_since)
        return Judgement(row, since, waited + patience, Severity.IMPAIRED, facts)
    ends: list[tuple[float, str]] = []
    if warned.spoke_again_at is not None and row.again is not None and row.again(facts):
        again = warned.spoke_again_at
        if facts.still or row.standing is Standing.CALLER_WAS_NOT_ANSWERED:
            follows = 0.0 if facts.still else min(_STIRS, limits.dead_air)
            again, since = max(again + follows, base + 2 * limits.dead_air), base
        else:
            again = max(again, since) + limits.dead_air
        ends.append((again, SPOKE_AGAIN))
    if row.bound:
        bound = warned.at + limits.give_up
        if facts.tools_since is not None and row.standing is not Standing.AGENT_OWES_THE_REST:
            bound = max(bound, facts.tools_since + limits.tool_limit)
        words = f"{limits.give_up:g} s have passed since the words"
        ends.append((max(bound, since + limits.dead_air), words))
    due, why = min(ends, default=(FOR_EVER, ""))
    return Judgement(row, since, due, Severity.LOST, facts, why)
