"""Arranges turns as Claude requires: thinking is followed by text or a tool call, and only in requests that think."""

from __future__ import annotations

from collections.abc import Sequence

from ...exceptions import UserError
from ...json_types import Json
from ...profiles.anthropic import AnthropicModelProfile
from ...wire.claude import drop_last_thinking, strip_last_text
from ...wire.prepare import PreparedRequest
from .content import COMPACTION_BLOCK, REDACTED_THINKING
from .thinking import Thinking

THINKING = ('thinking', REDACTED_THINKING)


def resumes_without_thinking(turns: Sequence[Json]) -> bool:
    """Return whether the model continues a turn that it did not begin with thinking: its last one, or after results.

    n8n-io/n8n#22550: "a final `assistant` message must start with a thinking block".
    """
    joined: list[Json] = []  # the API joins turns of one role
    for turn in drop_last_thinking(turns, _is_thinking):
        if not (joined and joined[-1]['role'] == turn['role']):
            joined.append(
                {**turn, 'content': [block for block in turn['content'] if block['type'] != COMPACTION_BLOCK]}
            )
    joined = [turn for turn in joined if turn['content']]
    is_result = bool(joined) and joined[-1]['content'][0]['type'] == 'tool_result'
    continued = joined[:-1] if is_result else joined
    if not continued or continued[-1]['role'] != 'assistant':
        return False
    first = next((block for block in continued[-1]['content'] if block['type'] != COMPACTION_BLOCK), None)
    return first is not None and not _is_thinking(first)


def arrange(
    turns: Sequence[Json], request: PreparedRequest, profile: AnthropicModelProfile, thinking: Thinking
) -> Sequence[Json]:
    """Return the turns without thinking that Claude refuses, with a note on the request if there is any."""
    if not profile.anthropic_requires_signatures:  # other models must get all of their thinking back
        return turns
    kind = thinking.config.get('type') if thinking.config else profile.anthropic_thinking_off
    arranged = drop_last_thinking(turns, _is_thinking)
    if kind in ('disabled', 'omit'):
        arranged = _drop_thinking_of_last_turn(arranged)
    arranged = strip_last_text(arranged)
    if not arranged:
        raise UserError('messages has no content but thinking, which the Messages API does not accept alone')
    if _count_thinking(arranged) < _count_thinking(turns):
        request.note('thinking was dropped: Claude accepts it only before text or a tool call, if thinking is enabled')
    return arranged


def _drop_thinking_of_last_turn(turns: list[Json]) -> list[Json]:
    """Return the turns; the model's last one, which it continues, has no thinking.

    tailcallhq/forgecode#1853: "an `assistant` message in the final position cannot contain `thinking`".
    """
    kept = [*turns]
    for index in range(len(kept) - 1, -1, -1):
        if kept[index]['role'] != 'assistant':
            break
        kept[index] = {**kept[index], 'content': [item for item in kept[index]['content'] if not _is_thinking(item)]}
    return [turn for turn in kept if turn['content']]


def _is_thinking(block: Json) -> bool:
    return block['type'] in THINKING


def _count_thinking(turns: Sequence[Json]) -> int:
    return sum(_is_thinking(block) for turn in turns for block in turn['content'])
