"""The site of the documentation: what `docs/hooks.py` makes of the pages."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / 'docs').rglob('*.md'))


def load_script(name: str) -> object:
    """Import a script of `docs/`, which is not a package."""
    spec = importlib.util.spec_from_file_location(f'docs_{name}', ROOT / 'docs' / f'{name}.py')
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


hooks = load_script('hooks')


def test_each_page_has_a_description_of_its_own() -> None:
    descriptions = {page: hooks.describe(page.read_text(encoding='utf-8')) for page in PAGES}
    assert [page for page, text in descriptions.items() if not 20 < len(text) <= hooks.DESCRIPTION + 2] == []
    assert len(set(descriptions.values())) == len(descriptions)


@pytest.mark.parametrize(
    ('markdown', 'description'),
    [
        (
            '# A title\n\n```python\ncode()\n\nmore()\n```\n\nThe [first](a.md) `text`.\nMore.\n\nNext.',
            'The first text. More.',
        ),
        ('A ' + 'word ' * 60, 'A' + ' word' * 39 + ' …'),
        (f'First. {"word " * 60}', 'First.'),
        ('::: pydantic_llm.direct', 'pydantic_llm.direct: One request to a model, without an agent.'),
    ],
)
def test_a_description_is_the_first_paragraph_as_plain_text(markdown: str, description: str) -> None:
    assert hooks.describe(markdown) == description


WORDS = [
    'caching', 'count_tokens', 'docker', 'embedding', 'faq', 'fastapi', 'gateway', 'jupyter', 'kubernetes', 'langchain',
    'litellm', 'logging', 'mcp', 'migrate', 'multi-agent', 'ollama', 'opentelemetry', 'price', 'proxy', 'rate limit',
    'retry', 'smolagents', 'structured output', 'thinking', 'troubleshoot', 'web search',
]  # fmt: skip
"""Words that users search for."""


def test_the_words_that_users_search_for_are_on_a_page_of_prose() -> None:
    text = ' '.join(page.read_text(encoding='utf-8') for page in PAGES if page.parent.name != 'api').lower()
    assert [word for word in WORDS if word not in text] == []


pictures = load_script('pictures')


def test_the_pictures_are_what_their_script_draws() -> None:
    """If this fails because a command, a benchmark or a station changed: `python -m docs.pictures`."""
    drawn = pictures.draw()
    assert [name for name, content in drawn.items() if (ROOT / 'docs' / name).read_text('utf-8') != content] == []
