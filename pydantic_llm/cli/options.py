"""The options of a request, as a table: `ask` and `chat` have them, and a template can hold most of them."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any, NamedTuple

from .texts import decode_argument

__all__ = ('OPTIONS', 'SAVED_OPTIONS', 'SETTING_OPTIONS', 'Option', 'add_options')

FLAG: dict[str, Any] = {'action': 'store_true'}


class Option(NamedTuple):
    """One option. Its name in the parsed arguments is that of its first long flag."""

    flags: tuple[str, ...]
    help: str
    keywords: dict[str, Any]

    @property
    def name(self) -> str:
        long = next(flag for flag in self.flags if flag.startswith('--'))
        return long.removeprefix('--').replace('-', '_')


def text(metavar: str) -> dict[str, Any]:
    """Return the keywords of an option with one value."""
    return {'metavar': metavar}


def several(metavar: str) -> dict[str, Any]:
    """Return the keywords of an option that can be used several times."""
    return {'metavar': metavar, 'action': 'append', 'default': []}


OPTIONS: dict[str, tuple[Option, ...]] = {
    'model': (
        Option(('-m', '--model'), "e.g. 'openai:gpt-5.4-mini'; 'test' needs no key or network", text('MODEL')),
        Option(('--base-url',), 'the address of another server, e.g. http://localhost:11434/v1', text('URL')),
        Option(('-s', '--system'), 'instructions for the model', {'type': decode_argument, 'metavar': 'TEXT'}),
        Option(('-o', '--option'), 'any setting, e.g. top_p=0.9; can be used several times', several('NAME=VALUE')),
    ),
    'input': (
        Option(
            ('-a', '--attach', '-f', '--file'),
            "send this file too: a path, a URL, or '-' for the standard input",
            several('FILE'),
        ),
        Option(('-t', '--template'), 'use the prompt and the options of this template', text('NAME')),
        Option(('-p', '--param'), 'a value for $NAME in the template', several('NAME=VALUE')),
        Option(('-c', '--continue'), 'continue the last conversation of the log', FLAG),
        Option(
            ('--cid',),
            'continue the conversation with this number, as `logs list` shows it',
            {'type': int, 'metavar': 'ID'},
        ),
    ),
    'tools': (
        Option(
            ('-T', '--tool'),
            'a function that the model may call: weather:temperature, tools.py:search',
            several('MODULE:FUNCTION'),
        ),
        Option(
            ('--mcp',),
            "the tools of an MCP server: a command, a URL, or a JSON file with 'mcpServers'",
            several('SERVER'),
        ),
        Option(('--approve',), 'ask before each tool call', FLAG),
    ),
    'output': (
        Option(
            ('--schema',),
            "respond with JSON: fields such as 'name, age int: in years', a JSON schema, its file, or module:Class",
            text('SCHEMA'),
        ),
        Option(('--schema-multi',), 'respond with a list of such objects', text('SCHEMA')),
        Option(('-x', '--extract'), 'print the first block of code of the response alone', FLAG),
        Option(('--extract-last', '--xl'), 'print the last block of code of the response alone', FLAG),
        Option(('--json',), 'print the response with its usage and cost as JSON', FLAG),
        Option(('--no-stream',), 'show the response when it is complete', FLAG),
        Option(
            ('--files-to',),
            'the folder for images and other files of the model (default: the current one)',
            {'type': Path, 'metavar': 'FOLDER', 'default': Path()},
        ),
        Option(('--no-log',), 'do not write this to the log', FLAG),
        Option(('--save',), 'save the prompt and the options as a template, and send nothing', text('NAME')),
        Option(('-v', '--verbose'), 'print the tokens, the cost and the time of each response', FLAG),
    ),
    'settings': (
        Option(('--temperature',), 'how random the response is, from 0', text('N')),
        Option(('--max-tokens',), 'the most tokens that the response may have', text('N')),
        Option(('--thinking',), 'on, off, minimal to max, or a number of tokens', text('LEVEL')),
        Option(('--seed',), 'makes responses repeatable, as far as the vendor can', text('N')),
        Option(('--timeout',), 'the most seconds until the response is complete', text('SECONDS')),
    ),
}
"""The options by group of the help."""

ASK_ALONE = ('schema', 'schema_multi', 'extract', 'extract_last', 'json', 'save')
"""The options that `chat` does not have."""

SETTING_OPTIONS: tuple[str, ...] = tuple(option.name for option in OPTIONS['settings'])
"""The options that are settings of the same name."""

SAVED_OPTIONS: dict[str, Option] = {
    option.name: option
    for group, options in OPTIONS.items()
    for option in options
    if group in ('model', 'tools', 'settings')
    or option.name in ('attach', 'schema', 'schema_multi', 'extract', 'extract_last')
}
"""The options that a template can hold."""


def add_options(parser: ArgumentParser, command: str) -> None:
    """Add the options of `ask` or `chat` to its parser."""
    for title, options in OPTIONS.items():
        group = parser.add_argument_group(title)
        for option in options:
            if command == 'ask' or option.name not in ASK_ALONE:
                group.add_argument(*option.flags, dest=option.name, help=option.help, **option.keywords)
