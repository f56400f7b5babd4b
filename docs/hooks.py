"""Functions that MkDocs calls while it builds the site (`hooks` in mkdocs.yml).

Each page gets a description for search engines: its first paragraph, or that of the module that it documents. The names
on the page of the front door become links. `llms.txt` lists all pages with their descriptions, and `llms-full.txt` has
the text of those that are prose: https://llmstxt.org.
"""

from __future__ import annotations

import ast
import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DESCRIPTION = 200
"""The length of a description in characters, at most."""
NO_PROSE = ('#', '|', '```', '- ', '!', '<', '{', '=== ', '    ')
"""The beginnings of blocks that are not a paragraph."""
MODULE = re.compile(r'^::: (?P<name>[\w.]+)', re.MULTILINE)


NAME_CELL = re.compile(r'(?m)^(\|[^|]*\| )(`.*)$')
"""The names in a row of the table of the front door."""

texts: dict[str, str] = {}
"""The Markdown of each page, by its file."""
sections: list[tuple[str, list[Any]]] = []
"""The pages of each tab, in the order of the navigation."""


def on_nav(nav: Any, **_: object) -> None:
    """Remember which pages there are."""
    sections[:] = [(tab.title, [*_iter_pages(tab)]) for tab in nav.items]


def on_page_markdown(markdown: str, page: Any, **_: object) -> str:
    """Set the description of a page, unless its head has one."""
    page.meta.setdefault('description', html.escape(describe(markdown), quote=True))
    texts[page.file.src_uri] = markdown
    return link_names(markdown) if page.file.src_uri == 'api/front-door.md' else markdown


def on_post_build(config: Any, **_: object) -> None:
    """Write `llms.txt` and `llms-full.txt` next to the pages."""
    head = f'# {config.site_name}\n\n> {config.site_description}\n'
    site = Path(config.site_dir)
    site.joinpath('llms.txt').write_text(head + list_pages(), encoding='utf-8')
    site.joinpath('llms-full.txt').write_text(head + join_pages(), encoding='utf-8')


def list_pages() -> str:
    """Return a section for each tab, with a line for each page."""
    return ''.join(
        f'\n## {title}\n\n' + ''.join(f'- [{page.title}]({_url(page)}): {_describe(page)}\n' for page in pages)
        for title, pages in sections
    )


def join_pages() -> str:
    """Return the text of all pages but the reference, each with its address above it."""
    pages = [page for _, pages in sections for page in pages if not page.file.src_uri.startswith('api')]
    return ''.join(f'\n---\n\n<!-- {_url(page)} -->\n\n{texts[page.file.src_uri].strip()}\n' for page in pages)


def link_names(markdown: str) -> str:
    """Make links of the names in the second cells of a table."""
    return NAME_CELL.sub(
        lambda row: row[1] + re.sub(r'`(\w+)`', r'[`\1`][pydantic_llm.\1]', row[2]),
        markdown,
    )


def _iter_pages(item: Any) -> Iterator[Any]:
    if item.is_page:
        yield item
    for child in item.children or ():
        yield from _iter_pages(child)


def _url(page: Any) -> str:
    return page.canonical_url or page.url or './'


def _describe(page: Any) -> str:
    return html.unescape(page.meta['description'])


def describe(markdown: str) -> str:
    """Return the first paragraph as text of at most `DESCRIPTION` characters, cut between words."""
    return re.sub(':$', '.', shorten(plain_text(first_paragraph(markdown))))


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
