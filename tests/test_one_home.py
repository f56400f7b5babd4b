"""A fact has one home, and a name one meaning: constants, private names and the files of the serving half."""

from __future__ import annotations

import ast

from tests.test_architecture import MODELS, assigned_by, python_files

SERVE_FILES = ('serve', 'serve_request', 'serve_response', 'serve_settings')
"""The files of the serving half in every room. A large room may have more, named `serve_...`."""

MOST_FILES_OF_A_NAME = 6
"""As many files may have a private function of the same name; in more, the name means something else each time."""

HOOKS = frozenset({'_own_profile', '_read_more', '_encode_request'})
"""Private methods that subclasses override, so that they have one name on purpose."""


def test_a_constant_is_written_once() -> None:
    homes: dict[tuple[str, str], list[str]] = {}
    for source in python_files('pydantic_llm'):
        for node in source.tree.body:
            value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
            for name in assigned_by(node):
                if name.isupper() and value is not None and not is_type_variable(value):
                    homes.setdefault((name, ast.unparse(value)), []).append(source.module)
    assert {fact: modules for fact, modules in homes.items() if len(modules) > 1} == {}


def is_type_variable(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and ast.unparse(value.func) in ('TypeVar', 'ParamSpec')


OWN_SIMILARITY = ('_suggestions', 'providers.registry', 'models.names', 'models.options', 'cli.entry')
"""The modules that may search similar names themselves: the first is for all, the others need another similarity."""


def test_similar_names_are_suggested_in_one_place() -> None:
    homes = {f'pydantic_llm.{name}' for name in OWN_SIMILARITY}
    found = {source.module for source in python_files('pydantic_llm') if 'get_close_matches' in '\n'.join(source.lines)}
    assert found == homes


def test_the_type_of_json_is_defined_once() -> None:
    homes = [
        source.module
        for source in python_files('pydantic_llm')
        for node in source.tree.body
        if 'Json' in assigned_by(node)
    ]
    assert homes == ['pydantic_llm.json_types']


def test_a_private_function_has_a_name_of_its_own() -> None:
    homes: dict[str, set[str]] = {}
    for source in python_files('pydantic_llm'):
        for node in source.functions():
            if node.name.startswith('_') and not node.name.startswith('__') and node.name not in HOOKS:
                homes.setdefault(node.name, set()).add(source.module)
    assert {name: sorted(files) for name, files in homes.items() if len(files) > MOST_FILES_OF_A_NAME} == {}


def test_the_serving_half_has_the_same_files_in_every_room() -> None:
    rooms = {file.parent for file in MODELS.rglob('serve.py')}
    missing = {
        str(room.relative_to(MODELS)): [name for name in SERVE_FILES if not (room / f'{name}.py').is_file()]
        for room in rooms
    }
    assert {room: names for room, names in missing.items() if names} == {}


def test_what_encodes_a_stream_is_called_stream_encoder() -> None:
    for response in MODELS.rglob('serve_response.py'):
        classes = {node.name for node in ast.parse(response.read_text()).body if isinstance(node, ast.ClassDef)}
        assert 'StreamEncoder' in classes, response


def test_no_room_has_private_files() -> None:
    assert [file for file in MODELS.rglob('_*.py') if file.name != '__init__.py'] == []
