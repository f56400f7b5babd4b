"""The shape of the code, held by a failing test: budgets, who may import whom, rooms, names and docstrings.

Reads the sources with `ast`; only the front door is imported, in an interpreter of its own. The tables come first, the
tests below them follow their order, and the reading of sources is at the end.
"""

from __future__ import annotations

import ast
import inspect
import io
import json
import re
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / 'pydantic_llm'
MODELS = PACKAGE / 'models'

# ---------------------------------------------------------------------------------------------------------- the tables

ROOM_FILE_LINES = 300
FILE_LINES = 600
FUNCTION_LINES = 50
AGENT_FILE_LINES = 400
AGENT_FUNCTION_LINES = 40

WIRE_ROOMS = ('openai.chat', 'openai.responses', 'anthropic', 'gemini', 'cohere', 'bedrock')
DIALECTS = ('groq', 'mistral', 'huggingface', 'litellm')
ENGINES = ('transformers', 'vllm', 'mlx', 'llamacpp')
SHARED_BY_ENGINES = ('local',)  # no room either
AROUND_MODELS = ('cached', 'fallback', 'router', 'limits', 'recorded', 'instrumented')  # models around models
TEST_DOUBLES = ('test',)
VENDOR_FOLDERS = ('openai',)
"""Folders that hold rooms, and what these rooms share."""

ROOMS = (*WIRE_ROOMS, *DIALECTS, *ENGINES)
HOMES = (*ROOMS, *VENDOR_FOLDERS, *SHARED_BY_ENGINES)
"""What a module below `pydantic_llm.models` can lie in, the deepest first."""

ROOM_FILES = {
    **dict.fromkeys(WIRE_ROOMS, ('__init__', 'model', 'settings', 'encode', 'decode', 'serve')),
    **dict.fromkeys(DIALECTS, ('__init__', 'model', 'dialect')),
    **dict.fromkeys(ENGINES, ('__init__', 'model')),
}
PURE_FILES = ('encode', 'decode', 'serve', 'native_tools')
"""And the files that one of these was split into: `encode_tools`, `decode_items`."""

EXTRA_OF_FOLDER = {'gemini': 'google'}
"""The extra of a folder of models, where it is not called like the folder."""

FRAMEWORKS = {
    'smolagents': 'smolagents',
    'langchain': 'langchain_core',
    'pydantic-ai': 'pydantic_ai',
    'litellm': 'litellm',
}
"""The extras of bridges to other frameworks, and what they install."""

EXTRAS_WITHOUT_A_ROOM = (
    'all',
    'fast',
    'serve',
    'cli',
    'prices',
    'redis',
    'otel',
    'mcp',
    'parquet',
    'ray',
    'testing',
    'sentence-transformers',
    *FRAMEWORKS,
)

VENDORS = (
    'anthropic boto3 botocore cohere genai_prices google groq huggingface_hub litellm llama_cpp llguidance mistralai '
    'mlx mlx_lm openai opentelemetry pydantic_ai smolagents langchain_core starlette torch transformers uvicorn vllm'
).split()
FRAMEWORK_MODULE = re.compile(r'(smolagents|langchain_core|pydantic_ai)(\.\w+)*')
IO_MODULES = (
    'aiohttp anyio asyncio concurrent http httpcore httpx httpx2 multiprocessing os pathlib random requests selectors '
    'signal socket ssl subprocess tempfile threading time urllib.request urllib3'
).split()

CLOCKS = ('now', 'utcnow', 'today')

VALUES = (
    '_checks _deferred_schemas _extras _type_checks json_types messages settings usage prices cost exceptions '
    'rate_limits constraints native_tools '
    'observers retries.policy tools.definition'
).split()
STRANGERS = {
    'providers': ('models', 'agent', 'direct', 'serve', 'cli'),
    'profiles': ('models', 'providers', 'transport', 'agent', 'direct', 'serve', 'cli'),
    'transport': ('models', 'agent', 'direct', 'serve', 'cli'),
}
"""What these parts of the package must not know."""
AGENT_USERS = ('agent', 'output', 'result', 'run', 'cli', 'demo', 'many', 'serve', 'testing', '__main__')
LAZY_AGENT_USERS = ('pydantic_llm', 'pydantic_llm.direct')
"""May import the agent when they are called, but not when they are imported."""

NOT_IMPORTED_BY_THE_FRONT_DOOR = (
    'openai anthropic httpx httpx2 opentelemetry boto3 groq mistralai cohere torch starlette pydantic_llm.agent'
).split()

OTHER_NAMES = tuple(f'models.{name}' for name in 'cerebras crusoe google ollama openrouter snowflake xai zai'.split())
"""The modules of models with the names that pydantic-ai has for a room: they know that room."""

NAMES_THAT_SAY_NOTHING = ('utils', 'util', 'helpers', 'helper', 'common', 'misc')
SIZE_RULES = re.compile(r'\b(C901|E501|PLR09\d\d|PLR1702|PLR09|PLR0|PLR|C90|PL)\b')


def for_each_file(check: Callable[[Any], None]) -> Callable[[], None]:
    """Make a test of a check of one file. It checks all files that the name of the argument stands for (see `FILES`).

    A test for each of 9,000 pairs of a check and a file would take longer than the checks do.
    """
    [name] = inspect.signature(check).parameters

    def test() -> None:
        failures = {str(file): failure_of(check, file) for file in files_called(name)}
        assert failures
        assert {file: failure for file, failure in failures.items() if failure} == {}

    test.__name__, test.__doc__ = check.__name__, check.__doc__
    return test


def failure_of(check: Callable[[Any], None], file: object) -> str | None:
    """Return what a check says of a file, or None if it passes."""
    try:
        check(file)
    except AssertionError as error:
        return str(error) or 'failed'
    return None


@for_each_file
def test_a_room_file_has_at_most_300_lines(room_file: Source) -> None:
    assert len(room_file.lines) <= ROOM_FILE_LINES


@for_each_file
def test_a_file_has_at_most_600_lines(source: Source) -> None:
    assert len(source.lines) <= FILE_LINES


@for_each_file
def test_a_function_has_at_most_50_lines(source: Source) -> None:
    lengths = {f'{node.name}, line {node.lineno}': length_of(node) for node in source.functions()}
    assert {name: length for name, length in lengths.items() if length > FUNCTION_LINES} == {}


@for_each_file
def test_a_file_of_the_agent_has_at_most_400_lines(agent_file: Source) -> None:
    assert len(agent_file.lines) <= AGENT_FILE_LINES


@for_each_file
def test_a_function_of_the_agent_has_at_most_40_lines(agent_file: Source) -> None:
    assert [node.name for node in agent_file.functions() if length_of(node) > AGENT_FUNCTION_LINES] == []


@for_each_file
def test_no_comment_switches_a_size_rule_off(python_file: Source) -> None:
    assert [comment for comment in python_file.comments_with_noqa() if switches_a_size_rule_off(comment)] == []


@for_each_file
def test_a_file_name_says_what_is_in_it(python_file: Source) -> None:
    words = {word.strip('_') for word in python_file.path.relative_to(ROOT).with_suffix('').parts}
    assert words.isdisjoint(NAMES_THAT_SAY_NOTHING)


# ------------------------------------------------------------------------------------------------- who may import whom


@for_each_file
def test_values_know_nobody_outside_the_values(value_file: Source) -> None:
    strangers = [i for i in value_file.imports if i.is_ours and not i.is_under(*ours(*VALUES))]
    assert strangers == []


@for_each_file
def test_values_know_no_vendor_and_no_connection(value_file: Source) -> None:
    assert value_file.imports_of(*VENDORS, 'aiohttp', 'asyncio', 'httpx', 'httpx2', 'socket') == []


@for_each_file
def test_each_part_knows_only_what_it_may_know(part_and_file: tuple[str, Source]) -> None:
    part, file = part_and_file
    assert file.imports_of(*ours(*STRANGERS[part])) == []


@for_each_file
def test_encode_decode_and_serve_import_no_io(pure_file: Source) -> None:
    assert pure_file.imports_of(*IO_MODULES, *VENDORS) == []


@for_each_file
def test_encode_decode_and_serve_know_no_client(pure_file: Source) -> None:
    clients = pure_file.imports_of(*ours('providers', 'transport', 'wire.model', 'agent', 'direct', 'serve'))
    pure = ours('transport.errors', 'transport.error_wording', 'transport.eventstream', 'transport.sse')
    assert [i for i in clients if not i.is_under(*pure)] == []


@for_each_file
def test_encode_decode_and_serve_wait_for_nothing(pure_file: Source) -> None:
    waits = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    assert [node.lineno for node in ast.walk(pure_file.tree) if isinstance(node, waits)] == []


@for_each_file
def test_encode_decode_and_serve_ask_no_clock(pure_file: Source) -> None:
    called = [(ast.unparse(node.func), node.lineno) for node in ast.walk(pure_file.tree) if isinstance(node, ast.Call)]
    assert [(name, line) for name, line in called if name.rpartition('.')[2] in CLOCKS] == []


@for_each_file
def test_a_room_imports_no_other_room(room_file: Source) -> None:
    """But for the dialects, which are made of the chat room."""
    home = home_of(room_file.module)
    assert [i for i in room_file.imports if home_of(i.module) not in (None, *known_to(home))] == []


@for_each_file
def test_what_all_rooms_share_knows_no_room(shared_file: Source) -> None:
    assert [i for i in shared_file.imports if home_of(i.module)] == []


@for_each_file
def test_a_module_of_other_names_knows_one_room(other_names_file: Source) -> None:
    assert len({home_of(i.module) for i in other_names_file.imports} - {None}) == 1


@for_each_file
def test_only_the_agents_users_import_the_agent(not_an_agent_user: Source) -> None:
    allowed = ('lazy', 'typing') if not_an_agent_user.module in LAZY_AGENT_USERS else ()
    assert [i for i in not_an_agent_user.imports_of(*ours('agent')) if i.when not in allowed] == []


@for_each_file
def test_a_name_is_imported_from_its_home_and_not_from_the_front_door(not_an_agent_user: Source) -> None:
    assert [i for i in not_an_agent_user.imports if i.module == 'pydantic_llm'] == []


def test_the_front_door_imports_its_names_lazily() -> None:
    front_door = Source(PACKAGE / '__init__.py')
    assert [i for i in front_door.imports if i.when == 'now' and i.is_ours and not i.is_private] == []


@pytest.mark.parametrize('module', NOT_IMPORTED_BY_THE_FRONT_DOOR)
def test_importing_the_package_does_not_import(module: str) -> None:
    assert module not in modules_after_importing_the_package()


@for_each_file
def test_only_its_bridge_names_a_framework(source: Source) -> None:
    """The bridges load frameworks by name, with `import_framework`; LiteLLM is also a room."""
    assert [
        node.value
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and FRAMEWORK_MODULE.fullmatch(node.value)
    ] == [] or source.is_under('pydantic_llm.ext')


def test_every_framework_has_a_bridge_and_an_extra() -> None:
    bridges = {file.stem for file in (PACKAGE / 'ext').glob('[!_]*.py')}
    assert bridges == {extra.replace('-', '_') for extra in FRAMEWORKS}
    assert FRAMEWORKS.keys() - extras().keys() == set()


@for_each_file
def test_nothing_but_bridges_imports_a_bridge(source: Source) -> None:
    assert source.is_under('pydantic_llm.ext') or source.imports_of(*ours('ext')) == []


# ----------------------------------------------------------------------------------------------------------- the rooms


@pytest.mark.parametrize('room', ROOMS)
def test_a_room_has_its_files(room: str) -> None:
    folder = MODELS.joinpath(*room.split('.'))
    assert [name for name in ROOM_FILES[room] if not (folder / f'{name}.py').is_file()] == []


def test_every_folder_of_models_is_in_the_tables_above() -> None:
    assert model_folders() - {room.split('.')[0] for room in ROOMS} == {
        *SHARED_BY_ENGINES,
        *AROUND_MODELS,
        *TEST_DOUBLES,
    }


def test_every_room_has_its_extra() -> None:
    assert {extra_of(room) for room in ROOMS} - extras().keys() == set()


def test_every_extra_has_its_room() -> None:
    assert extras().keys() - {extra_of(room) for room in ROOMS} - {*EXTRAS_WITHOUT_A_ROOM} == set()


def test_the_extra_all_holds_every_remote_service_but_litellm() -> None:
    """Litellm caps the versions of the vendors' own SDKs."""
    remote = {extra_of(room) for room in (*WIRE_ROOMS, *DIALECTS)} - {'litellm'}
    [requirement] = extras()['all']
    assert requirement.startswith('pydantic-llm[')
    assert {*requirement.removeprefix('pydantic-llm[').removesuffix(']').split(',')} == remote | {'fast'}


def test_every_prefix_names_a_module_of_models() -> None:
    files = {file.stem for file in MODELS.glob('*.py') if not file.stem.startswith('_')}
    modules = {prefix: row['module'].split('.')[0] for prefix, row in names_table().items()}
    assert {prefix: module for prefix, module in modules.items() if module not in model_folders() | files} == {}


def test_every_prefix_asks_for_the_extra_of_its_room_or_for_none() -> None:
    rows = {prefix: row for prefix, row in names_table().items() if row['module'].split('.')[0] in model_folders()}
    wrong = {prefix for prefix, row in rows.items() if row['extra'] not in (None, extra_of(row['module']))}
    assert wrong == set()


def test_every_room_has_a_prefix() -> None:
    named = {row['module'].split('.')[0] for row in names_table().values()}
    assert model_folders() - {*SHARED_BY_ENGINES, *AROUND_MODELS, *TEST_DOUBLES} - named == set()


# -------------------------------------------------------------------------------------------------------------- cycles


CYCLE_OF_VALUES = frozenset({'messages', 'exceptions', 'usage', 'prices', 'cost', '_checks', '_extras', '_type_checks'})
"""An error holds the response that it interrupted; messages and usage raise errors: these parts may form a cycle."""


def test_no_modules_import_each_other_even_for_type_checkers() -> None:
    """Imports inside functions are left out: they run when everything is there."""
    graph = {
        source.module: {i.module for i in source.imports if i.is_ours and i.when != 'lazy'} - {source.module}
        for source in python_files('pydantic_llm')
    }
    cycles = [{part_of(module) for module in cycle} for cycle in find_cycles(graph)]
    assert [cycle for cycle in cycles if not cycle <= CYCLE_OF_VALUES] == []


def part_of(module: str) -> str:
    """Return the part of the package: 'messages' for `pydantic_llm.messages.events`."""
    return module.split('.')[1] if '.' in module else module


def find_cycles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Return the sets of modules that reach each other."""
    reached = {module: reach(module, graph) for module in graph}
    cycles = {frozenset({module, *(o for o in reached[module] if module in reached.get(o, ()))}) for module in graph}
    return [{*cycle} for cycle in cycles if len(cycle) > 1]


def reach(start: str, graph: dict[str, set[str]]) -> set[str]:
    """Return the modules that a module imports, directly or through others."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for module in graph.get(waiting.pop(), ()):
            if module not in found:
                found.add(module)
                waiting.append(module)
    return found


# ---------------------------------------------------------------------------------------------------------- docstrings


@for_each_file
def test_a_module_has_a_docstring(source: Source) -> None:
    assert ast.get_docstring(source.tree)


@for_each_file
def test_a_public_class_function_or_alias_has_a_docstring(source: Source) -> None:
    assert [*undocumented(source.tree.body), *undocumented_values(source.tree)] == []


# -------------------------------------------------------------------------------------------------- reading the sources


When = Literal['now', 'lazy', 'typing']
"""An import runs when the module is imported, when a function is called, or only for type checkers."""


@dataclass(frozen=True)
class Import:
    """One imported module: `module` is absolute, and the deepest one that is known to be a module."""

    module: str
    line: int
    when: When

    @property
    def is_ours(self) -> bool:
        return self.is_under('pydantic_llm')

    @property
    def is_private(self) -> bool:
        return self.module.rpartition('.')[2].startswith('_')

    def is_under(self, *modules: str) -> bool:
        return any(f'{self.module}.'.startswith(f'{module}.') for module in modules)


@dataclass(frozen=True)
class Source:
    """One Python file of the project."""

    path: Path

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT))

    @cached_property
    def module(self) -> str:
        parts = self.path.relative_to(ROOT).with_suffix('').parts
        return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding='utf-8')

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def tree(self) -> ast.Module:
        return parse(self.text)

    @cached_property
    def imports(self) -> list[Import]:
        package = self.module if self.path.name == '__init__.py' else self.module.rpartition('.')[0]
        return [*imports_in(self.tree.body, package, 'now')]

    def is_under(self, *modules: str) -> bool:
        return any(f'{self.module}.'.startswith(f'{module}.') for module in modules)

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        return (node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))

    def comments_with_noqa(self) -> list[str]:
        if 'noqa' not in self.text.lower():  # no comment is of interest: reading the tokens of all files takes seconds
            return []
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return [token.string for token in tokens if token.type == tokenize.COMMENT and 'noqa' in token.string.lower()]

    def imports_of(self, *modules: str) -> list[Import]:
        return [i for i in self.imports if i.is_under(*modules)]


def imports_in(nodes: Iterable[ast.AST], package: str, when: When) -> Iterator[Import]:
    for node in nodes:
        match node:
            case ast.Import(names=names):
                yield from (Import(name.name, node.lineno, when) for name in names)
            case ast.ImportFrom(names=names):
                yield from (Import(module, node.lineno, when) for module in imported_from(node, package))
            case ast.If(test=ast.Name('TYPE_CHECKING') | ast.Attribute(attr='TYPE_CHECKING')):
                yield from imports_in(node.body, package, 'typing')
                yield from imports_in(node.orelse, package, when)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                yield from imports_in(ast.iter_child_nodes(node), package, 'typing' if when == 'typing' else 'lazy')
            case _:
                yield from imports_in(ast.iter_child_nodes(node), package, when)


def imported_from(node: ast.ImportFrom, package: str) -> Iterator[str]:
    """Yield what `from a import b` imports: `a.b` if that is a module (or not of this package), else `a`."""
    base = package.split('.')[: len(package.split('.')) - node.level + 1] if node.level else []
    origin = '.'.join([*base, *((node.module or '').split('.') if node.module else [])])
    for name in node.names:
        inner = f'{origin}.{name.name}'
        yield inner if is_module(inner) or not origin.startswith('pydantic_llm') else origin


@cache
def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split('.'))
    return path.with_suffix('.py').is_file() or path.is_dir()


def ours(*names: str) -> tuple[str, ...]:
    return tuple(f'pydantic_llm.{name}' for name in names)


def home_of(module: str) -> str | None:
    """Return the room of a module: 'openai.chat' for `pydantic_llm.models.openai.chat.encode`."""
    inside = module.removeprefix('pydantic_llm.models.')
    return next((home for home in HOMES if f'{inside}.'.startswith(f'{home}.')), None) if inside != module else None


def known_to(home: str | None) -> set[str | None]:
    """Return the homes that a file of this home may import from."""
    known = {home}
    if home in DIALECTS:
        known.add('openai.chat')
    if home in ENGINES:
        known.update(SHARED_BY_ENGINES)
    for folder in VENDOR_FOLDERS:
        if home == folder:
            known.update(room for room in ROOMS if room.startswith(f'{folder}.'))
        elif f'{home}'.startswith(f'{folder}.'):
            known.add(folder)
    return known


def length_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def switches_a_size_rule_off(comment: str) -> bool:
    match = re.search(r'noqa\b(?::\s*(?P<codes>.*))?', comment, re.IGNORECASE)
    return match is not None and (not match['codes'] or SIZE_RULES.search(match['codes']) is not None)


def undocumented(nodes: list[ast.stmt]) -> Iterator[str]:
    """Yield the public classes and functions of a module without a docstring. Methods may do without."""
    for node in nodes:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                is_overload = any('overload' in ast.unparse(decorator) for decorator in node.decorator_list)
                if not (name.startswith('_') or is_overload or ast.get_docstring(node)):
                    yield f'{name}, line {node.lineno}'
            case ast.If() | ast.Try():
                yield from undocumented([n for n in ast.iter_child_nodes(node) if isinstance(n, ast.stmt)])
            case _:
                pass


def undocumented_values(tree: ast.Module) -> Iterator[str]:
    """Yield the names in `__all__` that are assigned in the module, such as type aliases, without a string below."""
    exported = {name for node in tree.body for name in exported_by(node)}
    for node, below in zip_longest(tree.body, tree.body[1:]):
        documented = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
        yield from (f'{name}, line {node.lineno}' for name in assigned_by(node) if name in exported and not documented)


def exported_by(node: ast.stmt) -> Iterator[str]:
    if '__all__' in assigned_by(node) and isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
        yield from (n.value for n in ast.walk(node.value) if isinstance(n, ast.Constant) and isinstance(n.value, str))


def assigned_by(node: ast.stmt) -> list[str]:
    match node:
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case _:
            return []


@cache
def parse(text: str) -> ast.Module:
    return ast.parse(text)


@cache
def ask_a_fresh_interpreter(program: str) -> str:
    run = subprocess.run([sys.executable, '-c', program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def modules_after_importing_the_package() -> set[str]:
    return {*ask_a_fresh_interpreter('import sys, pydantic_llm; print(*sys.modules)').split()}


PRINT_THE_NAMES_TABLE = """
import json
from pydantic_llm.models.names import NAMES
print(json.dumps({prefix: row._asdict() for prefix, row in NAMES.items()}))
"""


def names_table() -> dict[str, dict[str, str]]:
    """The rows of `pydantic_llm.models.names.NAMES`: prefix → module, extra and more."""
    table: dict[str, dict[str, str]] = json.loads(ask_a_fresh_interpreter(PRINT_THE_NAMES_TABLE))
    return table


@cache
def extras() -> dict[str, list[str]]:
    project = tomllib.loads((ROOT / 'pyproject.toml').read_text(encoding='utf-8'))['project']
    table: dict[str, list[str]] = project['optional-dependencies']
    return table


def extra_of(room: str) -> str:
    """The extra that a module of models needs; `room` is its name below `pydantic_llm.models`."""
    folder = room.split('.')[0]
    return EXTRA_OF_FOLDER.get(folder, folder)


def model_folders() -> set[str]:
    return {path.name for path in MODELS.iterdir() if any(path.rglob('*.py'))} if MODELS.is_dir() else set()


@cache
def python_files(*folders: str) -> list[Source]:
    return [read_source(path) for folder in folders for path in sorted((ROOT / folder).rglob('*.py'))]


read_source = cache(Source)


def is_room_file(source: Source) -> bool:
    return MODELS in source.path.parent.parents


def is_pure(source: Source) -> bool:
    name = source.path.stem.strip('_')
    return is_room_file(source) and any(f'{name}_'.startswith(f'{pure}_') for pure in PURE_FILES)


FILES: dict[str, Callable[[Source], bool]] = {
    'source': lambda source: True,
    'room_file': is_room_file,
    'pure_file': is_pure,
    'shared_file': lambda source: source.path.parent == MODELS and not source.is_under(*ours(*OTHER_NAMES)),
    'other_names_file': lambda source: source.is_under(*ours(*OTHER_NAMES)),
    'value_file': lambda source: source.is_under(*ours(*VALUES)),
    'agent_file': lambda source: source.is_under(*ours('agent')),
    'not_an_agent_user': lambda source: not source.is_under(*ours(*AGENT_USERS)),
}
"""What a test's argument stands for: the files of the package for which this is true."""


@cache
def files_called(name: str) -> list[Source] | list[tuple[str, Source]]:
    if name == 'python_file':
        return python_files('pydantic_llm', 'tests', 'benchmarks', 'tools')
    package = python_files('pydantic_llm')
    if name == 'part_and_file':
        return [(part, source) for part in STRANGERS for source in package if source.is_under(*ours(part))]
    return [*filter(FILES[name], package)]
