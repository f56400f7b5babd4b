"""Thinking of a model in this process: the variables of its chat template, its field in past turns, its tags. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...json_types import Json
from ...profiles.thinking import FIXED, NO_LIMIT, ThinkingScale
from ...streaming.thinking import ThinkTags
from ...wire.thinking import ResolvedThinking

__all__ = ('encode_thinking', 'find_thinking_field', 'make_think_tags', 'make_thinking_scale')

SWITCHES: tuple[tuple[str, str, object, object], ...] = (
    # Qwen3: https://huggingface.co/blog/qwen-3-chat-template-deep-dive
    ('enable_thinking', r'enable_thinking', True, False),
    # MiniMax M3: ik_llama.cpp#2008
    ('thinking_mode', r'thinking_mode\s*==\s*["\']enabled', 'enabled', 'disabled'),
    # Kimi K3 (llama.cpp, models/templates/Kimi-K3.jinja), DeepSeek V3.1, Granite 3.2
    (
        'thinking',
        r'\bthinking is (?:not )?(?:un)?defined|\A(?!.*set thinking\b).*\bif (?:not )?thinking\b\s*[-%]',
        True,
        False,
    ),
)
"""A variable of chat templates, the pattern of those that have it, and its values with and without thinking."""

LEVELS: dict[str, tuple[tuple[str, ...], str]] = {
    'reasoning_effort': (
        ('low', 'medium', 'high'),
        'medium',
    ),  # gpt-oss: https://cookbook.openai.com/articles/openai-harmony
    'thinking_effort': (('low', 'high', 'max'), 'max'),  # Kimi K3: PrimeIntellect-ai/renderers#129
}
"""A variable of chat templates, the levels that it takes, and its default."""

BUDGET = 'thinking_budget'
"""The variable for a number of tokens: https://huggingface.co/ByteDance-Seed/Seed-OSS-36B-Instruct"""


def make_thinking_scale(template: str) -> ThinkingScale:
    """Return what a chat template accepts for the setting `thinking`, by the variables that it has."""
    has_switch = bool(_find_switch(template))
    if BUDGET in template:
        return ThinkingScale(budgets=(1, NO_LIMIT))
    for name, (levels, default) in LEVELS.items():
        if name in template:
            return ThinkingScale(levels=levels, default=default, can_stop=has_switch)
    return ThinkingScale() if has_switch else FIXED


def _find_switch(template: str) -> tuple[str, object, object] | None:
    """Return the variable that switches thinking, and its values with and without it."""
    for name, pattern, on, off in SWITCHES:
        if re.search(pattern, template, re.DOTALL):
            return name, on, off
    return None


def encode_thinking(thinking: ResolvedThinking, template: str) -> Json:
    """Return the variables of a chat template for this thinking."""
    variables: Json = {}
    if switch := _find_switch(template):
        name, on, off = switch
        variables[name] = on if thinking.is_on else off
    if thinking.level:
        variables |= {name: thinking.level for name in LEVELS if name in template}
    if BUDGET in template and (thinking.tokens or not thinking.is_on):
        variables[BUDGET] = thinking.tokens or 0
    return variables


def find_thinking_field(template: str) -> str | None:
    """Return the field of a turn from which the template reads past thinking, if there is one."""
    if 'reasoning_content' in template:
        return 'reasoning_content'
    return 'thinking' if re.search(r'message\.thinking|\[.thinking.\]', template) else None


def make_think_tags(tags: Sequence[tuple[str, str, str]], prompt: str) -> ThinkTags:
    """Return a splitter for these tags. Some templates end the prompt with a start tag."""
    opened = [(start, end) for start, end, _ in tags if prompt.rstrip().endswith(start)]
    start, end = opened[0] if opened else tags[0][:2]
    return ThinkTags(start, end, 'thinking' if opened else 'start', others=tags)
