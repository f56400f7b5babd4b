"""`pydantic-llm chat`: a conversation, which can be kept in a file.

A line that begins with `/` is a command; one that ends with a backslash goes on in the next; three double quotes begin
and end a text of many lines.
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
from .entry import sentence
from .turn import Turn, read_settings, tell

__all__ = ('Chat', 'chat', 'load_history', 'save_history')

HELP = """\
/model NAME   go on with another model
/usage        tell the tokens so far
/clear        forget the conversation
/exit         leave (or Ctrl-D)
A line that ends with \\ goes on in the next one; \"\"\" begins and ends a text of many lines."""


def chat(given: Namespace) -> None:
    """Talk until the user leaves."""
    with asyncio.Runner() as runner:
        talk = Chat(given, runner)
        try:
            tell(f'{talk.model.model_id}. /help tells what can be typed here, Ctrl-D leaves.')
            if talk.messages:
                tell(f'Going on with {len(talk.messages)} messages of {str(given.history)!r}.')
            while (text := read_input()) is not None:
                talk.hear(text)
                if talk.is_over:
                    break
        finally:
            runner.run(talk.model.aclose())


class Chat:
    """A conversation on the terminal."""

    def __init__(self, given: Namespace, runner: asyncio.Runner) -> None:
        self._runner = runner
        self._file: Path | None = given.history
        self._system: str | None = given.system
        self._verbose: bool = given.verbose
        self._settings = read_settings(given)
        self.messages = load_history(self._file)
        """The conversation so far."""
        self.usage = RunUsage()
        """What it cost since the program was started."""
        self.model = choose_model(given.model)
        """Who answers."""
        self.is_over = False
        """Whether the user has left."""
        self._commands: dict[str, Callable[[str], None]] = {
            '/help': lambda _: tell(HELP),
            '/usage': lambda _: tell(_spent(self.usage)),
            '/model': self._change_model,
            '/clear': self._clear,
            '/exit': self._exit,
            '/quit': self._exit,
        }

    def hear(self, text: str) -> None:
        """Take what was typed: a command, or something for the model."""
        name, _, rest = text.strip().partition(' ')
        if text.startswith('/'):
            command = self._commands.get(name)
            if command is None:
                tell(f'There is no {name!r}; /help tells what there is. Put a space before it to send it to the model.')
            else:
                command(rest.strip())
        elif text.strip():
            self._say(text.strip())

    def _say(self, text: str) -> None:
        """One turn. What had arrived before an interruption stays in the conversation, a failed turn does not."""
        request = ModelRequest([UserPromptPart(text)], instructions=self._system)
        turn = Turn(self.model, self._settings, verbose=self._verbose)
        response: ModelResponse | None
        try:
            response = self._runner.run(turn.take([*self.messages, request]))
        except KeyboardInterrupt:
            response = turn.so_far
            tell('Interrupted.')
        except LLMError as error:
            tell(f'{sentence(error)} (your message was not kept)')
            return
        if response is not None and response.text:
            self.usage.incr(response.usage)
            self.messages += [request, response]
            save_history(self._file, self.messages)

    def _change_model(self, name: str) -> None:
        try:
            model = choose_model(name or None)
        except UserError as error:
            tell(sentence(error))
            return
        self._runner.run(self.model.aclose())
        self.model = model
        tell(f'{model.model_id} goes on.')

    def _clear(self, _: str) -> None:
        self.messages.clear()
        save_history(self._file, self.messages)
        tell('The conversation is forgotten.')

    def _exit(self, _: str) -> None:
        self.is_over = True


def _spent(usage: RunUsage) -> str:
    plural = '' if usage.requests == 1 else 's'
    return f'{usage.requests} request{plural}, {usage.input_tokens} tokens in, {usage.output_tokens} out'


# ------------------------------------------------------------------------------------------------------- what is typed


def read_input() -> str | None:
    """What the user types next, which may be many lines; `None` at the end."""
    with suppress(ImportError):
        import_module('readline')  # it gives `input` a history, and keys to edit with
    ask = sys.stdin.isatty()
    try:
        text = input('> ' if ask else '')
        while text.endswith('\\') or _is_open(text):
            text = f'{text.removesuffix(chr(92))}\n{input("… " if ask else "")}'
    except (EOFError, KeyboardInterrupt) as left:
        print('\n' if ask else '', end='')
        return None if isinstance(left, EOFError) else ''
    stripped = text.strip()
    return stripped[3:-3].strip('\n') if stripped.startswith('"""') else text


def _is_open(text: str) -> bool:
    """Whether a text of many lines has begun and not ended."""
    stripped = text.strip()
    return stripped.startswith('"""') and (len(stripped) < 6 or not stripped.endswith('"""'))


# ---------------------------------------------------------------------------------------------------------- the file


def load_history(file: Path | None) -> list[ModelMessage]:
    """The conversation in a file; none where there is no file yet. Raises `UserError` where it holds something else."""
    if file is None or not file.exists():
        return []
    try:
        return ModelMessagesTypeAdapter.validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UserError(f'--history {str(file)!r} holds no conversation: {first["msg"]}') from None


def save_history(file: Path | None, messages: list[ModelMessage]) -> None:
    """Keep the conversation; the old file is there until the new one is whole."""
    if file is not None:
        new = file.with_name(f'.{file.name}.new')
        new.write_bytes(ModelMessagesTypeAdapter.dump_json(messages, indent=2))
        new.replace(file)
