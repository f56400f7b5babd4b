"""Measures the language of the package: the rules of plain technical English, as tables that a test reads.

    python -m tests.language pydantic_llm/transport     lists what breaks a rule below a folder, with places

A *text* is a docstring, or the string below a value. Each rule has a pattern and the share of texts that may match it.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / 'pydantic_llm'


class Rule(NamedTuple):
    """One habit that makes a text hard to read."""

    pattern: re.Pattern[str]
    limit: float
    """The share of texts that may match, in percent."""
    instead: str


RULES: dict[str, Rule] = {
    'begins with a question': Rule(
        re.compile(r'^(What|How|Whether|Where|When|Who|Whose|Which|Why)\b'), 5, 'Return, Raise, Encode, a noun'
    ),
    'tell or say': Rule(
        re.compile(r'\b(tell|tells|told|telling|say|says|said|saying)\b', re.IGNORECASE), 1, 'emit, report, value'
    ),
    'a person for an object': Rule(
        re.compile(r'\b(nobody|somebody|anybody|everybody|whoever|whom|whomever)\b', re.IGNORECASE),
        0.3,
        'caller, waiter, vendor',
    ),
    'none for "is not one"': Rule(
        re.compile(r'\b(is|are|was|were) none\b', re.IGNORECASE), 0, 'is not a ..., is invalid'
    ),
    'where for if': Rule(
        re.compile(r'\bwhere (it|there|that|they|nobody|none|the|a|an|one|nothing|some|this|no|we)\b'), 1, 'if, when'
    ),
    'answer for response': Rule(re.compile(r'\banswer(s|ed|ing)?\b', re.IGNORECASE), 1, 'response, respond'),
    'thoughts for thinking': Rule(re.compile(r'\bthoughts?\b', re.IGNORECASE), 0.2, 'thinking'),
    'an old word': Rule(
        re.compile(
            r'\b(anew|so many|so much|so long|mend(s|ed)?|for want of|the want of|in vain|stands? for)\b', re.IGNORECASE
        ),
        0.2,
        'again, n, repair, missing',
    ),
    'beside for with': Rule(re.compile(r'\bbesides?\b', re.IGNORECASE), 0.3, 'with, next to, in addition to'),
    'cut for truncated': Rule(re.compile(r'\b(was|is|were|are|been) cut\b', re.IGNORECASE), 0.1, 'truncated'),
}

FEW_WORDS = 3
TEXTS_OF_FEW_WORDS = 40
"""As many texts may have `FEW_WORDS` words or fewer: a name that says all needs no docstring."""

IRREGULAR_PARTICIPLES = frozenset(
    'begun borne bought bound broken brought built chosen done drawn driven dug fed felt fought found forgotten '
    'gone given grown heard held hidden kept known laid led left lent lost made meant met paid said seen sent '
    'shown slept sold sought spent spoken stolen stood stuck sworn taken taught thought thrown told torn '
    'understood worn written'.split()
)
VERBS_IN_ED = frozenset('add embed exceed feed need proceed read seed shed shred speed succeed wed'.split())

PUBLIC_NAMES = frozenset({'filtered', 'merged_settings', 'prefixed', 'prepared', 'renamed'}) | frozenset(
    {'supported_native_tools', 'unsupported_native_tool_settings'}  # hooks of pydantic-ai
)
"""Public methods that users know by these names."""

VALUE_DECORATORS = frozenset({'property', 'cached_property', 'setter', 'deleter', 'fixture'})
"""What is decorated with one of these is read as a value, and named like one."""


class Text(NamedTuple):
    """A docstring, on one line."""

    path: Path
    line: int
    text: str


def texts(folder: Path = PACKAGE) -> Iterator[Text]:
    """Yield every docstring below a folder, with those below values."""
    for path in python_files(folder):
        for node in ast.walk(parse(path)):
            body = getattr(node, 'body', None)
            for statement in body if isinstance(body, list) else []:
                match statement:
                    case ast.Expr(value=ast.Constant(value=str(text)), lineno=line):
                        yield Text(path, line, ' '.join(text.split()))


def functions(folder: Path = PACKAGE) -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yield every function below a folder."""
    for path in python_files(folder):
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path, node


def is_named_by_a_participle(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Return whether a function, which should be a verb phrase, begins with a past participle: `_joined`, `told_in`."""
    decorators = {ast.unparse(decorator).rpartition('.')[2].partition('(')[0] for decorator in node.decorator_list}
    if node.name.startswith('__') or node.name in PUBLIC_NAMES or not decorators.isdisjoint(VALUE_DECORATORS):
        return False
    first = node.name.strip('_').split('_')[0]
    return first in IRREGULAR_PARTICIPLES or (first.endswith('ed') and first not in VERBS_IN_ED)


def python_files(folder: Path) -> list[Path]:
    """Return the modules below a folder, or the one module that the path names."""
    return [folder] if folder.is_file() else sorted(folder.rglob('*.py'))


def parse(path: Path) -> ast.Module:
    """Parse a module."""
    return ast.parse(path.read_text(encoding='utf-8'))


def main(folder: Path) -> None:
    """Print each text and name that breaks a rule, then the share of each rule."""
    found = list(texts(folder))
    for name, rule in RULES.items():
        hits = [text for text in found if rule.pattern.search(text.text)]
        for hit in hits:
            sys.stdout.write(f'{hit.path}:{hit.line}: {name} ({rule.instead}): {hit.text[:110]}\n')
    for text in found:
        if len(text.text.split()) <= FEW_WORDS:
            sys.stdout.write(f'{text.path}:{text.line}: {FEW_WORDS} words or fewer: {text.text}\n')
    for path, node in functions(folder):
        if is_named_by_a_participle(node):
            sys.stdout.write(f'{path}:{node.lineno}: a participle names a function: {node.name}\n')
    for name, rule in RULES.items():
        share = 100 * sum(bool(rule.pattern.search(text.text)) for text in found) / max(1, len(found))
        sys.stdout.write(f'{share:5.1f} % (at most {rule.limit} %)  {name}\n')
    few = sum(len(text.text.split()) <= FEW_WORDS for text in found)
    named = sum(is_named_by_a_participle(node) for _, node in functions(folder))
    sys.stdout.write(
        f'{len(found)} texts, {few} of {FEW_WORDS} words or fewer, {named} functions named by a participle\n'
    )


if __name__ == '__main__':
    main(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else PACKAGE)
