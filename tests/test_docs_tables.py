"""The tables of the documentation list exactly the names in the code."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import pydantic_llm
from pydantic_llm import (
    BinaryContent,
    ModelRequest,
    ModelRequestParameters,
    ToolDefinition,
    UserError,
    exceptions,
    infer_model,
)
from pydantic_llm.agent import RunOptions, ToolOptions
from pydantic_llm.models.anthropic import AnthropicModelSettings
from pydantic_llm.models.bedrock import BedrockModelSettings
from pydantic_llm.models.cohere import CohereModelSettings
from pydantic_llm.models.gemini import GeminiModelSettings
from pydantic_llm.models.groq import GroqModelSettings
from pydantic_llm.models.huggingface import HuggingFaceModelSettings
from pydantic_llm.models.litellm import LiteLLMModelSettings
from pydantic_llm.models.mistral import MistralModelSettings
from pydantic_llm.models.openai import OpenAIChatModelSettings, OpenAIResponsesModelSettings
from pydantic_llm.models.openai.responses.native_fields import NATIVE_ITEMS
from pydantic_llm.models.openai.responses.native_items import RESULT_ITEMS
from pydantic_llm.models.transformers import TransformersModelSettings
from pydantic_llm.models.vllm import VLLMModelSettings
from pydantic_llm.native_tools import (
    CodeExecutionTool,
    FileSearchTool,
    ImageGenerationTool,
    MCPServerTool,
    MemoryTool,
    NativeTool,
    WebFetchTool,
    WebSearchTool,
)
from pydantic_llm.profiles.caching import AUTOMATIC_CACHES
from pydantic_llm.profiles.thinking import TOKENS
from pydantic_llm.providers.registry import ALIASES, PROVIDERS, SERVICES, Service
from pydantic_llm.serve import Fault
from pydantic_llm.serve.protocols import PROTOCOLS
from pydantic_llm.settings import ModelSettings
from pydantic_llm.streaming.text_calls import CALL_FORMATS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / 'docs'
VENDORS = sorted((DOCS / 'vendors').glob('*.md'))
HEADINGS = [
    'Install',
    'Key',
    'First call',
    'Streaming',
    'Thinking and tools',
    'Settings',
    "What it can't do",
]
"""The headings of a vendor's page."""

CODE = re.compile(r'`([^`]+)`')


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding='utf-8')


def rows_of(page: str, head: str) -> list[list[str]]:
    """Return the cells of each row of the table whose first line starts with `head`."""
    _, found, rest = page.partition(f'\n{head}')
    assert found, f'there is no table that starts with {head!r}'
    lines = rest.split('\n\n')[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip().strip('|').split(' |')] for line in lines]


def names_in(rows: list[list[str]]) -> list[str]:
    """Return the code in the first cells."""
    return [name for row in rows for name in CODE.findall(row[0])]


def own_settings(settings: Any) -> list[str]:
    return sorted(settings.__annotations__.keys() - ModelSettings.__annotations__.keys())


def test_every_shared_setting_has_a_row() -> None:
    names = names_in(rows_of(page('settings.md'), '| setting |'))
    assert sorted(names) == sorted(ModelSettings.__annotations__)


def test_every_setting_of_anthropic_has_a_row() -> None:
    names = names_in(rows_of(page('vendors/anthropic.md'), '| setting |'))
    assert sorted(names) == own_settings(AnthropicModelSettings)


@pytest.mark.parametrize(
    ('settings', 'name'),
    [
        (GroqModelSettings, 'groq'),
        (HuggingFaceModelSettings, 'huggingface'),
        (LiteLLMModelSettings, 'litellm'),
        (MistralModelSettings, 'mistral'),
    ],
)
def test_every_setting_of_a_dialect_has_a_row(settings: Any, name: str) -> None:
    names = names_in(rows_of(page(f'vendors/{name}.md'), '| setting |'))
    assert sorted(names) == own_settings(settings)


def test_every_setting_of_bedrock_has_a_row() -> None:
    names = names_in(rows_of(page('vendors/bedrock.md'), '| setting |'))
    assert sorted(names) == own_settings(BedrockModelSettings)


def test_every_setting_of_cohere_has_a_row() -> None:
    names = names_in(rows_of(page('vendors/cohere.md'), '| setting |'))
    assert sorted(names) == own_settings(CohereModelSettings)


def test_every_setting_of_transformers_has_a_row() -> None:
    names = names_in(rows_of(page('vendors/transformers.md'), '| setting |'))
    assert sorted(names) == own_settings(TransformersModelSettings)


def test_every_format_of_tool_calls_has_a_row() -> None:
    rows = rows_of(page('vendors/transformers.md'), '| `tool_format` | written by |')
    assert sorted(names_in(rows)) == sorted(CALL_FORMATS)


def test_every_setting_of_vllm_has_a_row() -> None:
    names = names_in(rows_of(page('vendors/vllm.md'), '| setting |'))
    assert sorted(names) == own_settings(VLLMModelSettings)


def test_every_setting_of_gemini_has_a_row() -> None:
    names = names_in(rows_of(page('vendors/gemini.md'), '| setting |'))
    assert sorted(names) == own_settings(GeminiModelSettings)


@pytest.mark.parametrize(('settings', 'column'), [(OpenAIChatModelSettings, 2), (OpenAIResponsesModelSettings, 3)])
def test_every_setting_of_openai_has_a_row_with_its_apis(settings: Any, column: int) -> None:
    rows = rows_of(page('vendors/openai.md'), '| setting |')
    names = names_in([row for row in rows if row[column : column + 1] == ['yes']])
    assert sorted(names) == own_settings(settings)


def test_every_item_of_openais_tools_has_a_row() -> None:
    tools = page('vendors/openai.md')
    assert sorted(names_in(rows_of(tools, '| item |'))) == sorted(NATIVE_ITEMS)
    pending = {name for name in names_in(rows_of(tools, '| pending call |')) if '=' not in name}
    assert pending == RESULT_ITEMS.keys()


def row_of(service: Service) -> str:
    keys = '<br>'.join(f'`{variable}`' for variable in service.key_variables)
    addresses = (service.base_url, *service.url_variables, *service.place_variables)
    cell = '<br>'.join(f'`{address}`' for address in addresses)
    needed = '' if service.needs_key else '<br>(not needed)'
    title = f'{service.title}<br>`{PROVIDERS[service.name]}`' if service.name in PROVIDERS else service.title
    return f'| `{service.name}:` | {title} | {keys}{needed} | {cell} |'


def test_every_compatible_service_has_a_row() -> None:
    lines = page('vendors/compatible.md').partition('| prefix |')[2].split('\n\n')[0].splitlines()[2:]
    assert lines == [row_of(service) for service in SERVICES.values()]


def test_every_alias_of_a_service_is_listed() -> None:
    before = page('vendors/compatible.md').partition(' are other names of these services.')[0]
    assert CODE.findall(before.rpartition('\n\n')[2]) == [
        f'{name}:' for name, service in ALIASES.items() if service in SERVICES
    ]


@pytest.mark.parametrize('path', VENDORS, ids=lambda path: path.stem)
def test_a_vendors_page_has_the_seven_headings(path: Path) -> None:
    assert re.findall(r'^## (.*)$', path.read_text(encoding='utf-8'), re.MULTILINE) == HEADINGS


def test_every_path_of_the_gateway_has_a_row() -> None:
    rows = rows_of(page('serve.md'), '| clients of |')
    assert [CODE.findall(row[2]) for row in rows] == [list(protocol.paths) for protocol in PROTOCOLS]


def test_every_fault_has_a_row() -> None:
    names = names_in(rows_of(page('testing.md'), '| `Fault(...)` |'))
    assert sorted(names) == sorted(field.name for field in fields(Fault))


def test_every_option_of_a_tool_has_a_row() -> None:
    names = names_in(rows_of(page('agents.md'), '| option | means'))
    assert sorted(names) == sorted(ToolOptions.__annotations__)


def test_every_option_of_a_run_has_a_row() -> None:
    names = names_in(rows_of(page('agents.md'), '| option | is'))
    assert sorted(names) == sorted(RunOptions.__annotations__)


def test_every_error_is_in_the_tree() -> None:
    tree = page('errors.md').partition('```text\n')[2].partition('```')[0]
    raised_by_tools = {'ApprovalRequired', 'CallDeferred', 'ModelRetry', 'ToolFailed'}
    raised = [name for name in exceptions.__all__ if not name.endswith('Warning')]
    assert sorted([*re.findall(r'(?m)^[│├└─ ]*(\w+)', tree), *raised_by_tools]) == sorted(raised)


def test_every_name_of_the_front_door_is_listed() -> None:
    rows = rows_of(page('api/front-door.md'), '| from |')
    listed = [name for row in rows for name in CODE.findall(row[1])]
    assert sorted(listed) == sorted(set(pydantic_llm.__all__) - {'__version__'})


def test_every_page_of_the_reference_is_listed() -> None:
    linked = [link for row in rows_of(page('api.md'), '| module |') for link in re.findall(r'\((.*?)\)', row[0])]
    assert sorted(linked) == sorted(f'api/{path.name}' for path in (DOCS / 'api').glob('*.md'))


# ---------------------------------------------------------------------- README.md, which the package index shows too


@pytest.mark.parametrize('map', [DOCS / 'architecture.md', ROOT / 'CONTRIBUTING.md'], ids=lambda path: path.name)
def test_both_maps_of_the_package_name_every_folder(map: Path) -> None:
    folders = [folder.name for folder in (ROOT / 'pydantic_llm').iterdir() if (folder / '__init__.py').is_file()]
    text = map.read_text(encoding='utf-8')
    assert [name for name in folders if f'{name}/' not in text] == []


def test_the_map_of_the_transport_names_modules_that_exist() -> None:
    _, _, table = (DOCS / 'architecture.md').read_text(encoding='utf-8').partition('| module in `transport/` |')
    names = re.findall(r'`(\w+\.py)`', table.partition('\n\n')[0])
    assert [name for name in names if not (ROOT / 'pydantic_llm' / 'transport' / name).is_file()] == []


def test_the_links_of_the_readme_are_absolute_and_lead_to_files() -> None:
    text = re.sub(r'(?s)```.*?```', '', (ROOT / 'README.md').read_text())
    homepage = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']['urls']['Homepage']
    targets = dict(re.findall(r'(?m)^\[([^\]]+)\]: (.*)$', text))
    used = re.findall(r'\[([^\]]+)\]', re.sub(r'(?m)^\[.*$', '', text))
    assert sorted({label.lower() for label in used}) == sorted(targets)
    assert [
        link for link in targets.values() if not (ROOT / link.removeprefix(f'{homepage}/blob/main/')).is_file()
    ] == []
    assert '](' not in text


def test_the_levels_of_thinking_have_the_tokens_of_the_code() -> None:
    rows = rows_of(page('settings.md'), '| level | tokens |')
    assert {name: int(row[1].replace(',', '')) for row in rows for name in CODE.findall(row[0])} == TOKENS


def test_the_vendors_that_cache_by_themselves_are_those_of_the_code() -> None:
    rows = [row for row in rows_of(page('caching.md'), '| API | is sent |') if row[1].startswith('nothing: they cache')]
    asked = {'azure', 'openai'}  # for a place in the cache: they have rows of their own
    assert {*names_in(rows)} == AUTOMATIC_CACHES.keys() - asked


# ------------------------------------------------------------------- what the APIs take, by what a request would send

API_MODELS = {
    'openai-responses:': 'gpt-6.2-sol',
    'openai:': 'gpt-5.4-mini',
    'anthropic:': 'claude-sonnet-5-5',
    'google-gla:': 'gemini-3.8-flash',
    'bedrock:': 'us.anthropic.claude-sonnet-5-5',
    'mistral:': 'mistral-medium-latest',
    'cohere:': 'command-a-plus-05-2026',
    'groq:': 'groq/compound',
    'huggingface:': 'Qwen/Qwen3-32B',
}
FILES = {
    'image': BinaryContent(b'\x89PNG\r\n\x1a\n', media_type='image/png'),
    'PDF': BinaryContent(b'%PDF-', media_type='application/pdf'),
    'text file': BinaryContent(b'text', media_type='text/plain'),
    'audio': BinaryContent(b'RIFF', media_type='audio/wav'),
    'video': BinaryContent(b'video', media_type='video/mp4'),
}
NATIVE_TOOLS: list[NativeTool] = [
    WebSearchTool(),
    WebFetchTool(),
    CodeExecutionTool(),
    FileSearchTool(['store']),
    ImageGenerationTool(),
    MemoryTool(),
    MCPServerTool('id', 'https://mcp.example'),
]


def takes(prefix: str, *content: Any, native_tools: Sequence[NativeTool] = ()) -> str:
    """Return 'yes' if the API has a place for this, 'no' if the request would be a `UserError`."""
    model = infer_model(f'{prefix}{API_MODELS[prefix]}', api_key='k')
    memory = [ToolDefinition(name='memory')] if any(isinstance(tool, MemoryTool) for tool in native_tools) else []
    parameters = ModelRequestParameters(native_tools=[*native_tools], function_tools=memory)
    try:
        model.describe_request([ModelRequest.user_text_prompt(['Hello', *content])], None, parameters)
    except UserError:
        return 'no'
    return 'yes'


def test_the_table_of_files_is_what_the_apis_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('AWS_DEFAULT_REGION', 'us-east-1')
    rows = rows_of(page('media.md'), '| API | image |')
    assert [names_in([row])[0] for row in rows] == list(API_MODELS)
    for row in rows:
        assert (row[0], row[1:]) == (row[0], [takes(names_in([row])[0], file) for file in FILES.values()])


def test_the_table_of_native_tools_is_what_the_apis_have() -> None:
    head, _, *_ = page('native-tools.md').partition('| tool |')[2].splitlines()
    rows = rows_of(page('native-tools.md'), '| tool |')
    assert names_in(rows) == [type(tool).__name__ for tool in NATIVE_TOOLS]
    for row, tool in zip(rows, NATIVE_TOOLS, strict=True):
        assert (row[0], row[1:]) == (row[0], [takes(prefix, native_tools=[tool]) for prefix in CODE.findall(head)])


# -------------------------------------------------------------------------------------------------- names of models

MODEL_NAMES = re.compile(
    r"\b(?:openai(?:-responses)?:|azure(?:-responses)?:|anthropic:|(?:OpenAI\w*|Anthropic)Model\(')([\w.-]+)"
)


def deprecated_names() -> set[str]:
    """Return the names that the vendors' packages call deprecated."""
    openai = pytest.importorskip('openai')
    anthropic = pytest.importorskip('anthropic.resources.messages.messages')
    source = (Path(openai.__file__).parent / 'types' / 'shared' / 'chat_model.py').read_text(encoding='utf-8')
    return {*re.findall(r'"([\w.-]+)"', source.partition('Deprecated values')[2]), *anthropic.DEPRECATED_MODELS}


def test_no_page_and_no_example_uses_a_model_that_its_vendor_retires() -> None:
    deprecated = deprecated_names()
    assert {'gpt-4o', 'claude-sonnet-4-5'} <= deprecated
    files = [ROOT / 'README.md', *DOCS.rglob('*.md'), *(ROOT / 'examples').iterdir()]
    used = {path.name: {*MODEL_NAMES.findall(path.read_text(encoding='utf-8'))} & deprecated for path in files}
    assert {name: names for name, names in used.items() if names} == {}
