"""The language of the package, measured by the rules of `tests/language.py`."""

from __future__ import annotations

import pytest

from tests.language import FEW_WORDS, RULES, TEXTS_OF_FEW_WORDS, functions, is_named_by_a_participle, texts


@pytest.mark.parametrize('name', RULES)
def test_texts_are_plain_english(name: str) -> None:
    rule, every = RULES[name], [*texts()]
    hits = [f'{text.path}:{text.line}: {text.text[:100]}' for text in every if rule.pattern.search(text.text)]
    share = 100 * len(hits) / len(every)
    assert share <= rule.limit, f'{share:.2f} % of the texts; write {rule.instead} instead:\n' + '\n'.join(hits)


def test_few_texts_are_short() -> None:
    short = [f'{text.path}:{text.line}: {text.text}' for text in texts() if len(text.text.split()) <= FEW_WORDS]
    assert len(short) <= TEXTS_OF_FEW_WORDS, '\n'.join(short)


def test_no_function_is_named_by_a_participle() -> None:
    named = [f'{path}:{node.lineno}: {node.name}' for path, node in functions() if is_named_by_a_participle(node)]
    assert named == []
