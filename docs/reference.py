"""What the API reference shows of the package: an extension of griffe, which reads it (`mkdocs.yml`).

Public is what the pages in `api/` name. A public class has the members of its private base classes, and only its public
base classes are named. Options that a method takes as `**options: Unpack[Options]` are parameters like the others. Of
the docstring of a module, the parts for readers of its code are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from griffe import (
    Alias,
    Attribute,
    Class,
    Docstring,
    ExprName,
    ExprSubscript,
    Extension,
    Function,
    GriffeError,
    Module,
    Object,
    Parameter,
    ParameterKind,
    Parameters,
)

DOCUMENTED = re.compile(r'(?m)^::: ([\w.]+)')
FOR_READERS = re.compile(r'(?ms)^(Read |Reading order|How to read|The reading order).*?(\n\n|\Z)')
"""The paragraphs of module docstrings that are a map of its files."""

NO_BASES = ('abc.ABC', 'typing.Generic', 'typing.Protocol')
"""Base classes that say nothing to users."""


class PublicApi(Extension):
    """Leaves private modules and classes out of the reference."""

    def on_package(self, *, pkg: Module, **_: Any) -> None:
        if pkg.name != 'pydantic_llm':
            return
        modules = [pkg[name.partition('.')[2]] for name in documented_modules() if '.' in name]
        classes = {each.path: each for module in modules for each in _iter_classes(module)}
        for each in classes.values():
            _flatten(each, classes)
            _expand_options(each)
        for module in modules:
            if module.docstring is not None:
                _shorten(module.docstring)


def documented_modules() -> list[str]:
    """Return the names of the modules that the pages of the reference show."""
    pages = sorted((Path(__file__).parent / 'api').glob('*.md'))
    return [name for page in pages for name in DOCUMENTED.findall(page.read_text(encoding='utf-8'))]


def _iter_classes(module: Object | Alias) -> Iterator[Class]:
    for name in module.exports or module.members:
        try:
            member: Any = module[str(name)]
            target = member.final_target if member.is_alias else member
        except (GriffeError, KeyError):
            continue
        if isinstance(target, Class):
            yield target


def _flatten(each: Class, public: dict[str, Class]) -> None:
    """Give a class the members of its private base classes, and name the nearest public ones as its bases."""
    try:
        ancestors = each.mro()
    except ValueError:  # an own base class is not readable
        return
    ours = [base for base in ancestors if base.path.startswith('pydantic_llm.')]
    seen = {*each.members}
    for base in ours:
        if base.path not in public:
            for name, member in base.members.items():
                if name not in seen and not name.startswith('_'):
                    each.set_member(name, Alias(name, member))
        seen |= {*base.members}
    each.bases = [*_iter_public_bases(each, public)]


def _iter_public_bases(each: Class, public: dict[str, Class]) -> Iterator[Any]:
    """Yield the public base classes; in place of a private one, its own public base classes."""
    for expression in each.bases:
        path = expression if isinstance(expression, str) else expression.canonical_path
        try:
            base: Any = each.modules_collection[path]
            base = base.final_target if base.is_alias else base
        except (GriffeError, KeyError):
            if not path.startswith(NO_BASES):
                yield expression
            continue
        if base.path in public:
            yield expression
        elif isinstance(base, Class):
            yield from (ExprName(found.name, parent=found.parent) for found in base.mro() if found.path in public)


def _expand_options(each: Class) -> None:
    """Make the keys of `Unpack[Options]` parameters. The first method of the class that has them describes them."""
    described: set[str] = set()
    for member in [*each.members.values()]:
        function: Any = member.target if isinstance(member, Alias) else member
        if not isinstance(function, Function) or (function.name.startswith('_') and function.name != '__init__'):
            continue
        for form in (function, *(function.overloads or ())[-1:]):
            if (options := _find_options(form)) and not _is_documented(each, function):
                _replace_options(function, form, [*_iter_attributes(options)], describe=options.path not in described)
                described.add(options.path)
                break


def _is_documented(each: Class, function: Function) -> bool:
    """Return whether the docstring of a class describes the options of `__init__` as one parameter."""
    return function.name == '__init__' and each.docstring is not None and ' options: ' in each.docstring.value


def _find_options(function: Function) -> Class | None:
    """Return the class in the annotation `Unpack[Options]` of the last parameter."""
    annotation = [parameter.annotation for parameter in function.parameters][-1:]
    match annotation:
        case [ExprSubscript(left=ExprName(name='Unpack'), slice=inner)]:
            path = inner.left.canonical_path if isinstance(inner, ExprSubscript) else inner.canonical_path
            found: Any = function.modules_collection[path]
            return found.final_target if found.is_alias else found
        case _:
            return None


def _iter_attributes(options: Class) -> Iterator[Attribute]:
    for owner in (options, *options.mro()):
        yield from (member for member in owner.members.values() if isinstance(member, Attribute))


def _replace_options(function: Function, form: Function, options: list[Attribute], *, describe: bool) -> None:
    named = [parameter for parameter in form.parameters if parameter.kind is not ParameterKind.var_keyword]
    names = {parameter.name for parameter in named}
    new = [
        Parameter(option.name, annotation=option.annotation, kind=ParameterKind.keyword_only, default='...')
        for option in options
        if option.name not in names
    ]
    function.parameters = Parameters(*named, *new)
    function.overloads = None
    docstring = function.parent.docstring if function.name == '__init__' and function.parent else function.docstring
    if describe and docstring is not None and 'Args:' not in docstring.value:
        lines = [f'    {option.name}: {_describe(option)}' for option in options if option.name not in names]
        docstring.value += '\n\nArgs:\n' + '\n'.join(lines)


def _describe(option: Attribute) -> str:
    return ' '.join(option.docstring.value.split()) if option.docstring else ''


def _shorten(docstring: Docstring) -> None:
    docstring.value = FOR_READERS.sub('', docstring.value).strip()
