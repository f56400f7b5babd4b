"""The history rules of OpenAI's own APIs, which other servers do not have."""

from __future__ import annotations

from dataclasses import replace

from ...profiles.history import ANY_TEXT, NAME, HistoryRules

LIMITED_SYSTEMS = frozenset({'openai', 'azure'})
"""The systems that limit the names of tools and the ids of tool calls."""


def limit_rules(rules: HistoryRules, system: str, *, id_length: int) -> HistoryRules:
    """Return the rules with the limits of OpenAI's APIs, if the system has them.

    Names are limited in `openai.types.shared.FunctionDefinition`; mcp-use#94, vercel/ai#1972.
    """
    if system not in LIMITED_SYSTEMS:
        return rules
    ids = f'(?s:.{{1,{id_length}}})' if rules.call_ids == ANY_TEXT else rules.call_ids
    return replace(rules, given_names=NAME, call_ids=ids)
