"""Turns as the model takes them: roles alternate, and some blocks cannot stand beside others.

Where a family refuses two kinds of blocks in one turn, they become two turns with a filler of the other role between
them, since the API joins neighbours of one role again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ...json_types import Json
from ...profiles.bedrock import ALL, BedrockModelProfile

FILLER = '.'
"""What is said where something must be said; the API refuses blank text."""

OTHER = {'user': 'assistant', 'assistant': 'user'}


def arrange(turns: Sequence[Json], profile: BedrockModelProfile) -> list[Json]:
    """The turns, joined and divided. Nothing is left out, and calls stand right before their results."""
    arranged = [part for turn in _joined(turns) for part in _divided(turn, profile)]
    if arranged and arranged[0]['role'] == 'assistant' and not profile.bedrock_answers_first:
        arranged.insert(0, {'role': 'user', 'content': [{'text': FILLER}]})
    for turn in arranged:
        kinds = {kind for block in turn['content'] for kind in block}
        if 'document' in kinds and 'text' not in kinds:
            turn['content'].append({'text': FILLER})
    return arranged


def _joined(turns: Sequence[Json]) -> list[Json]:
    """The turns without neighbours of the same role. Results of tools come first in a turn."""
    joined: list[Json] = []
    for turn in turns:
        if joined and joined[-1]['role'] == turn['role']:
            joined[-1]['content'] += turn['content']
        else:
            joined.append({'role': turn['role'], 'content': [*turn['content']]})
    return joined


def _divided(turn: Json, profile: BedrockModelProfile) -> Iterator[Json]:
    """A turn, or three of them where its blocks cannot stand together."""
    role, blocks = turn['role'], turn['content']
    if role == 'user':
        first, second = _split(blocks, lambda block: 'toolResult' in block)
        apart = any(not _is_beside(block, profile) for block in second)
    else:
        second, first = _split(blocks, lambda block: 'toolUse' in block)
        apart = not profile.bedrock_text_beside_calls and any('text' in block for block in first)
    if not (apart and first and second):
        yield turn
        return
    yield {'role': role, 'content': first}
    yield {'role': OTHER[role], 'content': [{'text': FILLER}]}
    yield {'role': role, 'content': second}


def _split(blocks: list[Json], is_one: Callable[[Json], bool]) -> tuple[list[Json], list[Json]]:
    """The blocks that are, and those that are not."""
    return [block for block in blocks if is_one(block)], [block for block in blocks if not is_one(block)]


def _is_beside(block: Json, profile: BedrockModelProfile) -> bool:
    """Whether a block can stand in one turn with the results of tools."""
    allowed = profile.bedrock_content_beside_results
    return block.keys() <= allowed if block.keys() <= ALL else bool(allowed)
