"""A SIP phone that measures what it hears.

```python
async with Phone() as phone:
    call = await phone.dial("sip:+15550100@127.0.0.1:5060")
    await call.answered()
    await call.say("Hello?")
    report = await call.ended(timeout=60)
    print(report.how, report.hearing.longest_silence())
```
"""

from __future__ import annotations

from onhook.phone.answering import Answer, Answering, Reject, Ring
from onhook.phone.audio import load_audio, save_wav, speech
from onhook.phone.auth import Credentials
from onhook.phone.call import Call
from onhook.phone.dtmf import Digit, check_digits
from onhook.phone.errors import (
    CallError,
    CallTimeoutError,
    NotAnsweredError,
    NumberError,
    PhoneError,
    SdpError,
    SipError,
)
from onhook.phone.hearing import Frame, Hearing, Stretch, Threshold, hear
from onhook.phone.media import Packets
from onhook.phone.number import address
from onhook.phone.phone import Phone
from onhook.phone.refer import Refer, ReferAnswer
from onhook.phone.report import Ending, Report
from onhook.phone.transactions import Timers
from onhook.phone.wire import local_host

__all__ = [
    "Answer",
    "Answering",
    "Call",
    "CallError",
    "CallTimeoutError",
    "Credentials",
    "Digit",
    "Ending",
    "Frame",
    "Hearing",
    "NotAnsweredError",
    "NumberError",
    "Packets",
    "Phone",
    "PhoneError",
    "Refer",
    "ReferAnswer",
    "Reject",
    "Report",
    "Ring",
    "SdpError",
    "SipError",
    "Stretch",
    "Threshold",
    "Timers",
    "address",
    "check_digits",
    "hear",
    "load_audio",
    "local_host",
    "save_wav",
    "speech",
]
