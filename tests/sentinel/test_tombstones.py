from __future__ import annotations

from onhook.sentinel.tombstones import Tombstone, Tombstones


def test_ends_are_remembered_for_a_while_and_in_bounds() -> None:
    ends = Tombstones(keep=10.0, most=100)
    for number in range(300):
        ends.add(f"PA_{number}", Tombstone(number / 100, final=True), number / 100)
        assert len(ends) <= 100
    assert ends.get("PA_299") is not None
    assert ends.get("PA_199") is None
    ends.add("PA_last", Tombstone(20.0, final=True), 20.0)
    assert len(ends) == 1


def test_what_the_server_said_itself_no_list_takes_back() -> None:
    ends = Tombstones()
    ends.add("guess", Tombstone(5.0, final=False), 5.0)
    assert ends.forbids("guess", None)
    assert ends.forbids("guess", 5.0)
    assert not ends.forbids("guess", 5.1)
    ends.add("guess", Tombstone(6.0, final=True, reason="ROOM_DELETED"), 6.0)
    ends.add("guess", Tombstone(7.0, final=False), 7.0)
    assert ends.get("guess") == Tombstone(6.0, final=True, reason="ROOM_DELETED")
    assert ends.forbids("guess", 100.0)
    ends.forget("guess")
    assert not ends.forbids("guess", None)
