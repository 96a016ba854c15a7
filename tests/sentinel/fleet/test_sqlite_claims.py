from __future__ import annotations

import asyncio
import sqlite3
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from onhook.sentinel.fleet.claims import Claim, FleetUnavailableError, Refused
from onhook.sentinel.fleet.sqlite_claims import SqliteClaims
from tests.sentinel.fleet.contract import CALL, LONG, ClaimsContract, claimed
from tests.sentinel.fleet.telling import opened, outcome


class TestSqliteClaims(ClaimsContract):
    @pytest.fixture
    async def claims(self, tmp_path: Path) -> AsyncIterator[SqliteClaims]:
        claims = SqliteClaims(tmp_path / "new" / "claims.db")
        yield claims
        await claims.aclose()


async def test_two_processes_see_the_same_and_a_restart_forgets_nothing(tmp_path: Path) -> None:
    path = tmp_path / "claims.db"
    first, second = SqliteClaims(path), SqliteClaims(path)
    claim = await claimed(first, "a")
    assert isinstance(await second.claim(CALL, "b", LONG), Refused)
    await first.renew(claim, LONG, [opened()])
    await first.aclose()
    again = SqliteClaims(path)
    await again.release(claim, outcome())
    assert list(await second.events(CALL)) == [opened()]
    assert (done := await second.done(CALL)) is not None
    assert done.ending == "released"
    for claims in (second, again):
        await claims.aclose()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_lease_from_before_the_host_was_started_anew_has_lapsed(tmp_path: Path) -> None:
    path = tmp_path / "claims.db"
    before = SqliteClaims(path, clock=lambda: 500_000.0)
    await before.renew(await claimed(before, "a", 6.0), 6.0, [opened()])
    await before.aclose()
    after = SqliteClaims(path, clock=lambda: 20.0)
    assert await after.lapsed(10) == (CALL,)
    assert isinstance(await after.claim(CALL, "b", 6.0), Claim)
    await after.aclose()


async def test_what_is_old_or_too_much_is_forgotten(tmp_path: Path) -> None:
    wall = 1.7e9
    claims = SqliteClaims(tmp_path / "c.db", wall=lambda: wall, limit=3, keep_days=1)
    await claims.release(await claimed(claims, call="old"), outcome(), [opened()])
    wall += 2 * 86_400
    done = await claimed(claims, call="done")
    assert await claims.recent(10) == ("done",)
    await claimed(claims, call="held")
    await claims.release(done, outcome(), [opened()])
    for call in ("x", "y"):
        await claimed(claims, call=call)
    assert await claims.recent(10) == ("y", "x", "held")
    await claims.aclose()


@pytest.mark.parametrize("kind", ["folder", "rubbish"])
async def test_a_file_that_cannot_be_used_is_a_typed_error(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "claims.db"
    if kind == "folder":
        path.mkdir()
    else:
        path.write_bytes(b"no database at all, " * 100)
    claims = SqliteClaims(path)
    with pytest.raises(FleetUnavailableError, match="cannot use the claims in"):
        await claims.claim(CALL, "a", LONG)
    await claims.aclose()


async def test_a_file_that_another_holds_is_waited_for_so_long_and_no_longer(
    tmp_path: Path,
) -> None:
    claims = SqliteClaims(tmp_path / "claims.db", timeout=0.2)
    await claimed(claims, call="before")
    other = sqlite3.connect(claims.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    before = asyncio.get_running_loop().time()
    with pytest.raises(FleetUnavailableError):
        await claims.claim(CALL, "a", LONG)
    assert asyncio.get_running_loop().time() - before < 1.0
    other.execute("ROLLBACK")
    other.close()
    await claimed(claims)
    await claims.aclose()


async def test_a_request_that_is_given_up_disturbs_none_after_it(tmp_path: Path) -> None:
    claims = SqliteClaims(tmp_path / "claims.db")
    for number in range(300):
        task = asyncio.create_task(claims.claim(f"RM_{number}", "a", LONG))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await asyncio.sleep(0.1)
    await claimed(claims, call="after")
    await claims.aclose()
