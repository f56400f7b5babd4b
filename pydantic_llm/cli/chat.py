"""`pydantic-llm chat`: a conversation on the terminal, which can be saved in a file.

A line that starts with `/` is a command. A line that ends with a backslash continues in the next line. Three double
quotes start and end a text of several lines.
"""

from __future__ import annotations

import asyncio
import sys
from argparse import Namespace
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from pydantic import ValidationError

from ..exceptions import LLMError, UserError
from ..messages import ModelMessage, ModelMessagesTypeAdapter, ModelRequest, ModelResponse, UserPromptPart
from ..usage import RunUsage
from .choice import choose_model
from .errors import describe_error
from .turn import Turn, print_note, read_settings

__all__ = ('Chat', 'chat', 'load_history', 'save_history')

HELP = """\
/model NAME   continue with another model
/usage        show the tokens used so far
/clear        delete the conversation
/exit         leave (or Ctrl-D)
A line that ends with \\ continues in the next line; \"\"\" starts and ends a text of several lines."""


def chat(arguments: Namespace) -> None:
    """Run a conversation until the user leaves."""
    with asyncio.Runner() as runner:
        conversation = Chat(arguments, runner)
        try:
            print_note(f'{conversation.model.model_id}. /help lists the commands, Ctrl-D leaves.')
            if conversation.messages:
                print_note(f'Continuing with {len(conversation.messages)} messages from {str(arguments.history)!r}.')
            while (text := read_input()) is not None:
                conversation.handle_input(text)
                if conversation.is_over:
                    break
        finally:
            runner.run(conversation.model.aclose())


class Chat:
    """A conversation on the terminal."""

    def __init__(self, arguments: Namespace, runner: asyncio.Runner) -> None:
        self._runner = runner
        self._file: Path | None = arguments.history
        self._system: str | None = arguments.system
        self._verbose: bool = arguments.verbose
        self._settings = read_settings(arguments)
        self.messages = load_history(self._file)
        """The conversation, from the oldest message to the newest."""
        self.usage = RunUsage()
        self.model = choose_model(arguments.model)
        self.is_over = False
        self._commands: dict[str, Callable[[str], None]] = {
            '/help': lambda _: print_note(HELP),
            '/usage': lambda _: print_note(_format_usage(self.usage)),
            '/model': self._change_model,
            '/clear': self._clear,
            '/exit': self._exit,
            '/quit': self._exit,
        }

    def handle_input(self, text: str) -> None:
        name, _, rest = text.strip().partition(' ')
        if text.startswith('/'):
            command = self._commands.get(name)
            if command is None:
                print_note(
                    f'There is no command {name!r}; /help lists them. To send it to the model, start with a space.'
                )
            else:
                command(rest.strip())
        elif text.strip():
            self._send(text.strip())

    def _send(self, text: str) -> None:
        """Send a prompt to the model and show the response.

        Add both to the conversation, also if Ctrl-C interrupted the response, but not if the request failed.
        """
        request = ModelRequest([UserPromptPart(text)], instructions=self._system)
        turn = Turn(self.model, self._settings, verbose=self._verbose)
        response: ModelResponse | None
        try:
            response = self._runner.run(turn.run([*self.messages, request]))
        except KeyboardInterrupt:
            response = turn.partial_response
            print_note('Interrupted.')
        except LLMError as error:
            print_note(f'{describe_error(error)} (your message is not in the conversation)')
            return
        if response is not None and response.text:
            self.usage.incr(response.usage)
            self.messages += [request, response]
            save_history(self._file, self.messages)

    def _change_model(self, name: str) -> None:
        try:
            model = choose_model(name or None)
        except UserError as error:
            print_note(describe_error(error))
            return
        self._runner.run(self.model.aclose())
        self.model = model
        print_note(f'Continuing with {model.model_id}.')

    def _clear(self, _: str) -> None:
        self.messages.clear()
        save_history(self._file, self.messages)
        print_note('The conversation is deleted.')

    def _exit(self, _: str) -> None:
        self.is_over = True


def _format_usage(usage: RunUsage) -> str:
    plural = '' if usage.requests == 1 else 's'
    return f'{usage.requests} request{plural}, {usage.input_tokens} tokens in, {usage.output_tokens} out'


# ------------------------------------------------------------------------------------------------------- the input


def read_input() -> str | None:
    """Read the user's next input, of one or several lines. Return `None` at the end of the input, '' after Ctrl-C."""
    with suppress(ImportError):
        import_module('readline')  # adds a history and editing keys to `input`
    is_terminal = sys.stdin.isatty()
    try:
        text = input('> ' if is_terminal else '')
        while text.endswith('\\') or _has_open_quotes(text):
            text = f'{text.removesuffix(chr(92))}\n{input("… " if is_terminal else "")}'
    except (EOFError, KeyboardInterrupt) as error:
        print('\n' if is_terminal else '', end='')
        return None if isinstance(error, EOFError) else ''
    stripped = text.strip()
    return stripped[3:-3].strip('\n') if stripped.startswith('"""') else text


def _has_open_quotes(text: str) -> bool:
    """Return whether three double quotes start the text and none end it."""
    stripped = text.strip()
    return stripped.startswith('"""') and (len(stripped) < 6 or not stripped.endswith('"""'))


# ---------------------------------------------------------------------------------------------------------- the file


def load_history(file: Path | None) -> list[ModelMessage]:
    """Load a conversation, which is empty if the file does not exist. Raises `UserError` if the file is invalid."""
    if file is None or not file.exists():
        return []
    try:
        return ModelMessagesTypeAdapter.validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UserError(f'--history {str(file)!r} is not a conversation: {first["msg"]}') from None


def save_history(file: Path | None, messages: list[ModelMessage]) -> None:
    """Save a conversation. The old file is replaced when the new one is complete."""
    if file is not None:
        new = file.with_name(f'.{file.name}.new')
        new.write_bytes(ModelMessagesTypeAdapter.dump_json(messages, indent=2))
        new.replace(file)
