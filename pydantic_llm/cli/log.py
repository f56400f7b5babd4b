"""The log of questions and responses: an SQLite file that only its owner may read, and that never holds a key.

An *exchange* is a prompt with all messages up to the response. A conversation has the number of its first exchange.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..exceptions import UserError
from ..messages import BinaryContent, FileUrl, ModelMessage, ModelRequest, ModelResponse, UserPromptPart
from ..transport.keys import MIN_KEY_LENGTH, hide_keys
from .folders import home_folder, make_private, read_config
from .notes import print_note
from .texts import encode_json, replace_surrogates

__all__ = ('LOG_VARIABLE', 'Entry', 'Log', 'OldConversation', 'is_log_on', 'log_path', 'open_log', 'read_conversation')

LOG_VARIABLE = 'PYDANTIC_LLM_LOG'
"""The environment variable that switches the log off (`0`, `off`) or on (`1`), in place of `logs off`."""

OFF_WORDS = ('0', 'off', 'false', 'no')

SCHEMA = """
create table if not exists exchanges (
    id integer primary key,
    conversation integer not null,
    time text not null,
    model text not null,
    base_url text,
    system text,
    response_model text,
    prompt text not null,
    response text not null,
    input_tokens integer not null,
    output_tokens integer not null,
    seconds real not null,
    messages text not null
);
create index if not exists exchanges_of_a_conversation on exchanges (conversation);
"""

TABLES_VERSION = 1
"""The version of the tables, in `user_version` of the file."""

KEY_SUFFIXES = ('_KEY', '_TOKEN', '_SECRET', '_PAT', '_PASSWORD', '_TOKEN_BEDROCK')
"""The ends of the names of environment variables whose values are not written."""

NOT_STORED = {
    field.name for kind in (ModelRequest, ModelResponse) for field in fields(kind) if 'exclude' in field.metadata
}
"""The fields of messages that are never in their JSON, such as the headers of a response."""

MAX_INTEGER = 2**63 - 1
"""The largest number in a query: https://www.sqlite.org/datatype3.html"""

WAIT_SECONDS = 5
"""The time to wait for another process that writes."""


@dataclass
class Entry:
    """An exchange to write."""

    model: str
    base_url: str | None
    system: str | None
    messages: Sequence[ModelMessage]
    response: str
    """The text of the last response, or the object of a schema as JSON."""
    seconds: float


@dataclass
class OldConversation:
    """A conversation from the log."""

    id: int
    model: str
    base_url: str | None
    system: str | None
    messages: list[ModelMessage]


def log_path() -> Path:
    """Return the path of the file, which may not exist yet."""
    return home_folder() / 'logs.db'


def is_log_on() -> bool:
    """Return whether requests are written: the environment variable wins over the configuration."""
    if word := os.environ.get(LOG_VARIABLE):
        return word.lower() not in OFF_WORDS
    return read_config().get('log', True) is not False


def open_log() -> Log | None:
    """Return the log, or `None` if it is switched off."""
    return Log(log_path()) if is_log_on() else None


def read_conversation(id: int | None) -> OldConversation:
    """Return a conversation, or the last one. Raises `UserError` if it does not exist."""
    return Log(log_path()).read_conversation(id)


class Log:
    """The log in a file. The file is opened for each operation, so that several processes can use it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, entry: Entry, conversation: int | None) -> int | None:
        """Write an exchange, and return the number of its conversation. A failure is a note, not an error."""
        row = _build_row(entry)
        try:
            make_private(self.path)
            with self._connect() as database:
                number: int = database.execute('select coalesce(max(id), 0) + 1 from exchanges').fetchone()[0]
                conversation = conversation or number
                row = {'id': number, 'conversation': conversation, **row}
                names = ', '.join(row)
                marks = ', '.join(f':{name}' for name in row)
                database.execute(f'insert into exchanges ({names}) values ({marks})', row)
        except (sqlite3.Error, OSError, UserError) as error:
            print_note(f'Note: this was not written to the log: {error}.')
        return conversation

    def read_conversation(self, id: int | None) -> OldConversation:
        """Return the conversation with this number, or with an exchange of this number; the last one for `None`."""
        from ..messages import ModelMessagesTypeAdapter

        rows = self.select('id = ?' if id is not None else '1', [] if id is None else [id], limit=1)
        if not rows:
            missing = 'The log has no conversation' if id is None else f'The log has no conversation {id}'
            raise UserError(f'{missing}: `pydantic-llm logs list` lists them')
        number = rows[0]['conversation']
        exchanges = self.select('conversation = ?', [number], limit=0)[::-1]
        try:
            messages = [
                message for row in exchanges for message in ModelMessagesTypeAdapter.validate_json(row['messages'])
            ]
        except ValueError as error:
            raise UserError(f'The conversation {number} of the log cannot be read: {error}') from None
        last = exchanges[-1]
        return OldConversation(number, last['model'], last['base_url'], last['system'], messages)

    def select(self, where: str, values: Iterable[Any], *, limit: int) -> list[dict[str, Any]]:
        """Return exchanges, the newest first; all if `limit` is 0."""
        if not self.path.exists():
            return []
        with self._connect() as database:
            query = f'select * from exchanges where {where} order by id desc limit ?'
            numbers = [min(each, MAX_INTEGER) if isinstance(each, int) else each for each in (*values, limit or -1)]
            return [dict(row) for row in database.execute(query, numbers)]

    @contextmanager
    def _connect(self) -> Generator[sqlite3.Connection]:
        """Open the file within a transaction that writes at once. Raises `UserError` for a file of another program."""
        with self._explain_errors(), closing(self._open_database()) as database:
            if database.execute('pragma user_version').fetchone()[0] > TABLES_VERSION:
                raise UserError(f'The log {str(self.path)!r} was written by a newer version of this program')
            database.create_function('has_words', 2, _has_words, deterministic=True)
            database.execute('begin immediate')
            if database.execute('pragma user_version').fetchone()[0] == 0:
                for statement in SCHEMA.split(';'):
                    database.execute(statement)
                database.execute(f'pragma user_version = {TABLES_VERSION}')
            yield database
            database.execute('commit')

    def _open_database(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, timeout=WAIT_SECONDS, isolation_level=None)
        database.row_factory = sqlite3.Row
        return database

    @contextmanager
    def _explain_errors(self) -> Generator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            # its subclasses are for a file that is locked, read-only or on a full disk
            hint = '; `pydantic-llm logs clear` deletes it' if type(error) is sqlite3.DatabaseError else ''
            raise UserError(f'The log {str(self.path)!r} cannot be used: {error}{hint}') from None


def _has_words(text: str, words: str) -> bool:
    """Return whether a text has all of the words, without regard to case."""
    folded = text.casefold()
    return all(word in folded for word in words.casefold().split())


# ---------------------------------------------------------------------- from an exchange to a row


def _build_row(entry: Entry) -> dict[str, Any]:
    responses = [message for message in entry.messages if isinstance(message, ModelResponse)]
    keys = [*_find_keys()]
    row = {
        'time': datetime.now(UTC).isoformat(timespec='seconds'),
        'model': entry.model,
        'base_url': None if entry.base_url is None else _hide_password(entry.base_url),
        'system': entry.system,
        'response_model': responses[-1].model_name,
        'prompt': describe_prompt(entry.messages),
        'response': entry.response,
        'input_tokens': sum(response.usage.input_tokens for response in responses),
        'output_tokens': sum(response.usage.output_tokens for response in responses),
        'seconds': round(entry.seconds, 3),
        'messages': encode_messages(entry.messages),
    }
    return {
        name: hide_keys(replace_surrogates(value), keys) if isinstance(value, str) else value
        for name, value in row.items()
    }


def _hide_password(url: str) -> str:
    from ..providers.credentials import hide_password  # its package imports HTTP clients

    return hide_password(url)


def encode_messages(messages: Sequence[ModelMessage]) -> str:
    """Return messages as the JSON that `ModelMessagesTypeAdapter` reads, without building its schema, which is slow."""
    return encode_json([*messages], exclude={'__all__': NOT_STORED})


def describe_prompt(messages: Sequence[ModelMessage]) -> str:
    """Return the user's text, with the names of the files."""
    lines: list[str] = []
    for message in messages:
        for part in message.parts if isinstance(message, ModelRequest) else ():
            if isinstance(part, UserPromptPart):
                lines += map(_describe_item, part.items())
    return '\n'.join(lines)


def _describe_item(item: object) -> str:
    match item:
        case str():
            return item
        case BinaryContent(identifier=name):
            return f'[{name}]'
        case FileUrl(url=url):
            return f'[{url}]'
        case _:
            return f'[{type(item).__name__}]'


def _find_keys() -> Iterator[str]:
    """Yield the values of environment variables that look like keys. A server or a user may have repeated them."""
    for name, value in os.environ.items():
        if name.endswith(KEY_SUFFIXES) and len(value) >= MIN_KEY_LENGTH:
            yield value
