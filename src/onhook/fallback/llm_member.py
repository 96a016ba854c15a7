"""A language model whose first word, and every next one, has a deadline."""

from __future__ import annotations

import asyncio
from typing import Any

from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectOptions,
    APIError,
    APITimeoutError,
    NotGivenOr,
    llm,
)

from onhook.fallback.availability import logger
from onhook.fallback.labels import Named
from onhook.fallback.stage import PAUSE, Stage
from onhook.livekit.framework.plugin_streams import send

__all__ = ["GuardedLLM"]

_BREAK = " … "
"""Parts what one model had begun to say from the answer of the next."""


class GuardedLLM(Named, llm.LLM[Any]):
    """A model as a member of a fallback adapter.

    Args:
        inner: The model.
        stage: What it shares with the others.
    """

    def __init__(self, inner: llm.LLM[Any], stage: Stage) -> None:
        super().__init__()
        self.inner = inner
        self.stage = stage
        stage.members.append(self)

    def prewarm(self, *, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """See `livekit.agents.llm.LLM.prewarm`."""
        self.inner.prewarm(loop=loop)

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        parallel_tool_calls: NotGivenOr[bool] = NOT_GIVEN,
        tool_choice: NotGivenOr[llm.ToolChoice] = NOT_GIVEN,
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
    ) -> llm.LLMStream:
        """See `livekit.agents.llm.LLM.chat`."""
        how = {
            "parallel_tool_calls": parallel_tool_calls,
            "tool_choice": tool_choice,
            "extra_kwargs": extra_kwargs,
        }
        return _Answer(
            self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options, how=how
        )

    async def aclose(self) -> None:
        """Close the model."""
        await super().aclose()
        await self.stage.aclose()
        await self.inner.aclose()


class _Answer(llm.LLMStream):
    def __init__(
        self,
        member: GuardedLLM,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool],
        conn_options: APIConnectOptions,
        how: dict[str, Any],
    ) -> None:
        super().__init__(member, chat_ctx=chat_ctx, tools=tools, conn_options=conn_options)
        self._member = member
        self._how = how
        self._words = self._calls = self._empty = False
        self._id = ""

    async def _run(self) -> None:
        stage = self._member.stage
        with stage.attempt(self._member) as attempt:
            await stage.patiently(self._member, attempt.limit, lambda: self._ask(attempt.limit))

    async def _ask(self, limit: float) -> None:
        stage = self._member.stage
        options = APIConnectOptions(max_retry=0, timeout=stage.first)
        stream = self._member.inner.chat(
            chat_ctx=self.chat_ctx, tools=self.tools, conn_options=options, **self._how
        )
        try:
            await self._relay(stream, limit)
        except Exception as error:
            if self._calls:  # to ask another model might call a tool twice
                logger.warning("%s broke off after a tool call: %r", self._member.label, error)
                return
            if self._words:
                self._send(_BREAK)
                if isinstance(error, APIError):
                    error.retryable = False
            raise
        finally:
            await stage.close(stream.aclose())
        if not (self._words or self._calls):
            self._judge_nothing(limit)

    async def _relay(self, stream: llm.LLMStream, limit: float) -> None:
        stage = self._member.stage
        while True:
            begun = self._words or self._calls
            seconds = stage.between if begun else max(0.0, limit - stage.clock())
            try:
                chunk = await stage.within(seconds, anext(stream))
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                what = "stopped in mid-answer" if begun else "has not begun to answer"
                text = f"{self._member.label} {what} within {seconds:.1f} s"
                raise APITimeoutError(text) from error
            self._id = chunk.id
            if chunk.delta is not None:
                self._words = self._words or bool(chunk.delta.content)
                self._calls = self._calls or bool(chunk.delta.tool_calls)
            send(self, chunk)

    def _judge_nothing(self, limit: float) -> None:
        """Ask again where an answer has no content; when all say nothing, nothing is the answer.

        Then the agent still lives: the guard softens the silence, and does not end the call.
        """
        stage, again = self._member.stage, not self._empty
        self._empty = True
        if stage.has_other(self._member) or (again and stage.clock() + PAUSE < limit):
            raise APIError(f"{self._member.label} answered nothing: no word and no tool call")
        logger.warning("%s answered nothing, and there is no other to ask", self._member.label)

    def _send(self, text: str) -> None:
        delta = llm.ChoiceDelta(role="assistant", content=text)
        send(self, llm.ChatChunk(id=self._id, delta=delta))
