"""Why something was judged a fault, in plain sentences: for `incidents explain` and the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from onhook.faults import Fault, Severity
from onhook.sinks.journal import Entry, Step
from onhook.sinks.journal.case_file import Case

__all__ = ["RULES", "Section", "explained", "observed_in_words"]

Section = tuple[str, Sequence[str]]
"""A heading, and the lines below it."""

_SILENCE = (
    "The caller was owed sound and heard nothing for too long; `python -m onhook.jobguard.silence` "
    "prints the table of states."
)
RULES: Mapping[str, str] = {
    Fault.ENTRYPOINT_RAISED: "An exception left the entrypoint while a caller was on the line.",
    Fault.ENTRYPOINT_EXITED: "sys.exit() or an interrupt ended the job's event loop while a caller "
    "was on the line.",
    Fault.ENTRYPOINT_CANCELLED: "The entrypoint was cancelled while a caller was on the line.",
    Fault.ENTRYPOINT_STALLED: "A line may ring for Policy(setup=...) seconds until the agent is "
    "up, and from the answer on it has Policy(first_audio=...) seconds to be heard.",
    Fault.AGENT_SHUTDOWN: "The job ended while a caller was on the line and nobody else could be "
    "heard. An agent that leaves its caller on purpose says so: onhook.release(ctx, ...).",
    Fault.SESSION_START_FAILED: "AgentSession.start() raised, so the caller has no agent.",
    Fault.SESSION_CLOSED: "The framework itself gave up: it closed the session on an error.",
    Fault.SESSION_ENDED: "The session was ended while a caller was on the line and nobody else "
    "could be heard.",
    Fault.CALL_OVERLONG: "The call had lasted for Policy(max_call=...), or the limit that "
    "onhook.dial was given, since its answer.",
    Fault.TRANSFER_FAILED: "The caller was to be sent elsewhere, and was still there.",
    Fault.OUTBOUND_UNANSWERED: "The callee did not answer.",
    Fault.OUTBOUND_LATE_ANSWER: "The callee answered when nobody waited any more.",
    Fault.JOB_DIED: "The job's process ended without a goodbye: the kernel closed its socket.",
    Fault.WORKER_DIED: "The job's process and its worker's ended without a goodbye.",
    Fault.JOB_HUNG: "No beat came from the job's event loop and no answer through the room: soft "
    "words after 3 s of it, the end after Policy(hang_limit=...).",
    Fault.CLEANUP_FAILED: "A rung that should have released the line did not.",
    Fault.AGENT_ABSENT: "A caller was on the line, and no agent had ever been there.",
    Fault.HOST_LOST: "The host's watchdog was late with its lease, and the agent did not answer.",
    Fault.AGENT_ZOMBIE: "The server listed the agent, and it answered none of several questions.",
    Fault.CALL_ABANDONED_LEGS: "Everybody else had gone, and nobody was left to talk to.",
    Fault.RESCUER_DIED: "A rescue had been under way, its own deadline had passed, and the caller "
    "was still there.",
}
"""Why a fault is one, where its evidence names no rule; all others are of silence."""

_SETTINGS: Mapping[str, str] = {
    "dead_air": "Policy(dead_air=...) waits longer; `async with onhook.busy(...)` round what "
    "takes time tells the caller.",
    "tool_limit": "Policy(tool_limit=...) gives every tool more time; `async with "
    "onhook.busy(...)` gives it to this one.",
    "give_up": "Policy(give_up=...) waits longer after the words.",
}
_NAMED = 4
"""Faults that a sum names; the others are counted together."""
_SHOWN = ("rule", "limit", "seen", "states", "line", "framework")


def explained(case: Case) -> Iterator[Section]:
    """Yield what there is to say of an incident, in the order in which a person asks.

    Args:
        case: The incident.
    """
    opening, evidence = case.opening, case.opening.evidence
    grade = "the turn failed" if opening.severity == Severity.IMPAIRED else "the call was lost"
    ring = f"the {case.rings[0]} judged that {grade}"
    yield f"{case.fault or 'unknown'}: {ring}", [case.first.detail or "nobody recorded why"]
    if seen := evidence.get("seen"):
        yield "What was seen, seconds before the judgement", _moments(seen)
    if states := evidence.get("states"):
        yield "How the two stood, since when", _moments(states)
    yield "The rule", _rule(case)
    more = [f"{name}: {text}" for name, text in evidence.items() if name not in _SHOWN]
    if framework := evidence.get("framework"):
        more.insert(0, f"the fault's name: {framework}")
    if more:
        yield "What else was known", more
    yield "What was done, seconds after the judgement", list(_done(case))
    setting = _SETTINGS.get(evidence.get("limit", "").split(" ")[0])
    if setting:
        yield "If that was too early", [setting]


def _moments(text: str) -> list[str]:
    return [line.replace(" before:", "", 1) for line in text.splitlines()]


def _rule(case: Case) -> list[str]:
    evidence = case.opening.evidence
    if rule := evidence.get("rule"):
        limit = [f"The limit: {evidence['limit']}."] if "limit" in evidence else []
        second = [f"The second kind of evidence: {evidence['line']}."] if "line" in evidence else []
        return [f"{rule}.", *limit, *second]
    return [RULES.get(case.fault, _SILENCE)]


def _done(case: Case) -> Iterator[str]:
    """Yield what each rung did; a rung that was begun and not ended is named too."""
    for entry, after in zip(case.entries, [*case.entries[1:], None], strict=True):
        when = f"{case.after(entry):5.1f} s"
        if entry.step is Step.RUNG:
            yield f"{when}  {entry.subject} {entry.result}: {entry.detail}"
        elif entry.step is Step.INTENT and (after is None or after.step is not Step.RUNG):
            yield f"{when}  {entry.subject} was begun"
        elif entry.step is Step.RESUMED:
            yield f"{when}  the {entry.ring} went on: {entry.detail}"
        elif entry.step is Step.CLOSED:
            yield f"{when}  {_ending(entry)}"
    if case.closed is None:
        yield "it has no end yet"


def _ending(entry: Entry) -> str:
    if entry.result == "recovered":
        return "the agent was heard again by itself: the call was not lost"
    if entry.subject == "observed":
        return f"nothing, it was only observed: {entry.detail}"
    return f"ended as {entry.subject}: {entry.detail}"


def observed_in_words(cases: Sequence[Case], days: int) -> str:
    """Sum up what would have been done; empty for nothing.

    Args:
        cases: The incidents that were only observed.
        days: In how many days.
    """
    told = []
    for severity, what, one, more in (
        (Severity.LOST, "would have been done", "1 rescue", "{} rescues"),
        (Severity.IMPAIRED, "of soft words would have been said", "1 phrase", "{} phrases"),
    ):
        found = Counter(case.fault for case in cases if case.opening.severity == severity)
        if found:
            how_many = one if found.total() == 1 else more.format(found.total())
            told.append(f"{how_many} {what}: {_most(found)}")
    back = sum(case.closed is not None and case.closed.result == "recovered" for case in cases)
    if back:
        told.append(f"in {back} of these calls the agent was heard again by itself")
    return f"Only observed: in {days} days {'; '.join(told)}." if told else ""


def _most(found: Counter[str]) -> str:
    named = found.most_common(_NAMED)
    others = found.total() - sum(count for _, count in named)
    parts = [f"{count} {fault}" for fault, count in named]
    return ", ".join([*parts, f"{others} of other kinds"] if others else parts)
