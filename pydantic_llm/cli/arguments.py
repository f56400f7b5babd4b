"""What can be typed: the commands, their options, and what their help says."""

from __future__ import annotations

import os
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from pathlib import Path

from .. import __version__

__all__ = ('UsageError', 'build_parser')

KEY_VARIABLE = 'PYDANTIC_LLM_SERVE_KEY'
"""Where the key of a server can stand, so that the list of processes does not show it."""

EXAMPLES = """\
examples:
  pydantic-llm ask 'Why is the sky blue?'
  pydantic-llm ask -m anthropic:claude-sonnet-4-5 'What does this do?' --file main.py
  git diff | pydantic-llm ask 'Write a commit message for this change'
  pydantic-llm chat --history talk.json
  pydantic-llm serve -m openai:gpt-4o -m anthropic:claude-sonnet-4-5
  pydantic-llm ask -m test Hello          without a key or a network
"""

THINKING = {'on': True, 'off': False, 'minimal': 'minimal', 'low': 'low', 'medium': 'medium', 'high': 'high'}
"""What --thinking takes, as the setting."""


class UsageError(Exception):
    """What was typed makes no sense together."""


def build_parser() -> ArgumentParser:
    """The parser. What it gives has `command`, a function that takes it all."""
    parser = ArgumentParser(
        'pydantic-llm',
        description='Ask, chat with and serve language models.',
        epilog=EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument('--version', action='version', version=f'pydantic-llm {__version__}')
    commands = parser.add_subparsers(metavar='ask | chat | models | serve', required=True)
    for name, (add_arguments, run, description) in COMMANDS.items():
        command = commands.add_parser(name, help=description, description=f'{description[0].upper()}{description[1:]}.')
        add_arguments(command)
        command.set_defaults(command=run)
    return parser


def _add_ask(parser: ArgumentParser) -> None:
    parser.add_argument(
        'prompt', nargs='*', help='the question; what is piped in is added to it, or is the whole of it'
    )
    _add_request(parser)
    parser.add_argument('-f', '--file', type=Path, action='append', default=[], metavar='PATH', help='send a file, too')
    parser.add_argument('--no-stream', action='store_true', help='show the answer when all of it is there')


def _add_chat(parser: ArgumentParser) -> None:
    _add_request(parser)
    parser.add_argument(
        '--history', type=Path, metavar='FILE', help='go on with the conversation in this JSON file, and keep it there'
    )


def _add_models(parser: ArgumentParser) -> None:
    parser.add_argument(
        'prefix', nargs='?', help="the names that begin with this, e.g. 'anthropic', or else contain it"
    )
    parser.add_argument('--live', action='store_true', help='ask the vendor, or the server, which models it has now')
    parser.add_argument('--base-url', metavar='URL', help='where the server is that is asked; implies --live')


def _add_serve(parser: ArgumentParser) -> None:
    parser.add_argument(
        '-m', '--model', action='append', metavar='MODEL', help='a model to serve; can be given several times'
    )
    parser.add_argument('--host', default='127.0.0.1', help='where to listen (default: %(default)s, this machine only)')
    parser.add_argument('--port', type=_port, default=8000, help='the port (default: %(default)s; 0 is a free one)')
    parser.add_argument(
        '--key',
        default=os.environ.get(KEY_VARIABLE),
        help=f'the key that clients must bring; also read from {KEY_VARIABLE}',
    )


def _add_request(parser: ArgumentParser) -> None:
    parser.add_argument('-m', '--model', metavar='MODEL', help="e.g. 'openai:gpt-4o'; 'test' needs no key or network")
    parser.add_argument('-s', '--system', metavar='TEXT', help='what the model shall be told of its task')
    parser.add_argument('-v', '--verbose', action='store_true', help='tell the tokens and the time of each answer')
    settings = parser.add_argument_group('settings')
    settings.add_argument('--temperature', type=float, metavar='N', help='how random the answer is, from 0')
    settings.add_argument('--max-tokens', type=int, metavar='N', help='the most tokens that the answer may have')
    settings.add_argument('--thinking', choices=THINKING, help='how long the model thinks before it answers')
    settings.add_argument('--seed', type=int, metavar='N', help='makes answers repeatable, as far as the vendor can')
    settings.add_argument('--timeout', type=float, metavar='SECONDS', help='until the whole answer must be there')


def _port(text: str) -> int:
    if text.isdecimal() and int(text) < 65536:
        return int(text)
    raise ArgumentTypeError(f'a port is a number from 0 to 65535, not {text!r}')


# A command is imported when it is called: `models` needs neither a server nor a terminal.


def _ask(given: Namespace) -> None:
    from .ask import ask

    ask(given)


def _chat(given: Namespace) -> None:
    from .chat import chat

    chat(given)


def _models(given: Namespace) -> None:
    from .models import models

    models(given)


def _serve(given: Namespace) -> None:
    from .serve import serve

    serve(given)


COMMANDS = {
    'ask': (_add_ask, _ask, 'ask one question'),
    'chat': (_add_chat, _chat, 'have a conversation'),
    'models': (_add_models, _models, 'list vendors, or the models of one'),
    'serve': (_add_serve, _serve, "answer the vendors' own clients (OpenAI's, Anthropic's) with any model"),
}
"""The commands: what can be typed behind each, what runs, and what it does."""
