"""Decode the text of one response to message parts: thinking, tool calls and text, streamed or not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...messages import TextPart, ThinkingPart
from ...streaming.draft import ResponseDraft
from ...streaming.parts import LAST
from ...streaming.text_calls import CallReader, Item, ToolCall
from ...streaming.text_calls.call_parts import CallParts
from ...streaming.text_calls.reader import PartialCall, close_reader
from ...streaming.thinking import ThinkTags, UnopenedThinking, split_unopened
from ...tools.definition import ToolDefinition

__all__ = ('ResponseDecoder',)


class ResponseDecoder:
    """Decodes the text of one response into a draft: first `tags` split off thinking, then `calls` finds tool calls.

    Blank lines before thinking, and between thinking and text, are dropped.
    """

    def __init__(
        self,
        draft: ResponseDraft,
        *,
        calls: CallReader | None,
        tags: ThinkTags | None,
        tools: Sequence[ToolDefinition] = (),
    ) -> None:
        self._draft = draft
        self._calls = calls
        self._tags = tags
        self._call_parts = CallParts(draft.parts, {tool.name: tool.parameters_json_schema for tool in tools})
        self._unopened = UnopenedThinking(tags.end) if tags is not None and tags.kind == 'start' else None
        """Finds thinking that has only its end tag."""
        self._in_block: list[str] = []
        """The thinking since its start tag."""
        self._has_thinking = False
        self._is_in_text = False
        self.has_tool_calls: bool = False

    def feed(self, text: str) -> None:
        if self._tags is None:
            self._find_calls(text)
        else:
            self._decode_tagged(self._tags.feed(text))

    def close(self, *, truncated: bool) -> None:
        """Decode what was held back until the end. `truncated`: the response ended before the model's end token."""
        if self._tags is not None:
            self._decode_tagged(self._tags.close())
        if self._in_block and not truncated:
            self._find_calls_in_block()
        if self._calls is not None:
            self._add_items(close_reader(self._calls, truncated=truncated))

    def _decode_tagged(self, pieces: Iterable[tuple[str, str]]) -> None:
        for kind, text in pieces:
            if kind == 'thinking':
                self._in_block.append(text)
                self._append_thinking(text)
            else:
                self._find_calls(text)
        if self._tags is not None and self._tags.kind != 'thinking':
            self._in_block.clear()

    def _find_calls_in_block(self) -> None:
        """Add the calls in thinking that a complete response does not end: models forget the end tag before a call.

        Qwen3.5 and Kimi K2 do: https://docs.vllm.ai/en/latest/features/reasoning_outputs
        """
        if self._calls is not None:
            items = [*self._calls.feed(''.join(self._in_block)), *self._calls.close(truncated=False)]
            self._add_items(item for item in items if isinstance(item, ToolCall))

    def _find_calls(self, text: str) -> None:
        if self._calls is None:
            self._append_text(text)
        else:
            self._add_items(self._calls.feed(text))

    def _add_items(self, items: Iterable[Item]) -> None:
        for item in items:
            match item:
                case PartialCall():
                    self._call_parts.add_piece(item)
                case ToolCall():
                    self.has_tool_calls = True
                    self._call_parts.add(item)
                case ('thinking', text):
                    self._append_thinking(text)
                case (_, text):
                    self._append_text(text)

    def _append_thinking(self, text: str) -> None:
        text = text if self._has_thinking else text.lstrip()
        if text:
            self._has_thinking = True
            self._is_in_text = False
            self._draft.parts.thinking(LAST, text, provider_name=self._draft.provider_name)

    def _append_text(self, text: str) -> None:
        if self._has_thinking and not self._is_in_text:
            text = text.lstrip()
        if text:
            self._is_in_text = True
            if (
                self._unopened is None
                or (end := self._unopened.find(text)) is None
                or not self._end_unopened(text, end)
            ):
                self._draft.parts.text(LAST, text)

    def _end_unopened(self, text: str, end: str) -> bool:
        """Turn the text so far into thinking, up to an end tag; return False if it only mentions the tag."""
        parts = self._draft.parts
        known = parts.get()
        first = known[0] if len(known) == 1 and isinstance(known[0], TextPart) else None
        found = split_unopened(f'{first.content if first else ""}{text}', end) if first or not known else None
        if found is None:
            return False
        self._unopened, self._has_thinking, self._is_in_text = None, True, False
        thinking = ThinkingPart(found[0], provider_name=self._draft.provider_name)
        if first is None:
            parts.whole(LAST, thinking)
        else:
            parts.replace_only(thinking)
        parts.close(LAST)
        self._append_text(found[1])
        return True
