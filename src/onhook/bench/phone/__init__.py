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

from onhook.bench.phone.answering import Answer, Answering, Reject, Ring
from onhook.bench.phone.auth import Credentials
from onhook.bench.phone.call_report import Ending, Report
from onhook.bench.phone.dial_target import address
from onhook.bench.phone.dtmf import Digit, check_digits
from onhook.bench.phone.media import Packets
from onhook.bench.phone.phone import Phone
from onhook.bench.phone.phone_call import Call
from onhook.bench.phone.phone_errors import (
    CallError,
    CallTimeoutError,
    NotAnsweredError,
    NumberError,
    PhoneError,
    SdpError,
    SipError,
)
from onhook.bench.phone.refer import Refer, ReferAnswer
from onhook.bench.phone.sip_transport import local_host
from onhook.bench.phone.sound_files import load_audio, save_wav, speech
from onhook.bench.phone.sound_segments import Frame, Hearing, Stretch, Threshold, hear
from onhook.bench.phone.transactions import Timers

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
