"""`Chat`: a conversation on the terminal, and the file of `--history`."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from contextlib import AsyncExitStack
from pathlib import Path

from pydantic import ValidationError

from ..exceptions import LLMError, UserError
from ..messages import ModelMessage, ModelMessagesTypeAdapter, ModelResponse, UserContent
from ..usage import RunUsage
from .attachments import read_attachment
from .choice import build_model, choose_name
from .conversation import keep_turn
from .errors import UsageError, describe_error
from .images import save_files, show_image
from .notes import print_note
from .session import Session
from .turn import Turn
from .usage_line import sum_usage

__all__ = ('Chat', 'load_history', 'save_history')


class Chat:
    """A conversation on the terminal."""

    def __init__(self, arguments: Namespace, session: Session, runner: asyncio.Runner) -> None:
        self.session = session
        self.usage: RunUsage = RunUsage()
        self.is_over = False
        self.files: list[UserContent] = []
        """The files to send with the next prompt."""
        self.last_start: int | None = None
        """The index in the messages of the last prompt; `None` before the first one."""
        self.last_prompt: list[UserContent] = []
        self._runner = runner
        self._stack = AsyncExitStack()
        self._open_toolsets = 0
        self.approve: bool = arguments.approve
        """True if the user approves each tool call."""
        self._files_to: Path = arguments.files_to
        self._history: Path | None = arguments.history
        if self._history is not None:
            if session.messages:
                raise UsageError('--history and --continue do not go together')
            session.messages = load_history(self._history)

    def open_toolsets(self) -> None:
        """Open the toolsets that are not open yet. A server of tools then keeps its state from prompt to prompt."""
        for toolset in self.session.toolsets[self._open_toolsets :]:
            self._runner.run(self._stack.enter_async_context(toolset))
            self._open_toolsets += 1

    async def aclose(self) -> None:
        """Close the toolsets and the model."""
        await self._stack.aclose()
        await self.session.model.aclose()

    def attach(self, names: list[str]) -> None:
        """Read files, which are sent with the next prompt."""
        for name in names:
            self.files.append(self._runner.run(read_attachment(name)))

    def send(self, content: list[UserContent]) -> None:
        """Send a prompt to the model and show the response.

        Add both to the conversation, also if Ctrl-C interrupted the response, but not if the request failed.
        """
        session = self.session
        turn = Turn(session, content[0] if len(content) == 1 and isinstance(content[0], str) else content)
        start = len(session.messages)
        try:
            self._runner.run(turn.run())
        except KeyboardInterrupt:
            print_note('Interrupted.')
        except LLMError as error:
            print_note(f'{describe_error(error)} (your message is not in the conversation)')
            return
        if keep_turn(session, turn):
            self.last_start, self.last_prompt, self.files = start, content, []
            self.usage.incr(sum_usage(turn.responses))
            self._show_files(turn.response)
            self.save()

    def _show_files(self, response: ModelResponse) -> None:
        for file, path in zip(response.files, save_files(response, self._files_to), strict=True):
            show_image(file)
            print_note(f'Saved as {path}')

    def save(self) -> None:
        """Save the conversation in the file of `--history`."""
        if self._history is not None:
            save_history(self._history, self.session.messages)

    def change_model(self, name: str) -> None:
        """Continue with another model."""
        session = self.session
        choice = choose_name(name or None)
        model = build_model(choice.name)
        self._runner.run(session.model.aclose())
        session.model, session.name, session.base_url = model, choice.name, None
        print_note(f'Continuing with {model.model_id}.')

    def take_back(self) -> list[UserContent]:
        """Remove the last prompt and its response from the conversation, and return the prompt. Raises `UserError`."""
        if self.last_start is None:
            raise UserError('There is no prompt to send again')
        del self.session.messages[self.last_start :]
        self.last_start = None
        return self.last_prompt


# ---------------------------------------------------------------------------------------------------------- the file


def load_history(file: Path) -> list[ModelMessage]:
    """Load a conversation, which is empty if the file does not exist. Raises `UserError` if the file is invalid."""
    if not file.exists():
        return []
    try:
        return ModelMessagesTypeAdapter.validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UserError(f'--history {str(file)!r} is not a conversation: {first["msg"]}') from None


def save_history(file: Path, messages: list[ModelMessage]) -> None:
    """Save a conversation. The old file is replaced when the new one is complete."""
    file = file.resolve()  # a link stays
    new = file.with_name(f'.{file.name}.new')
    new.write_bytes(ModelMessagesTypeAdapter.dump_json(messages, indent=2))
    new.replace(file)
