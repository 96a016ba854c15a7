"""Homes that may not be entered, unknown users, read-only systems, and other servers."""

from __future__ import annotations

import asyncio

from tests.cases.case import Surroundings, case
from tests.cases.expected import NOTHING, words
from tests.cases.layout import Stack
from tests.cases.scene import RINGS, Scene
from tests.cases.side_by_side import MODULE, worker_env
from tests.line.bench import worker

KILLED = words(1, released=12)
WITHOUT_XDG = ("env", "-u", "XDG_CACHE_HOME", "-u", "XDG_STATE_HOME")
NO_OVERRIDE = "-dac_override,-dac_read_search"
CLOSED_HOME = (
    *WITHOUT_XDG,
    *("sh", "-c", 'mkdir -m 0 "$HOME" && exec "$@"', "sh"),
    # root may enter every folder; without these it is as any other user
    *("setpriv", f"--bounding-set={NO_OVERRIDE}", f"--inh-caps={NO_OVERRIDE}"),
)
UNKNOWN_USER = (
    *(*WITHOUT_XDG, "-u", "HOME"),
    # they may read all, the interpreter say, and write nothing
    *("setpriv", "--reuid=4242", "--regid=4242", "--clear-groups"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
)
READ_ONLY = (
    *(*WITHOUT_XDG, "unshare", "--mount", "sh", "-c"),
    'for each in /tmp "$0"; do mount --bind "$each" "$each" || exit; done; '
    'mount -o remount,ro,bind / && exec "$@"',
    "{folder}",
)
IN_CLOSED_HOME = Surroundings({"HOME": "{folder}/closed"}, CLOSED_HOME)
AS_UNKNOWN_USER = Surroundings(wrap=UNKNOWN_USER, owner=4242)
ON_READ_ONLY_ROOT = Surroundings(wrap=READ_ONLY)


async def is_answered(s: Scene) -> None:
    await s.dial()
    s.struck = await s.greeted()
    asked = await s.says()
    await s.hears("the answer", 10, after=asked)
    await s.stays(10)


async def is_killed(s: Scene) -> None:
    await s.dial()
    await s.greeted()
    await asyncio.sleep(2)
    await s.go()
    s.struck = await s.event("struck", 15)
    await s.stays(20)


@case("plain_desk", NOTHING, own=IN_CLOSED_HOME)
async def test_home_that_may_not_be_entered(s: Scene) -> None:
    await is_answered(s)


@case("is_killed_when_told", KILLED, own=IN_CLOSED_HOME, brief=True)
async def test_killed_job_with_a_home_that_may_not_be_entered(s: Scene) -> None:
    await is_killed(s)


@case("plain_desk", NOTHING, own=AS_UNKNOWN_USER)
async def test_unknown_user_without_a_home(s: Scene) -> None:
    await is_answered(s)


@case("is_killed_when_told", KILLED, own=AS_UNKNOWN_USER)
async def test_killed_job_of_an_unknown_user_without_a_home(s: Scene) -> None:
    await is_killed(s)


@case("plain_desk", NOTHING, own=ON_READ_ONLY_ROOT)
async def test_read_only_root(s: Scene) -> None:
    await is_answered(s)


@case("is_killed_when_told", KILLED, own=ON_READ_ONLY_ROOT)
async def test_killed_job_on_a_read_only_root(s: Scene) -> None:
    await is_killed(s)


@case("is_killed_when_told", KILLED, own=Surroundings())
async def test_killed_job_whose_host_served_another_server_first(s: Scene) -> None:
    """Two servers, one host: the first one's worker has started a watchdog, the second one dies."""
    await s.dial()
    await s.greeted()
    home = s.worker.log.parent
    other = Stack(folder=home / "stack", ringing=RINGS)
    s.stack = await s.closing.enter_async_context(other)
    folder = home / "second"
    folder.mkdir()
    env = {**worker_env(folder, control=s.control), "ONHOOK_RUNTIME_DIR": str(home / "run")}
    second = worker(other, folder, MODULE, **env)
    s.worker = await s.closing.enter_async_context(second)
    await is_killed(s)
