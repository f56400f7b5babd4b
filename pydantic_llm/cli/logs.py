"""`pydantic-llm logs`: show, search and switch the log."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from datetime import datetime
from typing import Any

from ..exceptions import UserError
from .folders import config_path, read_config, write_private
from .log import LOG_VARIABLE, Log, is_log_on, log_path
from .notes import LINE_WIDTH, print_note
from .results import extract_code, print_text

__all__ = ('logs',)

COLUMNS = ('id', 'conversation', 'time', 'model', 'base_url', 'system', 'response_model', 'prompt', 'response')
COUNTS = ('input_tokens', 'output_tokens', 'seconds')


def logs(arguments: Namespace) -> None:
    """Run one action on the log. Raises `UserError` for a row that another program has changed."""
    try:
        _run_action(arguments)
    except (ValueError, TypeError) as error:
        raise UserError(f'The log {str(log_path())!r} has a row that cannot be read: {error}') from None


def _run_action(arguments: Namespace) -> None:
    match arguments.action:
        case 'show':
            _show(arguments)
        case 'search':
            _print_rows(arguments, ' '.join(arguments.words))
        case 'path':
            print(log_path())
        case 'on' | 'off':
            _switch(is_on=arguments.action == 'on')
        case 'status':
            _print_status()
        case 'clear':
            log_path().unlink(missing_ok=True)
            print_note('The log is deleted.')
        case _:
            _print_rows(arguments, '')


def _print_rows(arguments: Namespace, words: str) -> None:
    """Print one line for each exchange, the newest last, or JSON."""
    count, model = getattr(arguments, 'count', 20), getattr(arguments, 'model', None)
    where, values = '1', list[Any]()
    if words:
        where += " and has_words(prompt || ' ' || response, ?)"
        values.append(words)
    if model:
        where += ' and instr(model, ?) > 0'
        values.append(model)
    rows = Log(log_path()).select(where, values, limit=count)[::-1]
    if getattr(arguments, 'json', False):
        print(json.dumps([_to_json(row) for row in rows], indent=2, ensure_ascii=False))
        return
    if not rows:
        print_note('Nothing in the log matches.' if words or model else _describe_empty_log())
    for row in rows:
        print(_format_row(row))


def _describe_empty_log() -> str:
    return 'The log is empty.' if is_log_on() else 'The log is empty, and switched off.'


def _format_row(row: dict[str, Any]) -> str:
    """Return a line of at most 80 columns: the number, the time, the model, and as much of the prompt as fits."""
    time = datetime.fromisoformat(row['time']).astimezone().strftime('%Y-%m-%d %H:%M')
    mark = '' if row['conversation'] == row['id'] else f'{row["conversation"]}> '
    line = f'{row["id"]:>4}  {time}  {row["model"]:.24}  {mark}{" ".join(row["prompt"].split())}'
    return line if len(line) <= LINE_WIDTH else f'{line[: LINE_WIDTH - 3]}...'


def _show(arguments: Namespace) -> None:
    where, values = ('1', []) if arguments.id is None else ('id = ?', [arguments.id])
    rows = Log(log_path()).select(where, values, limit=1)
    if not rows:
        raise UserError(_describe_empty_log() if arguments.id is None else f'The log has no number {arguments.id}')
    [row] = rows
    if arguments.json:
        print(json.dumps(_to_json(row), indent=2, ensure_ascii=False))
    elif arguments.extract or arguments.extract_last:
        print_text(extract_code(row['response'], last=arguments.extract_last))
    elif arguments.response:
        print_text(row['response'])
    else:
        _print_exchange(row)


def _print_exchange(row: dict[str, Any]) -> None:
    time = datetime.fromisoformat(row['time']).astimezone().strftime('%Y-%m-%d %H:%M:%S')
    server = f' at {row["base_url"]}' if row['base_url'] else ''
    tokens = f'{row["input_tokens"]} tokens in, {row["output_tokens"]} out, {row["seconds"]:.1f} s'
    print(f'{row["id"]} of conversation {row["conversation"]}, {time}\n{row["model"]}{server}: {tokens}')
    if row['system']:
        print(f'\nSystem:\n{row["system"]}')
    print(f'\nPrompt:\n{row["prompt"]}\n\nResponse:\n{row["response"]}')


def _to_json(row: dict[str, Any]) -> dict[str, Any]:
    return {**{name: row[name] for name in (*COLUMNS, *COUNTS)}, 'messages': json.loads(row['messages'])}


def _switch(*, is_on: bool) -> None:
    write_private(config_path(), json.dumps({**read_config(), 'log': is_on}, indent=2))
    _print_status()


def _print_status() -> None:
    path = log_path()
    size = f'{path.stat().st_size // 1024} KiB' if path.exists() else 'no file yet'
    is_on = is_log_on()
    state, other = ('on', 'off') if is_on else ('off', 'on')
    switch = f'`pydantic-llm logs {other}`, or {LOG_VARIABLE}={"0" if is_on else "1"}, switches it {other}'
    if LOG_VARIABLE in os.environ:
        switch = f'by {LOG_VARIABLE}={os.environ[LOG_VARIABLE]}'
    print(f'The log is {state} ({switch}): {path}, {size}')
