"""How the sentinel shows phone numbers: on its page, in webhooks, metrics and records."""

from __future__ import annotations

from dataclasses import dataclass

from onhook import settings
from onhook.redaction import masked_number, masked_numbers

__all__ = ["NumberMask"]


@dataclass(frozen=True, slots=True)
class NumberMask:
    """Shows numbers, masked or whole.

    Args:
        whole: Whether they are shown as they are.
    """

    whole: bool = False

    @classmethod
    def from_env(cls) -> NumberMask:
        """Return the one that `ONHOOK_NUMBERS` asks for.

        Raises:
            ConfigurationError: It says something else than `masked` or `whole`.
        """
        return cls(settings.numbers() == "whole")

    def number(self, number: str) -> str:
        """Return a number as it may be shown.

        Args:
            number: It.
        """
        return number if self.whole else masked_number(number)

    def text(self, text: str) -> str:
        """Return a text, such as the name of a room, with its numbers as they may be shown.

        Args:
            text: It.
        """
        return text if self.whole else masked_numbers(text)
