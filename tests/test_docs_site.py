"""The site of the documentation: what `docs/hooks.py` makes of the pages."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pydantic_llm.agent import RunOptions

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / 'docs').rglob('*.md'))


def load_script(name: str) -> Any:
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


@pytest.fixture(scope='module')
def reference() -> Any:
    """Read the package as the API reference does."""
    griffe = pytest.importorskip('griffe')
    extension = load_script('reference')
    return griffe.load('pydantic_llm', search_paths=[ROOT], extensions=griffe.Extensions(extension.PublicApi()))


def test_the_reference_shows_no_private_classes_and_no_maps_of_files(reference: Any) -> None:
    agent = reference['agent.Agent']
    assert [str(base) for base in agent.bases] == []
    assert {'run', 'run_sync', 'run_stream', 'iter', 'tool', 'override'} <= {*agent.members}
    names = [name.partition('.')[2] for name in load_script('reference').documented_modules()]
    docstrings = {name: reference[name].docstring for name in names if name}
    assert [
        name for name, text in docstrings.items() if text and re.search(r'(?m)^Read(ing order)? ', text.value)
    ] == []


def test_the_reference_lists_the_options_of_a_run(reference: Any) -> None:
    for name in ('run', 'run_sync', 'run_stream', 'iter'):
        function = reference[f'agent.Agent.{name}'].final_target
        assert {*RunOptions.__annotations__} <= {parameter.name for parameter in function.parameters}
    assert 'usage_limits: ' in reference['agent.Agent.run'].docstring.value


def test_llms_txt_lists_the_pages_by_tab_and_the_full_one_has_their_text() -> None:
    def page(title: str, path: str, text: str) -> SimpleNamespace:
        meta: dict[str, str] = {}
        file = SimpleNamespace(src_uri=path)
        made = SimpleNamespace(
            title=title, file=file, meta=meta, canonical_url=None, url=path, is_page=True, children=None
        )
        hooks.on_page_markdown(text, made)
        return made

    pages = [
        page('First', 'first.md', '# First\n\nThe "first" page.'),
        page('Names', 'api/names.md', '# Names\n\nAll.'),
    ]
    hooks.on_nav(SimpleNamespace(items=[SimpleNamespace(title='Start', is_page=False, children=pages)]))
    listed = '\n## Start\n\n- [First](first.md): The "first" page.\n- [Names](api/names.md): All.\n'
    assert hooks.list_pages() == listed
    assert hooks.join_pages() == '\n---\n\n<!-- first.md -->\n\n# First\n\nThe "first" page.\n'


def test_the_names_of_the_front_door_are_links() -> None:
    row = '| [`agent`](agent.md) | `Agent`, `End` |'
    assert hooks.link_names(row) == (
        '| [`agent`](agent.md) | [`Agent`][pydantic_llm.Agent], [`End`][pydantic_llm.End] |'
    )
