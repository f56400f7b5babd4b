"""Every public name of pydantic-ai is here under the same name, or in the tables of the page "From pydantic-ai"."""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pydantic_llm
from pydantic_llm.tools.options import ToolOptions

FOLDER = Path(__file__).parent
STORED = json.loads((FOLDER / 'names.json').read_text())
"""The names of pydantic-ai, by module: `__all__`, or what a module without it defines."""

PAGE = (FOLDER.parents[1] / 'docs' / 'from-pydantic-ai.md').read_text(encoding='utf-8')
CODE = re.compile(r'`([^`]+)`')
NAME = re.compile(r'[A-Z_a-z][\w.]*')


def read_rows() -> Iterator[tuple[list[str], list[str]]]:
    """Yield the names in both cells of each row of the tables with names."""
    tables = PAGE.partition('## Names that are not here')[2]
    for line in tables.splitlines():
        if line.startswith('| `'):
            theirs, ours = line.strip('| ').split(' | ')
            yield CODE.findall(theirs), CODE.findall(ours)


ROWS = [*read_rows()]
LISTED = [name for theirs, _ in ROWS for name in theirs]


@pytest.mark.parametrize('module', STORED['modules'])
def test_every_name_is_here_or_in_a_table(module: str) -> None:
    ours = module.replace('pydantic_ai', 'pydantic_llm')
    own: object = None
    try:
        own = importlib.import_module(ours)
    except ImportError as error:
        if error.name is None or not error.name.startswith('pydantic_llm'):
            pytest.skip(f'needs {error.name}')
    names = STORED['modules'][module]
    assert [name for name in names if not hasattr(own, name) and name not in LISTED] == []


def test_the_settings_of_google_are_those_of_gemini_and_the_other_names_of_them() -> None:
    from pydantic_llm.models.gemini import GeminiModelSettings
    from pydantic_llm.models.gemini.settings import GOOGLE_NAMES
    from pydantic_llm.models.google import GoogleModelSettings

    assert GoogleModelSettings.__annotations__.keys() == GeminiModelSettings.__annotations__.keys() | GOOGLE_NAMES


@pytest.mark.parametrize('module', ['cerebras', 'crusoe', 'ollama', 'openrouter', 'snowflake', 'xai', 'zai'])
def test_a_class_named_after_a_service_uses_its_provider(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from pydantic_llm.models.openai import OpenAIChatModel
    from pydantic_llm.providers.registry import ALIASES, SERVICES

    own = importlib.import_module(f'pydantic_llm.models.{module}')
    (name,) = (name for name in STORED['modules'][f'pydantic_ai.models.{module}'] if name.endswith('Model'))
    service = SERVICES[ALIASES.get(module, module)]
    for variable in (*service.key_variables, *service.place_variables):
        monkeypatch.setenv(variable, 'a-value')
    model = getattr(own, name)('some-model')
    assert isinstance(model, OpenAIChatModel)
    assert model.system == service.name
    assert model.base_url == OpenAIChatModel('some-model', provider=service.name).base_url


ATTRIBUTES = PAGE.partition('## Parameters and attributes')[2].partition('\n## ')[0]
LISTED_ATTRIBUTES = {name for line in ATTRIBUTES.splitlines() for name in CODE.findall(line.rpartition(' | ')[0])}
HOMES = ('', '.models.test', '.models.function', '.models.fallback', '.agent', '.embeddings')


def find_class(name: str) -> Any:
    modules = [importlib.import_module(f'pydantic_llm{home}') for home in HOMES]
    return next(getattr(module, name) for module in modules if hasattr(module, name))


@pytest.mark.parametrize('path', STORED['parameters'])
def test_every_parameter_is_here_or_in_the_table(path: str) -> None:
    owner, _, method = path.partition('.')
    called = getattr(find_class(owner), method) if method else find_class(owner)
    own = {*inspect.signature(called).parameters}
    if 'options' in own:
        own |= ToolOptions.__annotations__.keys()
    names = STORED['parameters'][path]
    assert [name for name in names if name not in own | LISTED_ATTRIBUTES] == []


@pytest.mark.parametrize('owner', STORED['members'])
def test_every_attribute_is_here_or_in_the_table(owner: str) -> None:
    kind = find_class(owner)
    own = {name for base in kind.__mro__ for name in (*vars(base), *getattr(base, '__annotations__', ()))}
    names = STORED['members'][owner]
    assert [name for name in names if name not in own | LISTED_ATTRIBUTES] == []


def test_the_table_of_parameters_lists_only_names_of_pydantic_ai() -> None:
    known = {name for kind in ('parameters', 'members') for names in STORED[kind].values() for name in names}
    classes = {name for names in STORED['modules'].values() for name in names}
    assert sorted(LISTED_ATTRIBUTES - known - classes - {'to_cli', 'to_cli_sync', 'to_web'}) == []


def test_a_table_lists_only_names_of_pydantic_ai_and_each_once() -> None:
    known = {name for names in STORED['modules'].values() for name in names}
    assert sorted(set(LISTED) - known) == []
    assert sorted(LISTED) == sorted(set(LISTED))


def find(path: str) -> Any:
    """Return what a name of this package refers to: `Agent`, `exceptions.RateLimitError`, `ModelResponse.state`."""
    module, _, name = path.rpartition('.')
    if module and module[0].islower():
        return getattr(importlib.import_module(f'pydantic_llm.{module}'), name)
    value: Any = pydantic_llm
    for part in path.split('.'):
        fields = getattr(value, '__dataclass_fields__', {})
        value = fields[part] if part in fields and not hasattr(value, part) else getattr(value, part)
    return value


OURS = sorted(
    {name for _, ours in ROWS for name in ours if NAME.fullmatch(name) and (name[0].isupper() or '.' in name)}
)
FOREIGN = ('TypeVar', 'ParamSpec', 'Literal', 'Enum', 'Field', 'asyncio.timeout', 'toolset.filtered')
"""Names of the tables that are not of this package."""


@pytest.mark.parametrize('name', [name for name in OURS if name not in FOREIGN])
def test_the_name_that_a_table_gives_is_here(name: str) -> None:
    if name.startswith('mcp.'):
        pytest.importorskip('mcp', reason="MCP needs the extra 'mcp'")
    assert find(name) is not None


def test_the_version_of_the_names_is_the_one_on_the_page() -> None:
    assert f'pydantic-ai {STORED["version"].rpartition(".")[0]}' in PAGE
