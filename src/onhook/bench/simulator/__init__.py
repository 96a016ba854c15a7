"""A provider that fails as it is told to: OpenAI's HTTP interface on loopback.

The real `livekit-plugins-openai` talks to it, so that what is tested is what users run.
"""

from __future__ import annotations

from onhook.bench.simulator.provider_faults import Endpoint, Kind, ProviderFault
from onhook.bench.simulator.script import Ask, Script, ToolCall
from onhook.bench.simulator.simulator import Simulator
from onhook.bench.simulator.simulator_errors import SimulatorError

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
