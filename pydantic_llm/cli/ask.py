"""`pydantic-llm ask`: send one prompt and print the response."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Sequence

from ..exceptions import UserError
from ..messages import UserContent
from .attachments import read_attachment, split_standard_input
from .conversation import keep_turn, open_session
from .errors import UsageError
from .images import save_files, show_image
from .notes import print_note
from .results import extract_code, print_json, print_object, print_text
from .schema import read_schema
from .session import Session
from .settings import read_settings
from .templates import apply_template, fill_prompt, save_template
from .turn import Turn

__all__ = ('ask',)


def ask(arguments: Namespace) -> None:
    """Send the prompt and the files to the model, and print the response. Raises `UsageError` if both are missing."""
    template = apply_template(arguments)
    given = ' '.join(arguments.prompt)
    if arguments.save is not None:
        save_template(arguments.save, arguments, given)
        return
    piped, piped_file = ('', None) if '-' in arguments.attach else split_standard_input()
    text = fill_prompt(template, _add_piped_text(given, piped), arguments)
    if not text and not arguments.attach and piped_file is None:
        raise UsageError("the question is missing: pydantic-llm 'Why is the sky blue?'")
    settings = read_settings(arguments)
    session = open_session(arguments, settings, output_type=_choose_output_type(arguments))
    session.is_quiet = arguments.json or _extracts_code(arguments) or session.output_type is not None
    files = [] if piped_file is None else [piped_file]
    asyncio.run(_send(arguments, session, text, files))


async def _send(arguments: Namespace, session: Session, text: str, files: Sequence[UserContent]) -> None:
    async with session.model:
        content: list[UserContent] = [*files, *[await read_attachment(name) for name in arguments.attach]]
        turn = Turn(session, [*content, *([text] if text else [])] if content else text)
        try:
            await turn.run()
        except asyncio.CancelledError:  # Ctrl-C
            keep_turn(session, turn)
            raise
        keep_turn(session, turn)
    _print_result(arguments, session, turn)


def _print_result(arguments: Namespace, session: Session, turn: Turn) -> None:
    """Print what was not shown while it arrived."""
    paths = save_files(turn.response, arguments.files_to)
    if arguments.json:
        print_json(turn, session, [str(path) for path in paths])
        return
    if session.output_type is not None:
        print_object(turn.output)
    elif _extracts_code(arguments):
        print_text(extract_code(turn.response.text or '', last=arguments.extract_last))
    for file, path in zip(turn.response.files, paths, strict=True):
        if show_image(file):
            print_note(f'Saved as {path}')
        else:
            print(path)


def _extracts_code(arguments: Namespace) -> bool:
    return bool(arguments.extract or arguments.extract_last)


def _choose_output_type(arguments: Namespace) -> object:
    schemas = [
        (text, many) for text, many in ((arguments.schema, False), (arguments.schema_multi, True)) if text is not None
    ]
    if len(schemas) > 1:
        raise UsageError('--schema and --schema-multi do not go together')
    if schemas and _extracts_code(arguments):
        raise UsageError('--extract and a schema do not go together')
    try:
        return read_schema(schemas[0][0], many=schemas[0][1]) if schemas else None
    except UserError as error:
        raise UsageError(str(error)) from None


def _add_piped_text(prompt: str, piped: str) -> str:
    """Return the prompt with the text of the standard input below it."""
    return f'{prompt}\n\n{piped}' if prompt.strip() and piped.strip() else prompt.strip() or piped
