"""Programs for another library run with this one, with only its name replaced.

They are not part of the project. They are read from the folder in `PYDANTIC_LLM_SEEDS`, or from `shared/seeds` next to
the repository; if neither exists, the tests are skipped with a reason.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pydantic_llm.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, ToolCallPart, UserPromptPart
from pydantic_llm.models import Model
from pydantic_llm.models.function import AgentInfo, FunctionModel
from pydantic_llm.serve import LocalServer, create_app
from pydantic_llm.usage import RequestUsage
from tests.providers.google_cloud import Cloud, service_account

FOLDER = Path(os.environ.get('PYDANTIC_LLM_SEEDS') or Path(__file__).parents[2] / 'shared' / 'seeds')
MODELS, HUGGINGFACE = FOLDER / '002_80fe57c49a63e27a.txt', FOLDER / '003_7fe5bb29643eff92.txt'
MISSING = f'{FOLDER} has no programs; PYDANTIC_LLM_SEEDS can name another folder'

FENCED = re.compile(r'^```[^\n]*\n(.*?)^```$', re.MULTILINE | re.DOTALL)
OUR_MODULES = re.compile(r'^from (pydantic_llm[\w.]*) import', re.MULTILINE)
LOCAL_ADDRESS = re.compile(r'http://[\d.a-z]+:11434')
"""The address at which the programs expect Ollama."""

KEYS = (
    *('OPENAI_API_KEY', 'ANTHROPIC_API_KEY', 'GEMINI_API_KEY', 'GROQ_API_KEY', 'MISTRAL_API_KEY', 'CO_API_KEY'),
    *('AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'),
)
"""The variables that the programs require."""


@dataclass(frozen=True)
class Program:
    """One program; `number` is its position in the document."""

    number: int
    code: str

    @property
    def sends_requests(self) -> bool:
        """Whether it sends requests, and does not only build a model."""
        return 'run_sync(' in self.code

    @property
    def missing_modules(self) -> list[str]:
        """The modules of this package that it imports and that do not exist."""
        return [name for name in OUR_MODULES.findall(self.code) if find_spec(name) is None]

    def run(self, **replacements: str) -> dict[str, Any]:
        """Run it, with texts of its code replaced, and return its namespace."""
        code = self.code
        for old, new in replacements.items():
            code = code.replace(old, new)
        names: dict[str, Any] = {'__name__': f'program_{self.number}'}
        exec(compile(code, f'program {self.number}', 'exec'), names)
        return names


def programs() -> list[Program]:
    """Return the programs of the document on models, each once."""
    if not MODELS.is_file():
        return []
    blocks = dict.fromkeys(FENCED.findall(MODELS.read_text(encoding='utf-8')))
    codes = [block.replace('pydantic_ai', 'pydantic_llm') for block in blocks if is_program(block)]
    return [Program(number, code) for number, code in enumerate(codes)]


def is_program(block: str) -> bool:
    try:
        ast.parse(block)
    except SyntaxError:
        return False
    return 'from pydantic_ai' in block


PROGRAMS = programs()


def cases(wanted: Callable[[Program], bool]) -> list[Any]:
    """Return the programs as parameters of a test, or one that is skipped with a reason."""
    if not PROGRAMS:
        return [pytest.param(None, marks=pytest.mark.skip(reason=MISSING), id='no-programs')]
    return [case(program) for program in PROGRAMS if wanted(program)]


def case(program: Program) -> Any:
    missing = program.missing_modules
    marks = [pytest.mark.skip(reason=f'{", ".join(missing)} does not exist yet')] if missing else []
    return pytest.param(program, marks=marks, id=f'{program.number}-{name_of(program)}')


def name_of(program: Program) -> str:
    """Return the name of the program's model."""
    if found := re.search(r"Agent\('[\w-]+:([^']+)'", program.code):
        return found[1]
    found = re.search(r"\w+Model\(\s*(?:model_name=)?'([^']+)'", program.code)
    return found[1] if found else 'none'


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Set the variables that the programs need, and write the file that one of them reads."""
    for variable in list(os.environ):
        if variable.endswith(('_BASE_URL', '_API_BASE', '_API_KEY')) or variable.startswith(('AWS_', 'GOOGLE_')):
            monkeypatch.delenv(variable)
    for variable in KEYS:
        monkeypatch.setenv(variable, 'your-api-key')
    monkeypatch.setenv('AWS_REGION', 'us-east-1')
    account = tmp_path / 'path' / 'to' / 'service-account.json'
    account.parent.mkdir(parents=True)
    account.write_text(json.dumps(service_account(Cloud())), encoding='utf-8')
    monkeypatch.chdir(tmp_path)


@pytest.mark.skipif(not PROGRAMS, reason=MISSING)
def test_the_programs_are_found() -> None:
    assert len(PROGRAMS) > 30
    assert sum(program.sends_requests for program in PROGRAMS) > 3


# ------------------------------------------------------------------------------------------- programs without requests


@pytest.mark.parametrize('program', cases(lambda program: not program.sends_requests))
def test_a_program_builds_its_agent(program: Program) -> None:
    model = program.run()['agent'].model
    assert isinstance(model, Model)
    assert model.model_name == name_of(program)


# --------------------------------------------------------------------------------------------- programs with requests


def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Return the city of the Olympics if there is a tool, else a capital."""
    usage = RequestUsage(input_tokens=57, output_tokens=8)
    if info.function_tools:
        city = ToolCallPart(info.function_tools[0].name, '{"city": "London", "country": "United Kingdom"}')
        return ModelResponse([city], usage=usage, finish_reason='tool_call')
    return ModelResponse([TextPart('Paris')], usage=usage, finish_reason='stop')


@pytest.fixture
def vendors(monkeypatch: pytest.MonkeyPatch) -> Generator[str]:
    """Run a server for OpenAI, Anthropic and Ollama, for which the invalid key of the programs is invalid too."""
    with LocalServer(create_app(FunctionModel(respond, model_name='llama3.2'), key='your-api-key')) as url:
        monkeypatch.setenv('OPENAI_BASE_URL', f'{url}/v1')
        monkeypatch.setenv('ANTHROPIC_BASE_URL', url)
        yield url


def expected_output(program: Program) -> str:
    """Return the output that the program shows for its first `print`."""
    found = re.search(r'^#> (.*)$', program.code, re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.mark.parametrize('program', cases(lambda program: 'CityLocation' in program.code))
def test_a_program_gets_its_object_from_its_own_server(
    program: Program, vendors: str, capsys: pytest.CaptureFixture[str]
) -> None:
    address = LOCAL_ADDRESS.search(program.code)
    assert address is not None
    result = program.run(**{address[0]: vendors})['result']
    assert capsys.readouterr().out.splitlines()[0] == expected_output(program)
    counts = {name: int(count) for name, count in re.findall(r'(\w+)=(\d+)', program.code.rpartition('Usage(')[2])}
    assert counts == {'requests': 1, 'request_tokens': 57, 'response_tokens': 8, 'total_tokens': 65}
    assert {name: getattr(result.usage(), name) for name in counts} == counts
    assert result.data == result.output


def fails(program: Program) -> bool:
    """Return whether all models of the program fail."""
    return program.code.count("api_key='not-valid'") == 2


@pytest.mark.parametrize('program', cases(lambda program: 'FallbackModel' in program.code and not fails(program)))
def test_a_program_falls_back_to_another_vendor(
    program: Program, vendors: str, capsys: pytest.CaptureFixture[str]
) -> None:
    response = program.run()['response']
    assert capsys.readouterr().out.splitlines()[0] == expected_output(program) == response.data
    request, reply = response.all_messages()
    assert isinstance(request, ModelRequest)
    assert isinstance(reply, ModelResponse)
    assert [(part.part_kind, part.content) for part in request.parts if isinstance(part, UserPromptPart)] == [
        ('user-prompt', 'What is the capital of France?')
    ]
    assert [(part.part_kind, part.content) for part in reply.parts if isinstance(part, TextPart)] == [('text', 'Paris')]
    assert (request.kind, reply.kind, reply.provider_name) == ('request', 'response', 'anthropic')


@pytest.mark.parametrize('program', cases(fails))
def test_a_program_gets_the_errors_of_all_vendors(
    program: Program, vendors: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    provide_exceptiongroup(monkeypatch)
    program.run()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(' answered ')[0] for line in lines] == ['gpt-4o', 'claude-3-5-sonnet-latest']
    assert all(' 401 ' in line for line in lines)


def provide_exceptiongroup(monkeypatch: pytest.MonkeyPatch) -> None:
    """Provide the part of the backport of `except*` that the programs use, so that it need not be installed."""

    @contextmanager
    def catch(handlers: Mapping[type[Exception], Callable[[BaseExceptionGroup[Any]], None]]) -> Iterator[None]:
        try:
            yield
        except BaseExceptionGroup as group:
            rest: BaseExceptionGroup[Any] | None = group
            for kind, handler in handlers.items():
                caught, rest = rest.split(kind) if rest is not None else (None, None)
                if caught is not None:
                    handler(caught)
            if rest is not None:
                raise rest from None

    if find_spec('exceptiongroup') is None:
        module = ModuleType('exceptiongroup')
        vars(module)['catch'] = catch
        monkeypatch.setitem(sys.modules, 'exceptiongroup', module)


@pytest.mark.skipif(not PROGRAMS, reason=MISSING)
def test_every_program_with_requests_is_checked() -> None:
    checked = [program for program in PROGRAMS if 'CityLocation' in program.code or 'FallbackModel' in program.code]
    assert [program.number for program in PROGRAMS if program.sends_requests] == [program.number for program in checked]


# -------------------------------------------------------------------------------------------------- Hugging Face's page


@pytest.mark.skipif(not HUGGINGFACE.is_file(), reason=MISSING)
@pytest.mark.skipif(find_spec('pydantic_llm.models.huggingface') is None, reason='it does not exist yet')
def test_the_names_of_the_page_on_hugging_face_exist() -> None:
    page = HUGGINGFACE.read_text(encoding='utf-8')
    module = importlib.import_module('pydantic_llm.models.huggingface')
    names = re.findall(r'^### (\w+)', page, re.MULTILINE)
    parameters = re.findall(r'^`(\w+)` \|', page.partition('Parameters:')[2], re.MULTILINE)
    members = re.findall(r'^#### (\w+)', page, re.MULTILINE)
    assert (names, parameters) == (
        ['HuggingFaceModelSettings', 'HuggingFaceModel'],
        ['model_name', 'provider', 'profile', 'settings'],
    )
    assert [name for name in names if not hasattr(module, name)] == []
    assert [name for name in members if not hasattr(module.HuggingFaceModel, name)] == []
    assert [name for name in parameters if name not in signature(module.HuggingFaceModel).parameters] == []
