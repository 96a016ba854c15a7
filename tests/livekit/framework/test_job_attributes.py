from __future__ import annotations

from livekit import api

from onhook.livekit.framework.job_attributes import (
    attributes_of,
    dispatches_have_attributes,
    give_attributes,
)


def test_a_dispatch_has_the_attributes_that_it_is_given_where_it_can_have_any() -> None:
    dispatch = api.RoomAgentDispatch(agent_name="desk")
    give_attributes(dispatch, {"a": "1"})
    assert attributes_of(dispatch) == ({"a": "1"} if dispatches_have_attributes() else {})
