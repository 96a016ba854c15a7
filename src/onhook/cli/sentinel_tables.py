"""What `onhook sentinel` prints, in 80 columns and more."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from onhook import settings
from onhook.cli.incidents_table import printable
from onhook.outages import Outage, OutageFile, number_key
from onhook.rungs import Redispatch, Rung, Transfer
from onhook.sentinel.sentinel_settings import SentinelSettings

if TYPE_CHECKING:
    from onhook.livekit.credentials import Credentials
    from onhook.sentinel.outage import OutageChange
    from onhook.sentinel.plans import Plan, Plans

__all__ = ["beginning", "show_outages", "show_plans", "show_status"]

_SHOWN = 10
"""Changes of the outage switch."""
_NUMBERS = 5
_STATUS = (
    *("since", "mode", "calls", "callers_waiting", "incidents", "api_spent"),
    *("webhooks", "polls", "failing"),
)
"""What every sentinel tells, in this order; what else one tells comes after."""


def beginning(
    console: Console,
    given: SentinelSettings,
    credentials: Credentials,
    plans: Plans,
    outages: OutageFile,
    *,
    own: frozenset[str] | None,
    unknown: str,
) -> None:
    """Print what is watched, and what is missing.

    Args:
        console: Where to.
        given: What the sentinel is started with.
        credentials: Server and key.
        plans: The plans in force.
        outages: The outage switch.
        own: Numbers of the project's trunks; `None` where they could not be asked for.
        unknown: Why not.
    """
    rows = list(_watched(given, credentials, plans, own))
    rows += [("outage", f"{o.what}, until {_clock(o.until)}, by {o.by}") for o in outages.current()]
    rows += [("missing", what) for what in _missing(given, plans, own, unknown)]
    rows += [("note", what) for what in _notes(given, plans)]
    _print_facts(console, rows)


def _watched(
    given: SentinelSettings,
    credentials: Credentials,
    plans: Plans,
    own: frozenset[str] | None,
) -> Iterator[tuple[str, str]]:
    yield "server", f"{credentials.url}, key {credentials.key}"
    yield "mode", "observe: nothing is done to any call" if given.observe else _mode(plans)
    count = len({rule.plan for rule in plans.rules})
    where = f"{count} in {given.plans}; for all other calls" if given.plans else "for all calls"
    yield "plans", f"{where}: {_ladder(plans.default)}"
    yield "webhooks", f"taken at http://{given.webhook}/webhook, leases at /lease"
    if given.webhook_keys:
        yield "keys", f"webhooks and leases are believed of {', '.join(given.webhook_keys)} too"
    if given.token or given.webhook.loopback:
        who = "whoever knows the token" if given.token else "whoever is on this machine"
        yield "page", f"http://{given.webhook}/ for {who}"
    yield "polling", f"every {given.poll:g} s, at most {given.budget} requests a minute in all"
    yield "journal", str(given.journal or settings.places().journal or "none")
    if own:
        more = f" and {len(own) - _NUMBERS} more" if len(own) > _NUMBERS else ""
        yield "numbers", f"{', '.join(sorted(own)[:_NUMBERS])}{more}, of the trunks"


def _missing(
    given: SentinelSettings, plans: Plans, own: frozenset[str] | None, unknown: str
) -> Iterator[str]:
    if unknown:
        yield f"the numbers of the trunks, so that no fallback is checked for them: {unknown}"
    elif not own:
        yield "SIP trunks with numbers: does this server have any calls?"
    if given.plans is None:
        yield "a file of plans (--plans FILE): callers hear an apology, and are released"
    yield from _strangers(plans, own)
    yield (
        "webhooks, until the first one comes: name the address in `webhook.urls` of LiveKit's "
        "configuration. Without them calls are found by polling alone"
    )


def _notes(given: SentinelSettings, plans: Plans) -> Iterator[str]:
    from onhook.sentinel.plans_file import notes  # noqa: PLC0415 - pydantic

    if given.plans is not None:
        yield from notes(plans)
    if not given.webhook.loopback:
        yield f"everybody who reaches {given.webhook} can read the status"
        if not given.token:
            yield "the page is off: it needs a token (--token-file FILE, ONHOOK_SENTINEL_TOKEN)"


def _strangers(plans: Plans, own: frozenset[str] | None) -> Iterator[str]:
    """Yield the numbers of rules that are on no trunk."""
    if own:
        known = set(map(number_key, own))
        for number in sorted({rule.match.number for rule in plans.rules} - {*known, ""}):
            yield f"a trunk with the number {number}, for which there is a plan"


def show_plans(console: Console, plans: Plans, own: frozenset[str] | None) -> None:
    """Print what a file of plans means.

    Args:
        console: Where to.
        plans: The plans.
        own: Numbers of the project's trunks, where they were asked for.
    """
    from onhook.sentinel.plans_file import notes  # noqa: PLC0415 - pydantic

    table = Table(box=None, pad_edge=False)
    table.add_column("calls", overflow="fold", ratio=3)
    table.add_column("ladder", overflow="fold", ratio=5)
    for name in ("absent", "2nd", "max"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("mode", no_wrap=True)
    every = (*dict.fromkeys(rule.plan for rule in plans.rules), plans.default)
    for plan in every:
        name = "all others" if plan is plans.default else plan.name
        table.add_row(
            Text(printable(name)),
            Text(printable(_ladder(plan))),
            *map(_seconds, (plan.limits.absent, plan.second_dispatch, plan.limits.max_call)),
            plan.mode,
        )
    console.print(table)
    for note in (*notes(plans), *(f"missing: {what}" for what in _strangers(plans, own))):
        console.print(Text(f"note: {printable(note)}"))


def show_status(console: Console, told: Mapping[str, Any]) -> None:
    """Print how a sentinel is."""
    names = [name for name in _STATUS if name in told] + sorted(set(told) - {*_STATUS})
    _print_facts(console, ((name.replace("_", " "), _words(name, told[name])) for name in names))


def show_outages(
    console: Console, current: Sequence[Outage], history: Sequence[OutageChange]
) -> None:
    """Print which outages are on, and the newest changes."""
    if current:
        table = _table("on for", "until", "by", "calls go to", "reason")
        for o in current:
            fallback = o.fallback or "their plan's fallback"
            table.add_row(*_cells(o.what, _clock(o.until), o.by, fallback, o.reason))
        console.print(table)
    else:
        console.print("no outage is on")
    if history:
        console.print()
        table = _table("when", "by", "turned", "for", "until")
        for change in history[:_SHOWN]:
            until = _clock(change.outage.until) if change.turned == "on" else ""
            cells = (_clock(change.at), change.by, change.turned, change.outage.what, until)
            table.add_row(*_cells(*cells))
        console.print(table)
        if len(history) > _SHOWN:
            console.print(f"and {len(history) - _SHOWN} older changes: --json")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold", no_wrap=name in ("when", "until", "turned"))
    return table


def _cells(*texts: str) -> Iterator[Text]:
    return (Text(printable(text)) for text in texts)


def _print_facts(console: Console, rows: Iterable[tuple[str, str]]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, Text(printable(value)))
    console.print(table)


def _mode(plans: Plans) -> str:
    every = [plans.default, *dict.fromkeys(rule.plan for rule in plans.rules)]
    observed = sum(plan.mode == "observe" for plan in every)
    return f"act, but observe for {observed} of {len(every)} plans" if observed else "act"


def _ladder(plan: Plan) -> str:
    return ", ".join(map(_rung, plan.ladder.rungs))


def _rung(rung: Rung) -> str:
    match rung:
        case Transfer(to=to):
            return f"transfer to {to}"
        case Redispatch(agent_name=agent):
            return f"redispatch to {agent}"
    return rung.name


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:g} s"


def _words(name: str, value: Any) -> str:
    if name == "since" and isinstance(value, int | float):
        return _clock(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_words('', inner)}" for key, inner in value.items()) or "none"
    if isinstance(value, list | tuple):
        return "; ".join(_words("", inner) for inner in value) or "none"
    return "none" if value in (None, "", False) else str(value)


def _clock(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
