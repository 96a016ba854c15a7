from __future__ import annotations

import pytest

from onhook.sentinel.records.number_mask import NumberMask


def test_numbers_are_masked_unless_the_environment_allows_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ONHOOK_NUMBERS", raising=False)
    mask = NumberMask.from_env()
    assert mask.number("+4930123456789") == "+49********789"
    assert mask.text("call-_+4930123456789_x") == "call-_+49********789_x"
    monkeypatch.setenv("ONHOOK_NUMBERS", "whole")
    mask = NumberMask.from_env()
    assert mask.number("+4930123456789") == "+4930123456789"
    assert mask.text("call-_+4930123456789_x") == "call-_+4930123456789_x"
