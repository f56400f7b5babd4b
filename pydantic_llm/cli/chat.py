"""`pydantic-llm chat`: a conversation on the terminal, which the log keeps, and `--history` in a file.

Reading order: `chat_state` is the conversation, `chat_commands` the commands that start with `/`, `chat_input` reads
the lines.
"""

from __future__ import annotations

import asyncio
from argparse import Namespace

from ..exceptions import LLMError, UserError
from .chat_commands import COMMANDS
from .chat_input import read_input
from .chat_state import Chat
from .conversation import open_session
from .errors import UsageError, describe_error
from .notes import print_note
from .settings import read_settings
from .templates import apply_template, fill_prompt

__all__ = ('chat',)


def chat(arguments: Namespace) -> None:
    """Run a conversation until the user leaves."""
    template = apply_template(arguments)
    settings = read_settings(arguments)
    with asyncio.Runner() as runner:
        session = open_session(arguments, settings)
        talk = Chat(arguments, session, runner)
        try:
            talk.open_toolsets()
            talk.attach(arguments.attach)
            print_note(f'{session.model.model_id}. /help lists the commands, Ctrl-D leaves.')
            if session.messages:
                where = f' from {str(arguments.history)!r}' if arguments.history else ''
                print_note(f'Continuing with {len(session.messages)} messages{where}.')
            while not talk.is_over and (text := read_input()) is not None:
                handle_input(talk, text if text.startswith('/') else fill_prompt(template, text, arguments))
        finally:
            runner.run(talk.aclose())


def handle_input(talk: Chat, text: str) -> None:
    """Run a command, or send a prompt. An error is a note."""
    name, _, rest = text.strip().partition(' ')
    try:
        if text.startswith('/'):
            if (command := COMMANDS.get(name)) is None:
                raise UserError(
                    f'There is no command {name!r}; /help lists them. To send it to the model, start with a space.'
                )
            command.run(talk, rest.strip())
        elif text.strip() or talk.files:
            talk.send([*talk.files, *([text.strip()] if text.strip() else [])])
    except (LLMError, UsageError, OSError) as error:
        print_note(describe_error(error))
