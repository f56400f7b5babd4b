"""`pydantic-llm chat`: its commands, and a conversation on a real terminal."""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pydantic_llm.messages import BinaryContent, FilePart, ModelRequest, TextPart, UserPromptPart

from .conftest import Cli, Scripted


def prompts(script: Scripted) -> list[object]:
    """Return the prompts of the last request."""
    requests = [message for message in script.last_request if isinstance(message, ModelRequest)]
    return [part.content for request in requests for part in request.parts if isinstance(part, UserPromptPart)]


def chat(cli: Cli, *lines: str, arguments: tuple[str, ...] = ()) -> tuple[str, list[str]]:
    """Return the output and the notes of a chat with these lines, without the greeting."""
    run = cli('chat', '-m', 'scripted:a', *arguments, stdin=''.join(f'{line}\n' for line in lines))
    assert run.code == 0, run.err
    greeting, *notes = run.err.splitlines()
    assert greeting.endswith('/help lists the commands, Ctrl-D leaves.')
    return run.out, notes


def test_a_conversation_keeps_its_messages_and_is_logged(cli: Cli, scripted: Scripted) -> None:
    scripted.responses = ['One', 'Two', 'Three']
    assert chat(cli, 'First', '', 'Second') == ('One\nTwo\n', [])
    assert prompts(scripted) == ['First', 'Second']
    out, notes = chat(cli, 'Third', arguments=('-c',))
    assert (out, notes) == ('Three\n', ['Continuing with 4 messages.'])
    assert prompts(scripted) == ['First', 'Second', 'Third']
    assert [row['conversation'] for row in json.loads(cli('logs', 'list', '--json').out)] == [1, 1, 1]


def test_a_file_is_sent_with_the_next_message_alone(cli: Cli, scripted: Scripted, tmp_path: Path) -> None:
    (tmp_path / 'a.py').write_text('x = 1')
    _, notes = chat(cli, '/file', '/file a.py', '/file none.py', 'Is it right?', 'Sure?')
    assert notes == [
        'No file is attached: /file PATH or URL',
        'With your next message: a.py.',
        "'none.py' cannot be used: No such file or directory",
    ]
    [[file, text], last] = [item if isinstance(item, list) else [item] for item in prompts(scripted)]
    assert (file.identifier, text, last) == ('a.py', 'Is it right?', ['Sure?'])


def test_the_system_prompt_can_be_changed(cli: Cli, scripted: Scripted) -> None:
    _, notes = chat(cli, '/system', '/system Be brief.', 'hi', '/system -', 'ho', arguments=('-s', 'Be long.'))
    assert notes == [
        'System prompt: Be long.',
        'System prompt: Be brief.',
        'System prompt: none (/system TEXT sets one)',
    ]
    assert [info.instructions for _, info in scripted.requests] == ['Be brief.', None]


def test_the_last_message_is_sent_again(cli: Cli, scripted: Scripted) -> None:
    scripted.responses = ['One', 'Two', 'Zwei']
    out, notes = chat(cli, '/retry', 'First', 'Second', '/retry')
    assert (out, notes) == ('One\nTwo\nZwei\n', ['There is no prompt to send again'])
    assert prompts(scripted) == ['First', 'Second']


def test_a_message_is_written_in_an_editor(
    cli: Cli, scripted: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert chat(cli, '/edit')[1] == ['Set the environment variable EDITOR, e.g. to nano']
    editor = tmp_path / 'editor.sh'
    editor.write_text('#!/bin/sh\nprintf " and more\\nlines" >> "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv('EDITOR', str(editor))
    chat(cli, 'First', '/edit')
    assert prompts(scripted) == ['First', 'First and more\nlines']
    monkeypatch.setenv('EDITOR', 'false')
    assert "The editor 'false' failed" in chat(cli, '/edit')[1][0]


def test_tools_are_listed_added_and_called(cli: Cli, scripted: Scripted, tmp_path: Path) -> None:
    (tmp_path / 'tools.py').write_text('def add(a: int) -> int:\n    """Add one.\n\n    More."""\n    return a + 1\n')
    _, notes = chat(cli, '/tools', '/tools tools.py:add', '/tools tools.py:sub', 'hi')
    assert notes[0].startswith('No tools: /tools module:function')
    assert notes[1:] == ['add                Add one.', "--tool 'tools.py:sub': 'tools.py' has no 'sub'"]
    assert [tool.name for tool in scripted.requests[-1][1].function_tools] == ['add']


def test_a_conversation_is_saved(cli: Cli, scripted: Scripted, tmp_path: Path) -> None:
    scripted.responses = ['One']
    _, notes = chat(cli, 'First', '/save talk.md', '/save talk.json', '/save')
    assert notes[:2] == ['Saved as talk.md', 'Saved as talk.json']
    assert notes[2].startswith('/save needs a path')
    assert (tmp_path / 'talk.md').read_text() == '## User\n\nFirst\n\n## Model\n\nOne\n'
    assert chat(cli, 'Second', arguments=('--history', 'talk.json'))[0] == 'Yes.\n'
    assert prompts(scripted) == ['First', 'Second']
    assert len(json.loads((tmp_path / 'talk.json').read_text())) == 4


def test_a_file_that_is_no_conversation_is_one_line(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / 'talk.json').write_text('{}')
    run = cli('chat', '-m', 'test', '--history', 'talk.json', stdin='hi\n')
    assert (run.code, run.err.count('\n')) == (1, 1)
    assert "--history 'talk.json' is not a conversation" in run.err


def test_a_new_conversation_begins_after_clear(cli: Cli, scripted: Scripted) -> None:
    _, notes = chat(cli, 'First', '/clear', 'Second', '/usage', '/exit', 'Never sent')
    assert prompts(scripted) == ['Second']
    assert notes[0] == 'The conversation is deleted; the log keeps it.'
    assert notes[1].startswith('2 requests, ')
    assert [row['conversation'] for row in json.loads(cli('logs', 'list', '--json').out)] == [1, 2]


def test_an_error_leaves_the_conversation_as_it_was(cli: Cli, scripted: Scripted) -> None:
    from pydantic_llm.exceptions import UserError

    scripted.responses = ['One', UserError('Not today'), 'Three']
    out, notes = chat(cli, 'First', 'Second', '/nope', '/model nope:x', 'Third')
    assert out == 'One\nThree\n'
    assert notes[0] == 'Not today (your message is not in the conversation)'
    assert notes[1].startswith("There is no command '/nope'; /help lists them.")
    assert notes[2].startswith("There is no model prefix 'nope'")
    assert prompts(scripted) == ['First', 'Third']


def test_help_lists_every_command(cli: Cli, scripted: Scripted) -> None:
    _, notes = chat(cli, '/help')
    listed = {line.split()[0] for line in notes if line.startswith('/')}
    wanted = '/help /file /system /tools /model /retry /edit /save /usage /clear /exit'
    assert listed == {*wanted.split()}


def test_a_message_may_have_several_lines(cli: Cli, scripted: Scripted) -> None:
    chat(cli, 'one\\', 'two', '"""', 'three', '/four', '"""')
    assert prompts(scripted) == ['one\ntwo', 'three\n/four']


def test_an_image_of_the_model_is_saved(cli: Cli, scripted: Scripted, tmp_path: Path) -> None:
    image = BinaryContent(b'\x89PNG', media_type='image/png', identifier='abc')
    scripted.responses = [[FilePart(image), TextPart('Here.')]]
    out, notes = chat(cli, 'Draw', arguments=('--files-to', 'pictures', '--no-stream'))
    assert (out, notes) == ('Here.\n', ['Saved as pictures/image-abc.png'])
    assert (tmp_path / 'pictures' / 'image-abc.png').read_bytes() == b'\x89PNG'


# ------------------------------------------------------------------------------------------------------ a real terminal


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.shown = ''

    def type(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def interrupt(self) -> None:
        """Type Ctrl-C at a prompt until there is a new one.

        Python does not notice one that comes after the prompt and before its `readline` waits for keys.
        """
        for _ in range(10):
            self.type('\x03')
            with suppress(AssertionError):
                self.expect('> ', seconds=3)
                return
        raise AssertionError(self.shown)

    def expect(self, text: str, seconds: float = 30) -> str:
        """Wait until a text is shown, and return what was shown up to it, once."""
        end = time.monotonic() + seconds
        while text not in self.shown:
            assert time.monotonic() < end, self.shown
            if select.select([self._descriptor], [], [], 1)[0]:
                self.shown += os.read(self._descriptor, 4096).decode(errors='replace')
        before, _, self.shown = self.shown.partition(text)
        return before


@contextmanager
def open_terminal(*arguments: str) -> Iterator[Terminal]:
    import pty

    pid, descriptor = pty.fork()
    if pid == 0:
        os.environ.update(PYTHONPATH=str(Path(__file__).parents[2]), TERM='xterm', COLUMNS='80', EDITOR='false')
        os.execv(sys.executable, [sys.executable, '-m', 'pydantic_llm', *arguments])
    try:
        yield Terminal(descriptor)
    finally:
        os.close(descriptor)
        os.waitpid(pid, 0)


@pytest.mark.filterwarnings('ignore:This process .* is multi-threaded:DeprecationWarning')
def test_a_chat_on_a_terminal(tmp_path: Path) -> None:
    (tmp_path / 'tools.py').write_text('def add(a: int) -> int:\n    return a + 1\n')
    with open_terminal('chat', '-m', 'test', '--tool', 'tools.py:add', '--approve') as terminal:
        terminal.expect('Ctrl-D leaves.')
        terminal.expect('> ')
        terminal.type('Add one\n')
        terminal.expect('Call add({"a":0})? [y/N] ')
        terminal.type('n\n')
        terminal.expect('add was not called')
        terminal.expect('The user did not approve this call.')
        terminal.expect('> ')
        terminal.type('/retry\n')
        terminal.expect('[y/N] ')
        terminal.type('y\n')
        terminal.expect('{"add":1}')
        terminal.expect('> ')
        terminal.interrupt()  # discards the line
        terminal.type('/usage\n')
        terminal.expect('4 requests')
        terminal.expect('> ')
        terminal.type('\x04')
        terminal.expect('\n')
