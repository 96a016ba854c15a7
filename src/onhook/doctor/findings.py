"""What a check finds, and what all of them found together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

__all__ = ["Finding", "Group", "Kind", "Level", "Report", "Unchecked"]

SCHEMA = 1
"""Of the report's JSON: fields are added, none is renamed or taken away."""


class Group(StrEnum):
    """What is looked at together; `--only` names them."""

    ENVIRONMENT = "environment"
    VERSIONS = "versions"
    HOST = "host"
    SERVER = "server"
    ROUTES = "routes"
    AGENTS = "agents"
    WEBHOOKS = "webhooks"
    CALL = "call"
    SOURCE = "source"


class Level(StrEnum):
    """How grave a finding is. Errors and warnings make the exit status 1, notes do not."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """Its place in the order, the gravest first."""
        return tuple(Level).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, or may be.

    Args:
        code: What kind it is; see `onhook.doctor.codes`.
        subject: What has it: a trunk, a rule, a variable, a line of a file.
        what: What was seen.
        why: What it means to the caller.
        mend: What to do.
        level: How grave it is.
    """

    code: str
    subject: str
    what: str
    why: str
    mend: str
    level: Level


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of finding. Its code is stable: programs and `--ignore` name it.

    Args:
        code: `subject.fault`.
        level: How grave it is.
        title: What it is, in a line.
        why: What it means to the caller.
        mend: What to do.
    """

    code: str
    level: Level
    title: str
    why: str
    mend: str

    def found(
        self,
        subject: str,
        what: str,
        *,
        why: str = "",
        mend: str = "",
        level: Level | None = None,
    ) -> Finding:
        """Make a finding of this kind.

        Args:
            subject: What has it: a trunk, a rule, a variable, a line of a file.
            what: What was seen.
            why: What it means here, where that can be said better.
            mend: What to do here, where that can be said better.
            level: How grave it is here.
        """
        return Finding(
            code=self.code,
            subject=subject,
            what=what,
            why=why or self.why,
            mend=mend or self.mend,
            level=level or self.level,
        )


@dataclass(frozen=True, slots=True)
class Unchecked:
    """Something that could not be looked at.

    Args:
        what: It.
        why: Why not, and how it can be.
    """

    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one examination found.

    Args:
        findings: The gravest first.
        unchecked: What could not be looked at.
        heard: What a call that was placed was like, for people; empty without one.
    """

    findings: Sequence[Finding] = ()
    unchecked: Sequence[Unchecked] = ()
    heard: str = ""

    @property
    def sound(self) -> bool:
        """Whether nothing was found that needs a mend; notes do not."""
        return all(found.level is Level.NOTE for found in self.findings)

    @classmethod
    def of(
        cls,
        findings: Iterable[Finding],
        unchecked: Iterable[Unchecked],
        *,
        heard: str = "",
        ignored: Iterable[str] = (),
        show: Callable[[str], str] = str,
    ) -> Report:
        """Order what was found by gravity, each once.

        Args:
            findings: In the order in which they were found.
            unchecked: What could not be looked at.
            heard: What a call was like.
            ignored: Codes that are known and left out.
            show: Masks what is not to be shown; why and mend have nothing of the kind.
        """
        left_out = frozenset(ignored)
        shown = [
            replace(found, subject=show(found.subject), what=show(found.what))
            for found in findings
            if found.code not in left_out
        ]
        ordered = sorted(dict.fromkeys(shown), key=lambda found: found.level.rank)
        not_checked = dict.fromkeys(Unchecked(each.what, show(each.why)) for each in unchecked)
        return cls(findings=tuple(ordered), unchecked=tuple(not_checked), heard=show(heard))

    def as_dict(self) -> dict[str, object]:
        """Return it for JSON; the schema is described in docs/doctor.md."""
        return {
            "schema": SCHEMA,
            "sound": self.sound,
            "findings": [
                {
                    "code": found.code,
                    "level": str(found.level),
                    "subject": found.subject,
                    "what": found.what,
                    "why": found.why,
                    "mend": found.mend,
                }
                for found in self.findings
            ],
            "not_checked": [{"what": each.what, "why": each.why} for each in self.unchecked],
            "call": self.heard,
        }
