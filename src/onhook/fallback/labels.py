"""What every guarded provider has in common: it goes by the name of the one that it wraps."""

from __future__ import annotations

from typing import Any

__all__ = ["Named"]


class Named:
    """A provider that stands in front of another. Give it before the framework's class."""

    inner: Any
    """The provider that does the work."""

    @property
    def label(self) -> str:
        """The provider's own label."""
        return str(self.inner.label)

    @property
    def model(self) -> str:
        """The provider's own model."""
        return str(self.inner.model)

    @property
    def provider(self) -> str:
        """The provider's own name."""
        return str(self.inner.provider)
