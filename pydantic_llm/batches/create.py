"""`batch_requests` creates a batch, `get_batch` finds one again."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from .._type_checks import check_type, raise_wrong_type
from ..exceptions import LLMError, UserError
from ..models import Model, infer_model
from ..transport import RawRequest
from ..wire.batch_api import BatchApi, BatchJob
from ..wire.model import WireModel
from ..wire.prepare import PreparedRequest
from .batch import Batch, KnownRequest
from .client import BatchClient
from .parts import Part, PartWriter
from .requests import BatchRequest, check_request

if TYPE_CHECKING:
    from ..models.known_names import KnownModelName

__all__ = ('batch_requests', 'get_batch')

ID = re.compile(r'(batches/)?[A-Za-z0-9_:-]+')
"""The form of the vendors' ids. It is part of the path of requests."""

ID_SEPARATOR = ','
"""The separator of the vendor's ids in the id of a batch."""

CLEANUP_TIMEOUT = 10.0
"""Seconds that a failed creation may take to cancel the parts that were created before."""


async def batch_requests(model: Model | KnownModelName | str, requests: Iterable[BatchRequest | str]) -> Batch:
    """Send requests to a vendor's batch API, and return the batch, which runs there.

    The body of each request is the one that `Model.request` sends. Requests are written to files on disk before
    anything is sent, so that `requests` may be a generator of any length. A batch above the vendor's limits becomes
    several there, behind one `Batch`.

    Raises `UserError` if the model has no batches, if an id occurs twice, and for a request that cannot be sent, with
    its index; and the errors of `Model.request`. If not all of a batch could be created, the rest is cancelled.
    """
    client = _make_client(model)
    _check_requests(requests)
    writer = PartWriter(client.api)
    try:
        known, headers = await _write_requests(client, writer, requests)
        return await _create_parts(client, writer.finish(), known, headers)
    finally:
        writer.close()


async def get_batch(
    model: Model | KnownModelName | str, id: str, *, requests: Iterable[BatchRequest | str] | None = None
) -> Batch:
    """Return the batch with this id, which `batch_requests` created in any process.

    `requests` are those that it was created with. They are not sent. With them, results have the warnings of their
    requests, tool calls in text are found, and a request without a result gets an error of its own. Raises
    `NotFoundError` if the vendor does not know the batch.
    """
    client = _make_client(model)
    check_type(id, str, parameter='id', expected='the text that Batch.id returned', required=True)
    if requests is not None:
        _check_requests(requests)
    ids = id.split(ID_SEPARATOR)
    if not all(ID.fullmatch(each) for each in ids):
        raise UserError(f'id={id!r} is not the id of a batch: pass what Batch.id returned')
    known = None if requests is None else await _describe_requests(client, requests)
    return Batch(client, [await client.fetch(each) for each in ids], known=known)


def _make_client(model: Model | str) -> BatchClient:
    """Return the client for a model. Raises `UserError` if the model has no batches."""
    found = infer_model(model)
    api = found.get_batch_api() if isinstance(found, WireModel) and found.provider.has_batches else None
    if api is None:
        inside = f': pass the model inside it, {found.members[0]!r}' if found.members else ''
        raise UserError(
            f'{found!r} has no batches{inside}. OpenAIModel, OpenAIResponsesModel (also at Azure), AnthropicModel, '
            'GeminiModel (not at Vertex AI), MistralModel and GroqModel have; for any other model, send the requests '
            'concurrently through a RateLimitedModel'
        )
    return BatchClient(cast('WireModel[Any]', found), api)


def _check_requests(requests: object) -> None:
    """Raise `UserError` unless the value is a list or another iterable of requests: a text would be one of letters."""
    if not isinstance(requests, Iterable) or isinstance(requests, (str, bytes, Mapping)):
        expected = 'a list of BatchRequest and texts'
        raise_wrong_type('requests', expected, requests)  # pyright: ignore[reportUnknownArgumentType] -- of the caller


async def _write_requests(
    client: BatchClient, writer: PartWriter, requests: Iterable[BatchRequest | str]
) -> tuple[dict[str, KnownRequest], Mapping[str, str]]:
    """Write all requests to files. Return what is known about them by id, and the headers of the batch."""
    known: dict[str, KnownRequest] = {}
    joined: dict[str, dict[str, None]] = {}
    for index, given in enumerate(requests):
        request = check_request(given, index)
        id = _choose_id(request, index, client.api, known)
        try:
            raw, prepared = await _encode(client, request)
            writer.add(id, raw.body, index=index)
        except UserError as error:
            raise UserError(f'requests[{index}]: {error.message}') from error
        except LLMError as error:
            error.add_note(f'It was raised for requests[{index}]')
            raise
        lost = _join_headers(client, raw, joined)
        known[id] = KnownRequest((*prepared.warnings, *lost), prepared.parameters)
        await asyncio.sleep(0)  # encoding many requests must not stop the event loop
    if not known:
        raise UserError('requests= is empty: pass at least one request')
    return known, {name: ','.join(values) for name, values in joined.items()}


async def _encode(
    client: BatchClient, request: BatchRequest, *, was_sent: bool = False
) -> tuple[RawRequest, PreparedRequest]:
    return await client.model.encode_for_batch(
        request.get_messages(),
        request.settings,
        request.parameters,
        dropped_settings=client.api.dropped_settings,
        was_sent=was_sent,
    )


def _choose_id(request: BatchRequest, index: int, api: BatchApi, known: Mapping[str, object]) -> str:
    id = f'request-{index}' if request.id is None else request.id
    if not api.accepts_id(id):
        raise UserError(f'requests[{index}].id is {id!r}: the vendor accepts ids like {api.id_pattern}')
    if id in known:
        raise UserError(f'requests[{index}].id is {id!r}, as that of an earlier request: give each request its own')
    return id


def _join_headers(client: BatchClient, raw: RawRequest, joined: dict[str, dict[str, None]]) -> list[str]:
    """Add the headers that hold for the whole batch to `joined`. Return a warning for each other one."""
    common = {name.lower(): value for name, value in client.settings.get('extra_headers', {}).items()}
    warnings: list[str] = []
    for name, value in raw.headers.items():
        if (key := name.lower()) in client.api.joined_headers:
            joined.setdefault(key, {}).update(dict.fromkeys(value.split(',')))
        elif common.get(key) != value:
            warnings.append(f'The header {name!r} was not sent: a request of a batch has no headers of its own')
    return warnings


async def _create_parts(
    client: BatchClient, parts: Sequence[Part], known: Mapping[str, KnownRequest], headers: Mapping[str, str]
) -> Batch:
    jobs: list[BatchJob] = []
    uploaded: list[str] = []
    try:
        for part in parts:
            job, path = await client.create(part, headers)
            jobs.append(job)
            uploaded += [path] if path else []
    except BaseException:
        await _withdraw(client, jobs)
        raise
    return Batch(client, jobs, known=known, ids=[part.ids for part in parts], uploaded=uploaded)


async def _withdraw(client: BatchClient, jobs: Sequence[BatchJob]) -> None:
    """Cancel the parts of a batch of which another part could not be created."""
    with suppress(TimeoutError, LLMError):
        async with asyncio.timeout(CLEANUP_TIMEOUT):
            for job in jobs:
                await client.cancel(job.id)


async def _describe_requests(client: BatchClient, requests: Iterable[BatchRequest | str]) -> dict[str, KnownRequest]:
    """Return what is known about requests that were sent before."""
    known: dict[str, KnownRequest] = {}
    for index, given in enumerate(requests):
        request = check_request(given, index)
        id = _choose_id(request, index, client.api, known)
        raw, prepared = await _encode(client, request, was_sent=True)
        known[id] = KnownRequest((*prepared.warnings, *_join_headers(client, raw, {})), prepared.parameters)
    return known
