"""Arranges turns as the model requires: roles alternate, and some kinds of blocks must not be in one turn.

If a family rejects two kinds of blocks in one turn, the turn is split in two, with a filler turn of the other role
between them, since the API joins consecutive turns of one role again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ...exceptions import UserError
from ...json_types import Json
from ...profiles.bedrock import ALL, BedrockModelProfile
from ...profiles.history import FILLER
from ...wire.claude import drop_last_thinking, strip_last_text
from ...wire.prepare import PreparedRequest

OTHER_ROLE = {'user': 'assistant', 'assistant': 'user'}


def arrange(turns: Sequence[Json], request: PreparedRequest, profile: BedrockModelProfile) -> list[Json]:
    """Return the turns, joined and split. Tool calls directly precede their results.

    Claude gets no thinking at the end of a turn, which it refuses; a note on the request says so.
    """
    if profile.bedrock_thinking == 'claude':
        turns = _fit_ends(turns, request)
    arranged = [part for turn in _join_turns(turns) for part in _split_turn(turn, profile)]
    # not all families accept a response as the first turn; Claude does: recording
    # bedrock-converse__test_bedrock_anthropic_message_history_starting_with_response__0_00b234
    if arranged and arranged[0]['role'] == 'assistant' and not profile.bedrock_answers_first:
        arranged.insert(0, {'role': 'user', 'content': [{'text': FILLER}]})
    for turn in arranged:
        kinds = {kind for block in turn['content'] for kind in block}
        # a turn with a document must have text too:
        # https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Message.html
        if 'document' in kinds and 'text' not in kinds:
            turn['content'].append({'text': FILLER})
    return arranged


def _fit_ends(turns: Sequence[Json], request: PreparedRequest) -> list[Json]:
    kept = drop_last_thinking(turns, lambda block: 'reasoningContent' in block)
    if sum(len(turn['content']) for turn in kept) < sum(len(turn['content']) for turn in turns):
        request.note('thinking was dropped: Claude accepts it only before text or a tool call')
    if not kept:
        raise UserError('messages has no content but thinking, which Claude does not accept alone')
    return strip_last_text(kept)


def _join_turns(turns: Sequence[Json]) -> list[Json]:
    """Join consecutive turns of the same role."""
    joined: list[Json] = []
    for turn in turns:
        if joined and joined[-1]['role'] == turn['role']:
            joined[-1]['content'] += turn['content']
        else:
            joined.append({'role': turn['role'], 'content': [*turn['content']]})
    return joined


def _split_turn(turn: Json, profile: BedrockModelProfile) -> Iterator[Json]:
    """Yield the turn, or three turns if its blocks must not be in one.

    User turns are split after the tool results, recordings
    bedrock-converse__test_bedrock_mistral_tool_return_image_accepted__0_e82af7,
    bedrock-converse__test_bedrock_llama_tool_result_followed_by_text_accepted__0_b39172 and
    bedrock-converse__test_bedrock_anthropic_tool_result_followed_by_document_accepted__0_07fd75;
    responses are split before the tool calls.
    """
    role, blocks = turn['role'], turn['content']
    if role == 'user':
        first, second = _partition(blocks, lambda block: 'toolResult' in block)
        must_split = any(not _may_follow_results(block, profile) for block in second)
    else:
        second, first = _partition(blocks, lambda block: 'toolUse' in block)
        must_split = not profile.bedrock_text_beside_calls and any('text' in block for block in first)
    if not (must_split and first and second):
        yield turn
        return
    yield {'role': role, 'content': first}
    yield {'role': OTHER_ROLE[role], 'content': [{'text': FILLER}]}
    yield {'role': role, 'content': second}


def _partition(blocks: list[Json], condition: Callable[[Json], bool]) -> tuple[list[Json], list[Json]]:
    """Return the blocks that meet a condition, and the others."""
    return [block for block in blocks if condition(block)], [block for block in blocks if not condition(block)]


def _may_follow_results(block: Json, profile: BedrockModelProfile) -> bool:
    """Return whether a block may be in one turn with tool results."""
    allowed = profile.bedrock_content_beside_results
    return block.keys() <= allowed if block.keys() <= ALL else bool(allowed)
