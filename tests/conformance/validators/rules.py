"""Rules that several vendors have: JSON, names, ids, and tool results that follow their tool calls.

A rule is a function that yields a sentence for each place that breaks it, with the place first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Any

Json = dict[str, Any]

NAME = re.compile(r'[a-zA-Z0-9_-]{1,64}')
"""The names of tools that OpenAI, Anthropic, Bedrock and Mistral accept (anomalyco/opencode#45317 links the pages)."""


def check_json(value: Any, path: str = 'body') -> Iterator[str]:
    """Yield what JSON cannot represent: NaN and infinity (RFC 8259, section 6), and lone surrogates (section 8.2)."""
    match value:
        case float() if not isfinite(value):
            yield f'{path}: {value} is not JSON'
        case str() if re.search('[\ud800-\udfff]', value):
            yield f'{path}: {value!r} has a lone surrogate'
        case dict():
            for key, item in value.items():
                yield from check_json(key, f'{path}.{key!r}')
                yield from check_json(item, f'{path}.{key}')
        case list():
            for index, item in enumerate(value):
                yield from check_json(item, f'{path}[{index}]')
        case _:
            return


def parse_strictly(text: str) -> Any:
    """Parse JSON as strict servers do. Raises `ValueError` for NaN and infinity too, and for numbers that become it."""

    def refuse(constant: str) -> float:
        raise ValueError(f'{constant} is not JSON')

    def parse(number: str) -> float:
        return value if isfinite(value := float(number)) else refuse(number)

    return json.loads(text, parse_constant=refuse, parse_float=parse)


def check_arguments(arguments: Any, path: str) -> Iterator[str]:
    """Yield a problem unless the text is a JSON object.

    vLLM and llama.cpp parse the arguments in a history for the model's template, and refuse others: vllm#43995.
    """
    try:
        value = parse_strictly(arguments)
    except (TypeError, ValueError) as error:
        yield f'{path}: {arguments!r} is not JSON: {error}'
        return
    if not isinstance(value, dict):
        yield f'{path}: {arguments!r} is not a JSON object'
    yield from check_json(value, path)


def check_pattern(value: Any, pattern: re.Pattern[str], path: str) -> Iterator[str]:
    if not (isinstance(value, str) and pattern.fullmatch(value)):
        yield f'{path}: {value!r} does not match {pattern.pattern!r}'


def check_unique(values: Sequence[Any], path: str) -> Iterator[str]:
    for value in {value for value in values if values.count(value) > 1}:
        yield f'{path}: {value!r} is there {values.count(value)} times'


def check_pairs(call_ids: Sequence[Any], result_ids: Sequence[Any], path: str) -> Iterator[str]:
    """Yield each tool call without a result, and each result without a tool call, in the turn at `path`."""
    yield from check_unique(call_ids, f'{path}: tool call ids')
    yield from check_unique(result_ids, f'{path}: ids of tool results')
    for id in set(call_ids) - set(result_ids):
        yield f'{path}: the tool call {id!r} has no result right after it'
    for id in set(result_ids) - set(call_ids):
        yield f'{path}: the result {id!r} has no tool call right before it'


def check_both(shape: list[str], rules: Iterator[str]) -> list[str]:
    """Return the problems of the body's shape and those of the rules, as far as a body of that shape can be read."""
    found = [*shape]
    try:
        found.extend(rules)
    except (AttributeError, KeyError, TypeError, IndexError):
        if not shape:
            raise
    return found


def is_blank(text: Any) -> bool:
    return not (isinstance(text, str) and text.strip())
