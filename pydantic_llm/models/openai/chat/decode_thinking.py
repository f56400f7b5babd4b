"""Decodes text and thinking: in the fields of servers, between tags in the text, and in `reasoning_details`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import cast

from ....json_types import Json
from ....messages import TextPart, ThinkingPart
from ....profiles.openai import OpenAIModelProfile
from ....streaming.draft import ResponseDraft
from ....streaming.parts import LAST
from ....streaming.thinking import HEADERS, MOST_MENTIONS, THINK_TAGS, ThinkTags, UnopenedThinking, split_unopened
from ..thinking import THINKING_FIELDS

DETAIL_PARTS = {'reasoning.text': 'text', 'reasoning.summary': 'summary', 'reasoning.encrypted': 'data'}
"""Types of `reasoning_details` items, and the field that holds their content."""

TEXT_FIELDS = ('text', 'content', 'thinking', 'summary')
"""The fields with the text of thinking that is an object, or a list of objects."""

BLOCKS = 'thinking_blocks'
"""Claude's blocks of thinking at a LiteLLM proxy, which also sends `reasoning_content`:
https://docs.litellm.ai/docs/reasoning_content"""


class ThinkingDecoder:
    """Decodes the text and the thinking of one response.

    A response that begins inside thinking is streamed as text until its end tag arrives. Then its only part starts
    again, as thinking: a later `PartStartEvent` of an index replaces the part. With `thinking_tag_is_prefilled` in the
    profile, it is streamed as thinking.
    """

    def __init__(self, draft: ResponseDraft, profile: OpenAIModelProfile) -> None:
        self.draft = draft
        self.profile = profile
        self.is_streamed = True
        self._fields = tuple(dict.fromkeys((profile.openai_thinking_field, *THINKING_FIELDS)))
        self._tags: ThinkTags | None = None
        self._unopened: UnopenedThinking | None = UnopenedThinking(profile.thinking_tags[1])
        self._append: Callable[[str], None] = self.add_text  # adds to the text, from `find_adder` on
        self._mentions = 0  # of end tags in the text

    def decode_fields(self, delta: Json) -> None:
        """Decode thinking from the first field that holds any: the profile's, then those that other servers use."""
        for name in self._fields:
            if (value := delta.get(name)) and (thinking := _join_texts(value)):
                self._add_thinking(thinking, name)
                return
        if (blocks := delta.get(BLOCKS)) and (thinking := _join_texts(blocks)):
            self._add_thinking(thinking, THINKING_FIELDS[0])

    def find_adder(self, name: str) -> Callable[[str], None] | None:
        """Return the function that adds the text of a field, if it is the only one in its delta that has any."""
        parts = self.draft.parts
        if name == 'content':
            is_plain = self._tags is not None and self._tags.kind == 'text' and parts.kind_of(LAST) == 'text'
            append = parts.find_adder(LAST) if is_plain else None
            self._append = append or self.add_text
            return self._add_more if append else self.add_text
        return parts.find_adder(LAST) if name in self._fields and parts.kind_of(LAST) == 'thinking' else None

    def decode_detail(self, detail: Json, position: int) -> None:
        """Add an item of `reasoning_details`, or a fragment of one."""
        parts = self.draft.parts
        key = ('detail', detail.get('type') or '', detail.get('index', position))
        part = decode_reasoning_detail(detail, self.draft.provider_name)
        self._unopened = None
        if parts.kind_of(key) is None:
            parts.whole(key, part)
        else:
            parts.thinking(key, part.content, signature=part.signature or None)

    def add_text(self, text: object) -> None:
        """Add text, with thinking that stands between tags taken out of it."""
        if not isinstance(text, str):
            raise TypeError(f'content is {text!r}')
        parts, profile = self.draft.parts, self.profile
        is_ignored = profile.ignore_streamed_leading_whitespace and self.is_streamed and not text.strip()
        if is_ignored and parts.kind_of(LAST) != 'text':
            return
        if self._tags is None:
            self._tags = _make_tags(profile, is_opened=profile.thinking_tag_is_prefilled and not parts.get())
        if self._tags.kind == 'text':
            self._add_plain(text)
        else:
            self._add_tagged(self._tags, self._tags.feed(text))

    def _add_more(self, text: str) -> None:
        """Add text that is not empty to text: what `add_text` does, without its other cases."""
        unopened = self._unopened
        if unopened is None or (end := unopened.find(text)) is None or not self._end_unopened(text, end):
            self._append(text)

    def release(self) -> None:
        """Emit the text that could have become a tag, before a part that is no text."""
        if self._tags is not None and self._tags.holds_text:
            self._add_tagged(self._tags, self._tags.close())

    def finish(self) -> None:
        """Emit the text that could have become a tag. Thinking that was expected and never ended is the response."""
        if (tags := self._tags) is None:
            return
        self._add_tagged(tags, tags.close())
        if not tags.is_opened or tags.had_block or self.draft.finish_reason != 'stop':
            return
        parts = self.draft.parts.get()
        if len(parts) == 1 and isinstance(parts[0], ThinkingPart):
            self.draft.parts.replace_only(TextPart(parts[0].content))

    def _add_thinking(self, thinking: str, field: str) -> None:
        self._unopened = None  # the server parses thinking
        parts = self.draft.parts
        is_new = parts.kind_of(LAST) != 'thinking'
        fields = {'id': field, 'provider_name': self.draft.provider_name} if is_new else {}
        parts.thinking(LAST, thinking, **fields)

    def _add_tagged(self, tags: ThinkTags, pieces: Iterable[tuple[str, str]]) -> None:
        for kind, piece in pieces:
            if kind == 'text':
                self._add_plain(piece)
            elif self.draft.parts.kind_of(LAST) == 'thinking':
                self.draft.parts.thinking(LAST, piece)
            else:
                self.draft.parts.thinking(LAST, piece, id='content', provider_name=self.draft.provider_name)
        if tags.had_block:
            self._unopened = None

    def _add_plain(self, text: str) -> None:
        """Add text that has no start tag. If it completes an end tag, all text so far was thinking."""
        unopened = self._unopened
        if unopened is None or (end := unopened.find(text)) is None or not self._end_unopened(text, end):
            self.draft.parts.text(LAST, text)

    def _end_unopened(self, text: str, end: str) -> bool:
        """Turn the text so far into thinking, up to an end tag; return False if it only mentions the tag."""
        parts = self.draft.parts
        known = parts.get()
        if len(known) > 1 or (known and not isinstance(known[0], TextPart)):
            self._unopened = None
            return False
        whole = f'{known[0].content if known and isinstance(known[0], TextPart) else ""}{text}'
        if (pieces := split_unopened(whole, end)) is None:
            self._mentions += 1
            if self._mentions == MOST_MENTIONS:
                self._unopened = None
            return False
        self._unopened = None
        thinking = ThinkingPart(pieces[0], id='content', provider_name=self.draft.provider_name)
        if known:
            parts.replace_only(thinking)
        else:
            parts.whole(LAST, thinking)
        parts.close(LAST)
        self._tags = _make_tags(self.profile)
        self._tags.had_block = True
        self._append = self.add_text
        self._add_tagged(self._tags, self._tags.feed(pieces[1]))
        return True


def decode_reasoning_detail(detail: Json, provider_name: str | None) -> ThinkingPart:
    """Decode an item of `reasoning_details`: text, a summary or encrypted data, with the fields to send back.

    https://openrouter.ai/docs/use-cases/reasoning-tokens
    """
    kind: str = detail.get('type') or ''
    is_encrypted = kind == 'reasoning.encrypted'
    return ThinkingPart(
        '' if is_encrypted else detail.get(DETAIL_PARTS.get(kind, 'text')) or '',
        id=detail.get('id'),
        signature=detail.get('data' if is_encrypted else 'signature'),
        provider_name=provider_name,
        provider_details={name: detail[name] for name in ('format', 'index', 'type') if detail.get(name) is not None},
    )


def _make_tags(profile: OpenAIModelProfile, *, is_opened: bool = False) -> ThinkTags:
    """Return the splitter for the profile's tags; for all common tags if the profile has no others."""
    start, end = profile.thinking_tags
    if (start, end) == THINK_TAGS[0][:2]:
        return ThinkTags(start, end, others=THINK_TAGS[1:], headers=HEADERS, is_opened=is_opened)
    return ThinkTags(start, end, is_opened=is_opened)


def _join_texts(value: object) -> str:
    """Return thinking as text; empty if it has none."""
    match value:
        case str():
            return value
        case list():
            return ''.join(map(_join_texts, cast('list[object]', value)))
        case dict():
            fields = cast('Json', value)
            return next((text for name in TEXT_FIELDS if (text := fields.get(name)) and isinstance(text, str)), '')
        case _:
            return ''
