"""Sends requests and forms to the page as a browser does."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Mapping

import aiohttp

from tests.sentinel.web.served_page import TOKEN

BEARER = {"Authorization": f"Bearer {TOKEN}"}
HTML = {"Accept": "text/html"}

ON = {"scope": "number", "value": "+15550199123", "for": "2h", "by": "Ann", "reason": "down"}


class Browser:
    """Sends forms with cookies, as a browser does."""

    def __init__(self, client: aiohttp.ClientSession, url: str) -> None:
        self._client = client
        self.url = url

    async def get(
        self, path: str, headers: Mapping[str, str] | None = None
    ) -> tuple[aiohttp.ClientResponse, str]:
        async with self._client.get(
            self.url + path, headers={**HTML, **(headers or {})}, allow_redirects=False
        ) as answer:
            return answer, await answer.text()

    async def post(
        self, path: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> tuple[aiohttp.ClientResponse, str]:
        origin = "/".join(self.url.split("/")[:3])
        told = {**HTML, "Origin": origin, **(headers or {})}
        async with self._client.post(
            self.url + path, data=dict(fields), headers=told, allow_redirects=False
        ) as answer:
            return answer, await answer.text()

    async def login(self) -> str:
        """Log in; return what the page's forms carry."""
        answer, _ = await self.post("/login", {"token": TOKEN, "wanted": ""})
        assert answer.status == 303
        _, html = await self.get("/outages")
        return csrf_of(html)


def csrf_of(html: str) -> str:
    found = re.search(r'name="csrf" value="(\w+)"', html)
    assert found is not None
    return found[1]


@contextlib.asynccontextmanager
async def browser(url: str) -> AsyncIterator[Browser]:
    jar = aiohttp.CookieJar(unsafe=True)  # at an address, not a name
    async with aiohttp.ClientSession(cookie_jar=jar) as client:
        yield Browser(client, url)
