"""Builds the parser of the command line: the commands, their options and their help.

A new command is a row of `COMMANDS` and a function of the same name in a module of the same name.
"""

from __future__ import annotations

from argparse import PARSER, Action, ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from .. import __version__
from .map_options import add_map_options
from .options import add_options
from .texts import decode_argument

__all__ = ('COMMANDS', 'KEY_VARIABLE', 'OF_LOGS_SHOW', 'build_parser')

KEY_VARIABLE = 'PYDANTIC_LLM_SERVE_KEY'
"""The environment variable of `serve --key`. Unlike an argument, it is not visible in the list of processes."""

WITHOUT_KEYS = ('completion', 'keys', 'logs', 'templates')
"""The commands that do not need the keys that are stored."""

EXAMPLES = """\
examples:
  pydantic-llm 'Why is the sky blue?'
  pydantic-llm ask -m anthropic:claude-sonnet-5-5 'What does this do?' -a main.py
  git diff | pydantic-llm 'Write a commit message for this change'
  pydantic-llm -c 'Shorter, please'
  pydantic-llm --schema 'name, age int' 'Invent a dog'
  pydantic-llm chat --tool weather:temperature
  pydantic-llm serve -m openai:gpt-5.4-mini -m anthropic:claude-sonnet-5-5
  pydantic-llm ask -m test Hello          without a key or a network

exit codes: 0 success, 1 an error, 2 wrong usage, 130 Ctrl-C
"""


class Help(RawDescriptionHelpFormatter):
    """Shows commands in one column, without a line for all of them."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26)
        self._action_max_length = 16

    def _format_action(self, action: Action) -> str:
        if action.nargs == PARSER:
            return ''.join(map(self._format_action, self._iter_indented_subactions(action)))
        return super()._format_action(action)


class OneLineParser(ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f'{self.prog}: {" ".join(message.split())} (see {self.prog} --help)\n')


def build_parser() -> ArgumentParser:
    """Build the parser. The parsed arguments have a `command`, the function to call with them."""
    parser = OneLineParser(
        'pydantic-llm',
        usage='pydantic-llm [command] [options]',
        description='Ask, chat with and serve language models. Without a command, `ask` is run.',
        epilog=EXAMPLES,
        formatter_class=Help,
    )
    parser.add_argument('--version', action='version', version=f'pydantic-llm {__version__}')
    commands = parser.add_subparsers(title='commands', metavar='COMMAND', required=True, prog='pydantic-llm')
    for name, (add_arguments, description) in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=description,
            description=f'{description[0].upper()}{description[1:]}.',
            formatter_class=Help,
        )
        add_arguments(command)
        command.set_defaults(command=partial(_import_and_run, name), parser=command)
    return parser


def _import_and_run(name: str, arguments: Namespace) -> None:
    """Import the command and run it. So `models` does not load what `serve` and `chat` need."""
    if name not in WITHOUT_KEYS:
        from .stored_keys import load_keys

        load_keys()
    getattr(import_module(f'.{name}', __package__), name)(arguments)


def _add_ask_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        'prompt', nargs='*', type=decode_argument, help='the question; the standard input is added to it, or used alone'
    )
    add_options(parser, 'ask')


def _add_chat_options(parser: ArgumentParser) -> None:
    add_options(parser, 'chat')
    parser.add_argument(
        '--history', type=Path, metavar='FILE', help='continue the conversation in this JSON file, and save it there'
    )


def _add_models_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        'prefix',
        nargs='?',
        help="list the names that start with this, e.g. 'anthropic', or else those that contain it; 'default' shows "
        'the default model',
    )
    parser.add_argument('name', nargs='?', help='`models default NAME` sets the default model')
    parser.add_argument('--live', action='store_true', help='ask the vendor or the server which models it has now')
    parser.add_argument('--base-url', metavar='URL', help='the address of the server to ask; implies --live')
    parser.add_argument('--json', action='store_true', help='print JSON, with every known price')


def _add_serve_options(parser: ArgumentParser) -> None:
    models = parser.add_mutually_exclusive_group()
    models.add_argument(
        '-m', '--model', action='append', metavar='MODEL', help='a model to serve; can be used several times'
    )
    models.add_argument(
        '-c', '--config', type=Path, metavar='FILE', help='a TOML file with models, keys, budgets and limits'
    )
    parser.add_argument('--check', action='store_true', help='check the file of --config and exit')
    parser.add_argument('--host', help='the address to listen on (default: 127.0.0.1, this machine only)')
    parser.add_argument('--port', type=_parse_port, help='the port (default: 8000; 0 chooses a free one)')
    parser.add_argument(
        '--allow-host',
        action='append',
        default=[],
        metavar='NAME',
        help='a name by which clients may reach a server without a key; can be used several times',
    )
    parser.add_argument('--key', help=f'the key that clients must send; also read from {KEY_VARIABLE}')
    parser.add_argument('--ui', action='store_true', help='show a page to talk to the models, at /playground')
    parser.add_argument(
        '--tool',
        action='append',
        default=[],
        metavar='MODULE:FUNCTION',
        help='with --ui: a function that the models may call there; can be used several times',
    )
    _add_operation_options(parser)


def _add_operation_options(parser: ArgumentParser) -> None:
    group = parser.add_argument_group('operation')
    group.add_argument(
        '--grace', type=float, metavar='SECONDS', help='the time of requests in progress to finish (default: 10)'
    )
    group.add_argument(
        '--metrics-port',
        type=_parse_port,
        metavar='PORT',
        help='a port for /metrics, /health and /ready, without a key',
    )
    group.add_argument(
        '--access-log', choices=('json', 'logfmt', 'off'), help='write a line for each request, without content'
    )


def _add_keys_options(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(title='actions', metavar='ACTION', required=True, dest='action')
    for action, help in (
        ('set', 'store a key, which is read from the terminal or the standard input'),
        ('remove', 'delete a stored key'),
    ):
        actions.add_parser(action, help=help).add_argument(
            'vendor', help="a prefix or a variable: 'openai', 'OPENAI_API_KEY'"
        )
    actions.add_parser('list', help='list the keys that are set or stored, without their values')
    actions.add_parser('path', help='print the path of the file')


def _add_logs_options(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(title='actions', metavar='ACTION', dest='action')
    listing = actions.add_parser('list', help='list the newest questions (the default)')
    search = actions.add_parser('search', help='list the questions and responses that have all of these words')
    search.add_argument('words', nargs='+')
    show = actions.add_parser('show', help='show a question and its response')
    show.add_argument('id', nargs='?', type=int, help='the number that `logs list` shows (default: the newest)')
    for *flags, help in LOG_FORMS:
        show.add_argument(*flags, action='store_true', help=help)
    for action in (listing, search):
        action.add_argument(
            '-n', '--count', type=int, default=20, metavar='N', help='the most rows (default: 20; 0: all)'
        )
        action.add_argument('-m', '--model', metavar='TEXT', help='only models whose names contain this')
    for action in (listing, search, show):
        action.add_argument('--json', action='store_true', help='print JSON, with the messages')
    for name, help in LOG_ACTIONS.items():
        actions.add_parser(name, help=help)


LOG_FORMS = (
    ('-r', '--response', 'print the response alone'),
    ('-x', '--extract', 'print its first block of code alone'),
    ('--extract-last', '--xl', 'print its last block of code alone'),
)
"""The flags of `logs show` for a part of an exchange, and their help."""

OF_LOGS_SHOW: tuple[str, ...] = tuple(flag for *flags, _ in LOG_FORMS for flag in flags)
"""The options after which `logs` alone is `logs show`."""

LOG_ACTIONS = {
    'off': 'write nothing to the log from now on',
    'on': 'write to the log again',
    'status': 'show if the log is on, and its size',
    'clear': 'delete the log',
    'path': 'print the path of the file',
}


def _add_templates_options(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(title='actions', metavar='ACTION', dest='action')
    actions.add_parser('list', help='list the templates (the default)')
    for action, help in (
        ('show', 'print a template'),
        ('remove', 'delete a template'),
        ('path', 'print the path of the folder'),
    ):
        parser = actions.add_parser(action, help=help)
        if action != 'path':
            parser.add_argument('name')


def _add_doctor_options(parser: ArgumentParser) -> None:
    parser.add_argument('vendors', nargs='*', help='check these prefixes only (default: all with a key)')
    parser.add_argument('--offline', action='store_true', help='send no request')


def _add_completion_options(parser: ArgumentParser) -> None:
    parser.add_argument('shell', choices=('bash', 'zsh', 'fish'))


def _parse_port(text: str) -> int:
    if text.isdecimal() and int(text) < 65536:
        return int(text)
    raise ArgumentTypeError(f'a port is a number from 0 to 65535, not {text!r}')


COMMANDS: dict[str, tuple[Callable[[ArgumentParser], None], str]] = {
    'ask': (_add_ask_options, 'ask one question'),
    'chat': (_add_chat_options, 'have a conversation'),
    'map': (add_map_options, 'send a prompt for each row of a file'),
    'models': (_add_models_options, 'list vendors, or the models of one; set the default model'),
    'keys': (_add_keys_options, 'store the keys of vendors'),
    'logs': (_add_logs_options, 'show, search and switch the log of questions and responses'),
    'templates': (_add_templates_options, 'list and show saved prompts and options'),
    'serve': (_add_serve_options, "serve any model to the vendors' own clients (OpenAI's, Anthropic's)"),
    'doctor': (_add_doctor_options, 'check extras and keys, with a request to each vendor'),
    'completion': (_add_completion_options, 'print a script that completes commands in a shell'),
}
"""The commands: the function that adds the options, and the help. Each is a function in its module of the same name."""
