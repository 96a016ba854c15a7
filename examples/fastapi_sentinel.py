"""A sentinel inside the FastAPI application that you already have.

    pip install 'onhook[sentinel]' fastapi
    uvicorn --app-dir examples fastapi_sentinel:app --timeout-keep-alive 120

Name http://HOST:8000/onhook/webhook in `webhook.urls` of LiveKit's configuration. The server, its
key and all else come from the environment (LIVEKIT_*, ONHOOK_*). LiveKit keeps a connection for
90 s: a keep-alive that is longer closes none while a webhook is on its way.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from onhook.sentinel import SentinelApp

logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")

sentinel = SentinelApp()


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with sentinel.lifespan():  # beside whatever else your application opens and closes
        yield


app = FastAPI(lifespan=lifespan)
app.mount("/onhook", sentinel)


@app.get("/")
async def home() -> dict[str, str]:
    return {"service": "front desk"}
