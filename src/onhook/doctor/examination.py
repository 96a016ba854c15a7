"""Asks and reads everything that is to be judged, each under its deadline, and reports."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from onhook import settings
from onhook.doctor import environment, host, placed_call, server, server_probe, versions
from onhook.doctor.agents_check import check_agents
from onhook.doctor.api_probe import ApiProbe, Outcome
from onhook.doctor.findings import Finding, Group, Report, Unchecked
from onhook.doctor.placed_call import HeardCall
from onhook.doctor.plans import plans_can_be_read, read_plans
from onhook.doctor.routes_check import check_routes
from onhook.doctor.sentinel import judge_sentinel, sentinel_status
from onhook.doctor.server_probe import Routes
from onhook.doctor.source.agent_file import AgentFile, judge_file
from onhook.doctor.webhooks_check import check_webhooks
from onhook.errors import ConfigurationError
from onhook.livekit.credentials import Credentials
from onhook.livekit.framework import job_attributes
from onhook.livekit.framework.versions import FEATURES, KNOWN, loop_monitor_may_crash
from onhook.redaction import described, masked, masked_number, masked_numbers
from onhook.rungs.say import APOLOGY, ONE_MOMENT, TIME_LIMIT
from onhook.threads import in_thread

__all__ = ["Examination", "Order"]

logger = logging.getLogger("onhook")

_OF_SERVER = (Group.SERVER, Group.ROUTES, Group.AGENTS, Group.WEBHOOKS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be looked at.

    Args:
        groups: What; everything when empty.
        files: Agents' files.
        workers: Addresses of workers, `HOST:PORT`.
        sip: `HOST:PORT` of the SIP service; empty where it is not to be asked.
        carriers: Whether the carriers of outbound trunks are asked.
        canary: Whether agents are asked whether they take calls: rooms are made and deleted.
        wait_webhook: Seconds to wait for a webhook; 0 for not at all. A room is made and deleted.
        webhook: Where to listen for it, if no sentinel does, as host and port.
        place_call: Places a call, and tells what became of it.
        timeout: Seconds for one request.
        numbers: Whether phone numbers are shown whole.
        ignored: Codes of findings that are left out.
    """

    groups: Collection[Group] = ()
    files: Sequence[Path] = ()
    workers: Sequence[str] = ()
    sip: str = ""
    carriers: bool = False
    canary: bool = False
    wait_webhook: float = 0.0
    webhook: tuple[str, int] = ("127.0.0.1", 7899)
    place_call: Callable[[], Awaitable[HeardCall]] | None = None
    timeout: float = 5.0
    numbers: bool = False
    ignored: Collection[str] = ()

    def wants(self, group: Group) -> bool:
        """Return whether a group is to be looked at."""
        return not self.groups or group in self.groups


@dataclass
class Examination:
    """One examination.

    Args:
        order: What is to be looked at.
        env: The environment.
        clock: Seconds since 1970.
    """

    order: Order
    env: Mapping[str, str] = field(default_factory=lambda: os.environ)
    clock: Callable[[], float] = time.time
    findings: list[Finding] = field(default_factory=list)
    unchecked: list[Unchecked] = field(default_factory=list)
    numbers: set[str] = field(default_factory=set)
    _files: Sequence[AgentFile] = ()
    _routes: Routes | None = None
    _heard: str = ""

    async def report(self) -> Report:
        """Look at everything that was ordered.

        Raises:
            ConfigurationError: It cannot be looked at: a file cannot be read, for example.
        """
        self._files = [await in_thread(judge_file, path) for path in self.order.files]
        self._source()
        checks: Sequence[tuple[str, Sequence[Group], Callable[[], Awaitable[None]]]] = (
            ("the environment", (Group.ENVIRONMENT,), self._environment),
            ("the versions", (Group.VERSIONS,), self._versions),
            ("the server", _OF_SERVER, self._server),
            ("this host", (Group.HOST,), self._host),
            ("a call", (Group.CALL,), self._call),
        )
        for what, groups, check in checks:
            if not any(map(self.order.wants, groups)):
                continue
            try:
                await check()
            except Exception as error:
                # one check that fails keeps no other from its work
                logger.warning("%s could not be looked at", what, exc_info=error)
                self._left(what, described(error))
        return Report.of(
            self.findings,
            self.unchecked,
            heard=self._heard,
            ignored=self.order.ignored,
            show=self._show,
        )

    async def _environment(self) -> None:
        self.findings += environment.judge_environment(self.env, now=self.clock())

    async def _versions(self) -> None:
        self.findings += await in_thread(_versions)

    def _source(self) -> None:
        if not self.order.wants(Group.SOURCE):
            return
        if not self.order.files:
            self._left("the agents' source", "--agent FILE.py checks it without running it")
        for path, file in zip(self.order.files, self._files, strict=True):
            self.findings += file.findings
            if not file.registers and not file.findings:
                self._left(f"an entrypoint in {path}", "it registers none: is it the agent's file?")

    async def _server(self) -> None:
        """Ask the server, and whatever can only be asked with its help."""
        credentials = self._credentials()
        if credentials is None:
            self._left("server, trunks, rules and agents", "the environment names no server")
            return
        async with ApiProbe(credentials, timeout=self.order.timeout, clock=self.clock) as probe:
            first = await server_probe.first_answer(probe)
            if self.order.wants(Group.SERVER):
                self.findings += server.judge_connection(probe.address, first)
                self.findings += server.judge_clock(probe.address, [first])
            answered = first.outcome in (Outcome.DONE, Outcome.REJECTED)
            claims = {} if credentials.key else environment.token_claims(credentials.token)
            if not answered and not (claims and first.outcome is Outcome.REFUSED):
                self._left("grants, trunks, rules and agents", "the server does not answer us")
                return
            self._routes = routes = await server_probe.routes(probe)
            self.numbers |= routes.numbers
            if self.order.wants(Group.SERVER):
                asked = [
                    server.Grant("roomList", "list the calls: a sentinel sees none", first),
                    *await server_probe.grants(probe, claims),
                    *routes.grants,
                ]
                self.findings += server.judge_grants(probe.address, asked)
            if self.order.wants(Group.ROUTES):
                named = any(file.names for file in self._files)
                await check_routes(
                    self.order, routes, self.findings, self.unchecked, explicit=named
                )
            if self.order.wants(Group.AGENTS):
                names = [name for file in self._files for name in file.names]
                self.findings += await check_agents(
                    self.order,
                    probe,
                    credentials,
                    routes=routes,
                    registered=names,
                    unnamed=[place for file in self._files for place in file.unnamed],
                    now=self.clock() - (first.skew or 0.0),
                    unchecked=self.unchecked,
                )
            if self.order.wants(Group.WEBHOOKS):
                self.findings += await check_webhooks(
                    self.order, credentials, settings_sentinel(), self.unchecked
                )

    async def _host(self) -> None:
        routes = self._routes
        places = settings.places()
        self.findings += await in_thread(lambda: list(host.judge_places(places)))
        words = [each for file in self._files for each in file.words]
        path = settings.plans()
        if path is not None and not plans_can_be_read():
            self._left(f"the plans {path}", "pip install 'onhook[sentinel]' reads them")
        elif path is not None:
            numbers = {n for trunk in routes.trunks_in for n in trunk.numbers} if routes else set()
            found, said = await in_thread(read_plans, path, numbers)
            self.findings += found
            words += said
        built_in = (APOLOGY, ONE_MOMENT, TIME_LIMIT)
        self.findings += await in_thread(
            lambda: list(host.judge_words(words, places.renderings, built_in))
        )
        credentials = self._credentials()
        if credentials is not None:
            status, wrong = await in_thread(host.watchdog_status, credentials)
            self.findings += host.judge_watchdog(
                status, wrong, how=settings.watchdog() or "", server=credentials.url
            )
        if address := settings_sentinel():
            status, wrong = await sentinel_status(address, timeout=self.order.timeout)
            self.findings += judge_sentinel(address, status, wrong)
        else:
            self._left("a sentinel", "ONHOOK_SENTINEL names none")

    async def _call(self) -> None:
        if self.order.place_call is None:
            self._left("what a caller hears", "--dial NUMBER places a call and listens")
            return
        call = await self.order.place_call()
        self.numbers.add(call.number)
        self._heard = placed_call.told(call)
        self.findings += placed_call.judge_call(call)

    def _credentials(self) -> Credentials | None:
        """Return server and key as far as they are of use; what is wrong with them is found."""
        names = ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "LIVEKIT_TOKEN")
        given = {name: self.env.get(name, "") for name in names}
        with contextlib.suppress(ConfigurationError, ValueError):
            return Credentials.from_env(given)
        return None

    def _left(self, what: str, why: str) -> None:
        self.unchecked.append(Unchecked(what, why))

    def _show(self, text: str) -> str:
        text = masked(text, self.env)
        if self.order.numbers:
            return text
        for number in sorted(filter(_is_number, self.numbers), key=len, reverse=True):
            text = text.replace(number, masked_number(number))
        return masked_numbers(text)


def settings_sentinel() -> str:
    """Return the sentinel's address; empty where the environment names none that can be used."""
    try:
        return settings.sentinel()
    except ConfigurationError:
        return ""  # it has its finding


def _versions() -> list[Finding]:
    lacking = [(f.name, f.since, f.without) for f in FEATURES if not f.there()]
    found = versions.judge_versions(
        versions.installed(),
        newest=KNOWN,
        lacking=lacking,
        attributes=job_attributes.dispatches_have_attributes(),
        loop_monitor=loop_monitor_may_crash(),
    )
    return list(found)


def _is_number(text: str) -> bool:
    return sum(letter.isdigit() for letter in text) >= 4
