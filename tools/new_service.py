"""Write everything that a new built-in service needs: `make new-service NAME=globex`, see `docs/new-vendor.md`.

`read_service` checks the arguments, `EDITS` has the files that change, and `main` writes all of them or none.
"""

from __future__ import annotations

import argparse
import ast
import keyword
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PROVIDERS = 'pydantic_llm/providers'
REGISTRY = f'{PROVIDERS}/registry.py'
LOCAL_SERVICES = "        # on the user's own machine\n"
"""The line of the registry that ends the hosted services."""
LINE_LENGTH = 120

EXAMPLES = ('acme', 'echo', 'initech', 'umbrella')
"""The beginnings of the names that the documentation and the tests register themselves."""

RULES = {
    'NAME': (r'(?=.{2,40}$)[a-z][a-z0-9]*(-[a-z0-9]+)*', "2 to 40 lowercase letters, digits and '-': NAME=globex"),
    'TITLE': (
        r'(?=.{1,40}$)[A-Za-z0-9][\w.&+-]*( [\w.&+-]+)*',
        "at most 40 letters, digits, spaces and .&+-: TITLE='Globex AI'",
    ),
    'URL': (
        r'(?=.{1,90}$)https://[a-z0-9-]+(\.[a-z0-9-]+)+(:\d+)?(/[\w.~-]+)*(?<!/chat/completions)',
        'an https URL without the path /chat/completions: URL=https://api.globex.example/v1',
    ),
    'KEY': (
        r'[A-Z][A-Z0-9_]{1,29}( [A-Z][A-Z0-9_]{1,29}){0,2}',
        "the names of one to three environment variables, of at most 30 characters: KEY='GLOBEX_API_KEY GLOBEX_TOKEN'",
    ),
}
"""The arguments: the pattern of the whole value, and the value in words with an example."""

MODULE = '''\
"""The provider of {title}: a row of the registry as a class."""

from typing import ClassVar

from .compatible import CompatibleProvider
from .registry import SERVICES
from .service import Service


class {class_name}(CompatibleProvider):
    """{title}, over its OpenAI-compatible API. See `CompatibleProvider`."""

    service: ClassVar[Service] = SERVICES['{name}']
'''

NEXT_STEPS = """\
Next:
- Check the URL and the variables of the key in the service's documentation{placeholder}.
- Every model gets `plain_profile`: JSON schemas, JSON mode, and the facts of its family. If the service differs, add
  `{module}_profile` to pydantic_llm/profiles/compatible.py, give it to the row, and add rows to FACTS in
  tests/test_profiles.py.
- If a price list has the names of its models, add them to pydantic_llm/models/known_names.py, and remove '{name}'
  from NAMELESS in tests/test_known_names.py.
- Run `make all`.
"""


class Service(NamedTuple):
    """A service as its row in the registry has it."""

    name: str
    title: str
    url: str
    keys: tuple[str, ...]

    @property
    def module(self) -> str:
        """The name of the module below `pydantic_llm.providers`."""
        return self.name.replace('-', '_')

    @property
    def class_name(self) -> str:
        """The name of the provider class: made of the title, or of `name` if the title begins with a digit."""
        title = self.name.replace('-', ' ') if self.title[0].isdigit() else self.title
        words = re.sub(r'[^A-Za-z0-9 ]', '', title).split()
        return ''.join(word[:1].upper() + word[1:] for word in words) + 'Provider'


# ---------------------------------------------------------------------- the arguments


def read_service() -> Service:
    """Return the service that the arguments describe. Exits with a message if one is invalid or the name is taken."""
    parser = argparse.ArgumentParser(description='Write everything that a new built-in service needs.')
    parser.add_argument('--name', default='', help='its provider and prefix: globex')
    parser.add_argument('--title', help="its own name: 'Globex AI'")
    parser.add_argument('--url', help='its base URL: https://api.globex.example/v1')
    parser.add_argument('--key', help='the environment variables of its key: GLOBEX_API_KEY')
    given = parser.parse_args()
    check_value('NAME', given.name)
    check_name_is_free(given.name)
    words = given.name.split('-')
    title = check_value('TITLE', given.title or ' '.join(word.capitalize() for word in words))
    url = check_value('URL', (given.url or f'https://api.{given.name}.example/v1').rstrip('/'))
    keys = check_value('KEY', given.key or '_'.join([*words, 'api', 'key']).upper())
    return Service(given.name, title, url, tuple(keys.split()))


def check_value(argument: str, value: str) -> str:
    """Return the value. Exits with a message if it does not match the pattern of its argument."""
    pattern, meaning = RULES[argument]
    if not re.fullmatch(pattern, value, re.ASCII):
        shown = '' if argument == 'KEY' else repr(value)  # it may be the key itself
        raise SystemExit(f'{argument}={shown} is invalid: give {meaning}')
    return value


def check_name_is_free(name: str) -> None:
    """Exit with a message if the name cannot be that of a new provider, prefix and module."""
    module = name.replace('-', '_')
    if name in read_names((ROOT / REGISTRY).read_text(encoding='utf-8')):
        raise SystemExit(f'NAME={name!r} is taken: it is a name in {REGISTRY}')
    if (ROOT / PROVIDERS / f'{module}.py').exists() or keyword.iskeyword(module):
        raise SystemExit(f'NAME={name!r} cannot be used: {PROVIDERS}/{module}.py exists or cannot be imported')
    if name.startswith(EXAMPLES):
        raise SystemExit(f'NAME={name!r} cannot be used: the documentation and the tests use it as an example')


def read_names(registry: str) -> set[str]:
    """Return the names of all providers, services, aliases and prefixes in the source of the registry."""
    names = {*list_services(registry)}
    for node in ast.parse(registry).body:
        match node:
            case (
                ast.AnnAssign(target=ast.Name(id='ALIASES' | 'PROVIDERS'), value=ast.Dict() as table)
                | ast.Assign(targets=[ast.Name(id='MODEL_PREFIXES')], value=table)
            ):
                names |= {*ast.literal_eval(table)}
            case _:
                pass
    return names


def list_services(rows: str) -> list[str]:
    """Return the names of the services in a part of the registry's source, in the order of their rows."""
    return re.findall(r"\bService\(\s*'([^']+)'", rows)


# ---------------------------------------------------------------------- the edits


def add_row(registry: str, service: Service) -> str:
    """Add the service after the last hosted one, and its class."""
    arguments = [repr(value) for value in service]
    row = f'        Service({", ".join(arguments)}),\n'
    if len(row) > LINE_LENGTH + 1:
        lines = ''.join(f'            {argument},\n' for argument in arguments)
        row = f'        Service(\n{lines}        ),\n'
    registry = insert(registry, row, before=LOCAL_SERVICES)
    return insert_sorted(
        registry, f"    '{service.name}': '{service.class_name}',\n", 'PROVIDERS: dict[str, str] = {\n'
    )


def add_module(_: str, service: Service) -> str:
    """Return the source of the provider's module."""
    return MODULE.format(title=service.title, class_name=service.class_name, name=service.name)


def add_documentation(page: str, service: Service) -> str:
    """Add a row to the table of services, which has the order of the registry."""
    registry = (ROOT / REGISTRY).read_text(encoding='utf-8')
    following, *_ = list_services(registry.partition(LOCAL_SERVICES)[2])
    keys = '<br>'.join(f'`{key}`' for key in service.keys)
    row = f'| `{service.name}:` | {service.title}<br>`{service.class_name}` | {keys} | `{service.url}` |\n'
    return insert(page, row, before=f'| `{following}:` |')


def add_to_changelog(changelog: str, service: Service) -> str:
    """Add a line to the end of the list `Added` of the section `Unreleased`, and the list if there is none."""
    line = f'- {service.title} (`{service.name}:`), over its OpenAI-compatible API.\n'
    before, heading, rest = changelog.partition('## [Unreleased]\n')
    section, *released = re.split(r'^(?=## \[)', rest, maxsplit=1, flags=re.MULTILINE)
    section, found = re.subn(r'### Added\n\n(.+\n)+', lambda match: match[0] + line, section, count=1)
    return ''.join([before, heading, section if found else f'\n### Added\n\n{line}{section}', *released])


def add_to_nameless(tests: str, service: Service) -> str:
    """Add the prefix to those without known names of models."""
    return insert_sorted(tests, f"    '{service.name}',\n", 'NAMELESS = {\n')


def insert(text: str, line: str, *, before: str) -> str:
    """Insert a line. Exits with a message if `before` does not occur exactly once."""
    if text.count(before) != 1:
        raise SystemExit(f'Nothing was changed: there is not exactly one {before!r} to insert {line!r} before')
    return text.replace(before, line + before)


def insert_sorted(text: str, line: str, table: str) -> str:
    """Insert a line into the table that begins with the line `table`, in alphabetical order."""
    before, _, rest = insert(text, '', before=table).partition(table)
    rows, end, after = rest.partition('}\n')
    return ''.join([before, table, *sorted([*rows.splitlines(keepends=True), line]), end, after])


EDITS: dict[str, Callable[[str, Service], str]] = {
    REGISTRY: add_row,
    f'{PROVIDERS}/{{module}}.py': add_module,
    'docs/vendors/compatible.md': add_documentation,
    'CHANGELOG.md': add_to_changelog,
    'tests/test_known_names.py': add_to_nameless,
}
"""The files that change, each with the function from its text to the new text."""


def main() -> None:
    """Edit the files, then print their paths and what is left to do."""
    service = read_service()
    texts: dict[Path, str] = {}
    for template, edit in EDITS.items():
        path = ROOT / template.format(module=service.module)
        texts[path] = edit(path.read_text(encoding='utf-8') if path.exists() else '', service)
    print(f'Added the service {service.name!r}, {service.title}, at {service.url}, with {" or ".join(service.keys)}:')
    for path, text in texts.items():
        path.write_text(text, encoding='utf-8', newline='\n')
        print(f'  {path.relative_to(ROOT)}')
    placeholder = '; no URL= was given, so it is a placeholder' if service.url.endswith('.example/v1') else ''
    print(NEXT_STEPS.format(placeholder=placeholder, module=service.module, name=service.name), end='')


if __name__ == '__main__':
    main()
