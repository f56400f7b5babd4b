"""Reads the files that clients send: in a form (`read_form`), or as the body (`read_body`), to disk."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncGenerator
from pathlib import Path

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from ..._extras import import_extra
from ...exceptions import ModelHTTPError, UserError
from .store import Store, StoredFile, make_id

__all__ = ('read_body', 'read_form')

FORM_BYTES = 64 * 1024
"""The bytes of a form that are not in its file, at most."""

MAX_FIELDS = 16


async def read_form(request: Request, store: Store, owner: str) -> StoredFile:
    """Store the file of a form, with the field `purpose`. Raises `UserError` if the form has no such file."""
    import_extra('python_multipart', extra='serve', what='The upload of a file')
    if not request.headers.get('content-type', '').startswith('multipart/form-data'):
        raise ModelHTTPError(415, '', message="The request's content-type must be 'multipart/form-data'")
    _check_length(request, store)
    parser = MultiPartParser(request.headers, _limit_chunks(request, store), max_files=1, max_fields=MAX_FIELDS)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise UserError(f'The form cannot be read: {error.message}') from None
    try:
        return await _store_form(form, store, owner)
    finally:
        await form.close()


async def _store_form(form: FormData, store: Store, owner: str) -> StoredFile:
    file, purpose = form.get('file'), form.get('purpose')
    if not isinstance(file, UploadFile):
        raise UserError("'file' is missing from the form")
    if purpose != 'batch':
        raise UserError(f"purpose is {purpose!r}: this server stores files for 'batch' alone")
    name = (file.filename or 'file')[:200]
    stored = StoredFile(id=make_id('file-'), owner=owner, name=name, purpose='batch', created=time.time())
    await asyncio.to_thread(_copy, file, store.create_file(stored))
    store.save_file(stored)
    return stored


async def read_body(request: Request, store: Store, file: StoredFile) -> None:
    """Append the body of a request to a file. What is left of an earlier body that broke off is overwritten."""
    _check_length(request, store)
    with store.get_path(file.id).open('r+b') as target:
        target.truncate(file.size)
        target.seek(file.size)
        async for chunk in _limit_chunks(request, store):
            target.write(chunk)
    store.save_file(file)


def _copy(file: UploadFile, path: Path) -> None:
    file.file.seek(0)
    with path.open('wb') as target:
        shutil.copyfileobj(file.file, target)


def _check_length(request: Request, store: Store) -> None:
    length = request.headers.get('content-length', '')
    if length.isdecimal() and len(length) < 20:
        store.check_room(int(length) - FORM_BYTES)


async def _limit_chunks(request: Request, store: Store) -> AsyncGenerator[bytes]:
    """Yield the chunks of a body. Raises `ModelHTTPError` if there are too many bytes."""
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        store.check_room(size - FORM_BYTES)
        yield chunk
