from __future__ import annotations

import pytest

from onhook.errors import ConfigurationError
from onhook.watchdog.options import WatchdogOptions


@pytest.mark.parametrize(
    "options",
    [WatchdogOptions(), WatchdogOptions(idle=0.5, release=True, grace=2.0, detached=True)],
)
def test_a_process_is_told_all_of_it(options: WatchdogOptions) -> None:
    *_, module, told = options.command
    assert module == "onhook.watchdog"
    assert WatchdogOptions.of([told]) == options


def test_a_process_without_arguments_has_the_defaults() -> None:
    assert WatchdogOptions.of([]) == WatchdogOptions()


@pytest.mark.parametrize("told", ["--release", '{"idel": 3}', '{"idle": -1}', "{"])
def test_what_is_no_options_is_refused_and_says_what_to_use(told: str) -> None:
    with pytest.raises(ConfigurationError, match="use `onhook watchdog run`"):
        WatchdogOptions.of([told])
