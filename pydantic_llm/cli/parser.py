"""Builds the parser of the command line: the commands, their options and their help."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from functools import partial
from importlib import import_module
from pathlib import Path

from .. import __version__
from ..settings import THINKING_LEVELS

__all__ = ('KEY_VARIABLE', 'THINKING', 'build_parser')

KEY_VARIABLE = 'PYDANTIC_LLM_SERVE_KEY'
"""The environment variable of `serve --key`. Unlike an argument, it is not visible in the list of processes."""

THINKING: dict[str, bool | str] = {'on': True, 'off': False, **{level: level for level in THINKING_LEVELS}}
"""The values of `--thinking`, as values of the setting `thinking`."""

EXAMPLES = """\
examples:
  pydantic-llm ask 'Why is the sky blue?'
  pydantic-llm ask -m anthropic:claude-sonnet-5-5 'What does this do?' --file main.py
  git diff | pydantic-llm ask 'Write a commit message for this change'
  pydantic-llm chat --history talk.json
  pydantic-llm serve -m openai:gpt-5.4-mini -m anthropic:claude-sonnet-5-5
  pydantic-llm ask -m test Hello          without a key or a network
"""


def build_parser() -> ArgumentParser:
    """Build the parser. The parsed arguments have a `command`, the function to call with them."""
    parser = ArgumentParser(
        'pydantic-llm',
        description='Ask, chat with and serve language models.',
        epilog=EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument('--version', action='version', version=f'pydantic-llm {__version__}')
    commands = parser.add_subparsers(metavar='ask | chat | models | serve', required=True)
    for name, (add_arguments, description) in COMMANDS.items():
        command = commands.add_parser(name, help=description, description=f'{description[0].upper()}{description[1:]}.')
        add_arguments(command)
        command.set_defaults(command=partial(_import_and_run, name))
    return parser


def _add_ask_options(parser: ArgumentParser) -> None:
    parser.add_argument('prompt', nargs='*', help='the question; the standard input is added to it, or used alone')
    _add_request_options(parser)
    parser.add_argument(
        '-f', '--file', type=Path, action='append', default=[], metavar='PATH', help='send this file too'
    )
    parser.add_argument('--no-stream', action='store_true', help='show the response when it is complete')


def _add_chat_options(parser: ArgumentParser) -> None:
    _add_request_options(parser)
    parser.add_argument(
        '--history', type=Path, metavar='FILE', help='continue the conversation in this JSON file, and save it there'
    )


def _add_models_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        'prefix', nargs='?', help="list the names that start with this, e.g. 'anthropic', or else those that contain it"
    )
    parser.add_argument('--live', action='store_true', help='ask the vendor or the server which models it has now')
    parser.add_argument('--base-url', metavar='URL', help='the address of the server to ask; implies --live')
    parser.add_argument('--json', action='store_true', help='print known names as JSON, with every price')


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


def _add_request_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        '-m', '--model', metavar='MODEL', help="e.g. 'openai:gpt-5.4-mini'; 'test' needs no key or network"
    )
    parser.add_argument('-s', '--system', metavar='TEXT', help='instructions for the model')
    parser.add_argument('-v', '--verbose', action='store_true', help='print the tokens and the time of each response')
    settings = parser.add_argument_group('settings')
    settings.add_argument('--temperature', type=float, metavar='N', help='how random the response is, from 0')
    settings.add_argument('--max-tokens', type=int, metavar='N', help='the most tokens that the response may have')
    settings.add_argument('--thinking', choices=THINKING, help='how much the model thinks before it responds')
    settings.add_argument('--seed', type=int, metavar='N', help='makes responses repeatable, as far as the vendor can')
    settings.add_argument(
        '--timeout', type=float, metavar='SECONDS', help='the most seconds until the response is complete'
    )


def _parse_port(text: str) -> int:
    if text.isdecimal() and int(text) < 65536:
        return int(text)
    raise ArgumentTypeError(f'a port is a number from 0 to 65535, not {text!r}')


def _import_and_run(name: str, arguments: Namespace) -> None:
    """Import the command and run it. So `models` does not load what `serve` and `chat` need."""
    getattr(import_module(f'.{name}', __package__), name)(arguments)


COMMANDS = {
    'ask': (_add_ask_options, 'ask one question'),
    'chat': (_add_chat_options, 'have a conversation'),
    'models': (_add_models_options, 'list vendors, or the models of one'),
    'serve': (_add_serve_options, "serve any model to the vendors' own clients (OpenAI's, Anthropic's)"),
}
"""The commands: the function that adds the options, and the help. Each is a function in its module of the same name."""
