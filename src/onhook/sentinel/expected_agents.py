"""Whether an agent is expected in a call: where none is, nobody is missing.

The server lists an unnamed dispatch for every room without one of its own (livekit-server
`rtc/room.go`, `createAgentDispatchesFromRoomAgent`), also where no agent exists and a person
answers by browser. So that alone says nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

from onhook.line import Dispatch
from onhook.sentinel.call_view import CallView
from onhook.sentinel.plans import Plan

__all__ = ["ExpectedAgents"]

_MOST = 10_000
_DEFAULT = Plan().name


class ExpectedAgents:
    """Learns on which trunks agents take calls.

    Args:
        plan: Returns a call's plan.
    """

    def __init__(self, plan: Callable[[CallView], Plan]) -> None:
        self._plan = plan
        self._trunks: OrderedDict[str, None] = OrderedDict()

    def learn(self, view: CallView) -> None:
        """Take in that a call has an agent, or has none."""
        trunk = view.caller.get("sip.trunkID", "")
        if view.agents and trunk and trunk not in self._trunks:
            self._trunks[trunk] = None
            if len(self._trunks) > _MOST:
                self._trunks.popitem(last=False)

    def expected(self, view: CallView, sent: Sequence[Dispatch]) -> bool:
        """Return whether an agent should come.

        Args:
            view: The call.
            sent: All dispatches of its room.
        """
        plan = self._plan(view)
        return (
            any(dispatch.agent_name for dispatch in sent)
            or bool(plan.agent)
            or plan.name != _DEFAULT
            or view.caller.get("sip.trunkID", "") in self._trunks
        )
