"""A provider that fails as it is told to: OpenAI's HTTP interface on loopback.

The real `livekit-plugins-openai` talks to it, so that what is tested is what users run.
"""

from __future__ import annotations

from onhook.simulator.errors import SimulatorError
from onhook.simulator.faults import Endpoint, Kind, ProviderFault
from onhook.simulator.script import Ask, Script, ToolCall
from onhook.simulator.server import Simulator

__all__ = [
    "Ask",
    "Endpoint",
    "Kind",
    "ProviderFault",
    "Script",
    "Simulator",
    "SimulatorError",
    "ToolCall",
]
