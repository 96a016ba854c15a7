"""REFER by the server's API: every answer that 1.13.5, and what came after it, may give."""

from __future__ import annotations

import pytest
from livekit.protocol.sip import (
    SIPStatus,
    SIPTransferReason,
    SIPTransferStatus,
    TransferSIPParticipantResponse,
)

from onhook.errors import ApiError
from onhook.line import Referral
from onhook.livekit import ServerApi
from onhook.livekit.sip_transfer import refer
from tests.livekit.twirp import Answer, error, hang, ok, says, twirp

TO = "tel:+15550123"


def ended(
    status: SIPTransferStatus,
    reason: SIPTransferReason,
    code: int = 0,
    phrase: str = "",
) -> Answer:
    told = SIPStatus(code=code, status=phrase) if code else None  # type: ignore[arg-type]
    return says(
        TransferSIPParticipantResponse(
            transfer_id="ST_1", status=status, reason=reason, sip_status=told
        )
    )


async def send(answer: Answer) -> list[str]:
    async with (
        twirp(TransferSIPParticipant=[answer]) as server,
        ServerApi(server.credentials, timeout=1.0) as api,
    ):
        await refer(api, "r", "sip_1", Referral(TO, 2.0))
        return server.calls


@pytest.mark.parametrize(
    "answer",
    [
        ok,
        ended(SIPTransferStatus.STS_TRANSFER_SUCCESSFUL, SIPTransferReason.STR_COMPLETED, 200),
        ended(SIPTransferStatus.STS_TRANSFER_SUCCESSFUL, SIPTransferReason.STR_CALL_ENDED),
    ],
)
async def test_success_is_no_exception_or_a_status_that_says_so(answer: Answer) -> None:
    assert await send(answer) == ["TransferSIPParticipant"]


FAILED = SIPTransferStatus.STS_TRANSFER_FAILED


@pytest.mark.parametrize(
    ("answer", "code", "told"),
    [
        (
            error(400, "invalid_argument", sip_status_code="603", sip_status="Decline"),
            "refused",
            "SIP 603 Decline",
        ),
        (
            error(400, "unavailable", sip_status_code="486", sip_status="Busy Here"),
            "busy",
            "the target is busy",
        ),
        (error(400, "unknown", sip_transfer_reason="STR_CANCELED"), "refused", "STR_CANCELED"),
        (ended(FAILED, SIPTransferReason.STR_REJECTED, 603, "Decline"), "refused", "603 Decline"),
        (ended(FAILED, SIPTransferReason.STR_REJECTED, 486, "Busy"), "busy", "busy"),
        (ended(FAILED, SIPTransferReason.STR_RINGING_TIMEOUT), "no_notify", "nobody answered"),
        (
            ended(SIPTransferStatus.STS_TRANSFER_ONGOING, SIPTransferReason.STR_UNSPECIFIED),
            "refused",
            "STR_UNSPECIFIED",
        ),
        (hang, "no_notify", r"\(NOTIFY\) within 2 s"),
        (error(408, "canceled"), "canceled", "scripted canceled"),
        (error(404, "not_found"), "not_found", "not there any more"),
        (error(401, "unauthenticated"), "unauthenticated", "sip.call and roomAdmin"),
        (error(500, "internal"), "internal", "500 internal"),
    ],
)
async def test_each_failure_is_named(answer: Answer, code: str, told: str) -> None:
    with pytest.raises(ApiError, match=told) as failure:
        await send(answer)
    assert failure.value.code == code
    assert f"to {TO}" in str(failure.value)
