"""Functions that MkDocs calls while it builds the site (`hooks` in mkdocs.yml).

Each page gets a description for search engines: its first paragraph, or that of the module that it documents.
"""

from __future__ import annotations

import ast
import html
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DESCRIPTION = 200
"""The length of a description in characters, at most."""
NO_PROSE = ('#', '|', '```', '- ', '!', '<', '{', '=== ', '    ')
"""The beginnings of blocks that are not a paragraph."""
MODULE = re.compile(r'^::: (?P<name>[\w.]+)', re.MULTILINE)


def on_page_markdown(markdown: str, page: Any, **_: object) -> str:
    """Set the description of a page, unless its head has one."""
    page.meta.setdefault('description', html.escape(describe(markdown), quote=True))
    return markdown


def describe(markdown: str) -> str:
    """Return the first paragraph as text of at most `DESCRIPTION` characters, cut between words."""
    return shorten(plain_text(first_paragraph(markdown)))


def first_paragraph(markdown: str) -> str:
    prose = re.sub(r'^(```|~~~).*?^\1$', '', markdown, flags=re.MULTILINE | re.DOTALL)
    for block in re.split(r'\n\s*\n', prose):
        if match := MODULE.match(block):
            return module_summary(match['name'])
        if block.strip() and not block.startswith(NO_PROSE):
            return block
    return ''


def module_summary(name: str) -> str:
    """Return the first paragraph of a module's docstring, or of that of the module with this name in it."""
    path = ROOT.joinpath(*name.split('.'))
    file = next((file for file in (path / '__init__.py', path.with_suffix('.py')) if file.exists()), None)
    if file is None:
        return module_summary(name.rpartition('.')[0])
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding='utf-8'))) or ''
    paragraph, _, _ = docstring.partition('\n\n')
    return f'{name}: {paragraph}'


def plain_text(markdown: str) -> str:
    text = re.sub(r'!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])', r'\1', markdown)
    return ' '.join(re.sub(r'[`*]', '', text).split())


def shorten(text: str) -> str:
    """Cut a text after a sentence if one ends in time, else between words."""
    if len(text) <= DESCRIPTION:
        return text
    head = text[:DESCRIPTION]
    sentence, dot, _ = head.rpartition('. ')
    return sentence + '.' if dot else head.rpartition(' ')[0] + ' …'
