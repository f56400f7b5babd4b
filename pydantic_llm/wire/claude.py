"""The rules of Claude, which are the same at Anthropic and at Amazon Bedrock: its thinking, and the ends of turns.

https://platform.claude.com/docs/en/build-with-claude/extended-thinking
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import dropwhile

from ..exceptions import UserError
from ..json_types import Json
from ..profiles.anthropic import MIN_BUDGET
from .prepare import PreparedRequest

MIN_TOP_P = 0.95
"""The smallest `top_p` that the API accepts while the model thinks."""


def fit_budget(budget: int, request: PreparedRequest) -> int:
    """Return a budget in tokens that leaves room for the response: at most half of `max_tokens`, if it exceeds that.

    Raises `UserError` if `max_tokens` is too small for any budget.
    """
    limit = request.settings.get('max_tokens')
    if limit is None or limit > budget:
        return budget
    if limit <= MIN_BUDGET:
        raise UserError(
            f'max_tokens={limit!r} leaves no room to think, for which the API wants at least {MIN_BUDGET} tokens: '
            'set a larger max_tokens, or thinking=False'
        )
    fitting = max(limit // 2, MIN_BUDGET)
    asked = request.settings.get('thinking')
    if asked == budget:
        request.note(f'thinking={asked!r} became {fitting!r}: the API wants it to be less than max_tokens={limit!r}')
    return fitting


def can_force_tools(request: PreparedRequest, thinking_type: str | None, *, is_supported: bool, field: str) -> bool:
    """Return whether the model can be forced to call a tool, which it cannot while it thinks with a budget.

    `is_supported` is the model's feature without thinking, `field` the profile's field for it. Raises `UserError` if
    the model cannot be forced and the setting `tool_choice` requires it; an output tool alone does not require it.
    """
    wanted = request.settings.get('tool_choice')
    is_required = wanted not in (None, 'auto', 'none')
    if not is_supported:
        reason = f'{request.model_name!r} cannot be made to call a tool ({field})'
    elif thinking_type == 'enabled':
        reason = f'{request.model_name!r} cannot be made to call a tool while it thinks with a budget'
    else:
        return is_required or thinking_type != 'adaptive'
    if is_required:
        raise UserError(f"{reason} (tool_choice={wanted!r}): use tool_choice='auto'")
    return False


def drop_sampling(request: PreparedRequest) -> None:
    """Drop the sampling settings that the API rejects while the model thinks, with a warning."""
    settings = request.settings
    rejected = {
        'temperature': settings.get('temperature', 1) != 1,
        'top_p': settings.get('top_p', 1) < MIN_TOP_P,
        'top_k': 'top_k' in settings,
    }
    for name, is_rejected in rejected.items():
        if is_rejected:
            request.drop_setting(name, f'{request.model_name!r} does not take it while it thinks')


def drop_last_thinking(turns: Sequence[Json], is_thinking: Callable[[Json], bool]) -> list[Json]:
    """Return the turns without thinking at their ends, and without turns of which nothing is left.

    tailcallhq/forgecode#2107: "The final block in an assistant message cannot be `thinking`"; Bedrock refuses turns of
    thinking alone (hermes-agent#105780). The API joins turns of one role, so only the end of the last one counts.
    """
    kept: list[Json] = []
    for turn in reversed(turns):
        if turn['role'] == 'assistant' and not (kept and kept[-1]['role'] == 'assistant'):
            blocks = [*dropwhile(is_thinking, reversed(turn['content']))][::-1]
            turn = turn if len(blocks) == len(turn['content']) else {**turn, 'content': blocks}
        if turn['content']:
            kept.append(turn)
    return kept[::-1]


def strip_last_text(turns: Sequence[Json]) -> list[Json]:
    """Return the turns; the model's last one, if it is the last of all, does not end with whitespace.

    tailcallhq/forgecode#1872: "final assistant content cannot end with trailing whitespace".
    """
    kept = [*turns]
    while kept and kept[-1]['role'] == 'assistant':
        *blocks, last = kept[-1]['content']
        text = last.get('text')
        if not isinstance(text, str) or text == text.rstrip():
            break
        blocks += [{**last, 'text': text.rstrip()}] if text.strip() else []
        kept[-1:] = [{**kept[-1], 'content': blocks}] if blocks else []
    return kept
