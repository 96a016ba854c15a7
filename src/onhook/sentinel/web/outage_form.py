"""What the form of the outage switch says. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from onhook.errors import PolicyError
from onhook.outages import Outage, Scope

__all__ = ["DURATIONS", "SCOPES", "OutageForm", "outage_key", "read_outage_form"]

DURATIONS: Mapping[str, tuple[float, str]] = {
    "15m": (900.0, "15 minutes"),
    "30m": (1800.0, "30 minutes"),
    "1h": (3600.0, "1 hour"),
    "2h": (7200.0, "2 hours"),
    "4h": (14_400.0, "4 hours"),
    "12h": (43_200.0, "12 hours"),
    "1d": (86_400.0, "1 day"),
    "7d": (604_800.0, "7 days"),
}
SCOPES: Mapping[Scope, str] = {
    "number": "one number",
    "trunk": "one trunk",
    "tag": "rooms with a tag",
    "all": "all calls",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageForm:
    """An outage that is to be switched on, as `OutageSwitch.on` takes it.

    Args:
        scope: Of what.
        value: Which one; empty for all.
        seconds: After how long it ends by itself.
        by: Who asks for it.
        reason: Why.
        fallback: Where calls go; empty for what the plans say.
    """

    scope: Scope
    value: str
    seconds: float
    by: str
    reason: str
    fallback: str


def read_outage_form(fields: Mapping[str, str]) -> OutageForm:
    """Read the form.

    Args:
        fields: What it carried.

    Raises:
        PolicyError: Something is missing or wrong; says what to give.
    """
    given = {name: text.strip() for name, text in fields.items()}
    scope = next((scope for scope in SCOPES if scope == given.get("scope")), None)
    if scope is None:
        raise PolicyError(f"choose for which calls: {', '.join(SCOPES.values())}")
    value = "" if scope == "all" else given.get("value", "")
    if scope != "all" and not value:
        raise PolicyError(f"which {scope}? Give the {scope} that is out")
    if scope == "all" and given.get("sure") != "yes":
        raise PolicyError("an outage of all calls needs the box ticked that says so")
    if given.get("for") not in DURATIONS:
        raise PolicyError("choose after how long it ends by itself")
    if not given.get("by"):
        raise PolicyError("give your name, so that others know whom to ask")
    return OutageForm(
        scope=scope,
        value=value,
        seconds=DURATIONS[given["for"]][0],
        by=given["by"],
        reason=given.get("reason", ""),
        fallback=given.get("fallback", ""),
    )


def outage_key(outage: Outage) -> str:
    """Return what the page calls an outage: its number is not in there."""
    text = f"{outage.scope}\0{outage.value}\0{outage.since}"
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
