from __future__ import annotations

from pathlib import Path

from tests.sentinel.fleet.chaos import Chaos


async def test_sentinels_are_killed_and_stopped_and_every_incident_has_one_outcome(
    tmp_path: Path,
) -> None:
    """The short form of `python -m tests.sentinel.fleet.chaos`; see there."""
    chaos = Chaos(tmp_path, incidents=30, seed=14, longest=0.3, every=0.3, blows=3.0, deadline=60.0)
    figures = await chaos.run()
    assert figures.wrong == [], str(figures)
    assert figures.outcomes == figures.incidents
    assert figures.kills + figures.stops >= 3, str(figures)
    assert figures.acts >= 3 * figures.incidents
