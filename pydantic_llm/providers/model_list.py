"""Asks a vendor or a server which models it has: `list_models`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote

from ..exceptions import UnexpectedModelBehavior, UserError
from ..json_types import Json, parse_json
from ..transport import Deadlines, RawRequest
from ..transport.errors import error_from_invalid_json
from .provider import Provider

__all__ = ('list_models',)

TIMEOUT = 30.0
"""The time for each page of a list, in seconds."""

MAX_PAGES = 100
"""A server that names a next page after so many is wrong."""


@dataclass(frozen=True, slots=True)
class ModelList:
    """Where a vendor lists its models, and how."""

    path: str
    items: str = 'data'
    """The field with the models."""
    name: str = 'id'
    """The field of a model with its name."""
    name_prefix: str = ''
    """What the name begins with and requests do not need."""
    find_next: Callable[[Json], str | None] = lambda page: None
    """Returns the query that the next page has in addition to `path`, `None` for the last page."""


def _find_anthropic_page(page: Json) -> str | None:
    return f'&after_id={quote(page["last_id"], safe="")}' if page.get('has_more') else None


def _find_page_of_token(page: Json, field: str, parameter: str) -> str | None:
    token = page.get(field)
    return f'&{parameter}={quote(token, safe="")}' if token else None


OPENAI_LIST = ModelList('/models')
"""The list of OpenAI, and of every server that is compatible with it."""

LISTS: dict[str, ModelList | None] = {
    # anthropic/resources/models.py (version 2.14)
    'anthropic': ModelList('/v1/models?limit=1000', find_next=_find_anthropic_page),
    # https://ai.google.dev/api/models#method:-models.list
    'google-gla': ModelList(
        '/models?pageSize=1000',
        items='models',
        name='name',
        name_prefix='models/',
        find_next=lambda page: _find_page_of_token(page, 'nextPageToken', 'pageToken'),
    ),
    # https://console.groq.com/docs/api-reference#models-list
    'groq': ModelList('/openai/v1/models'),
    # https://docs.mistral.ai/api/endpoint/models
    'mistral': ModelList('/v1/models'),
    # cohere/models/raw_client.py (version 7.3)
    'cohere': ModelList(
        '/v1/models?page_size=1000',
        items='models',
        name='name',
        find_next=lambda page: _find_page_of_token(page, 'next_page_token', 'page_token'),
    ),
    # https://huggingface.co/docs/inference-providers/hub-api; the path below the host, since URLs of requests are whole
    'huggingface': ModelList('//v1/models'),
    'bedrock': None,  # its list is at another host, and needs other permissions
    'google-vertex': None,
    'litellm': None,  # it has no server
}
"""The lists of vendors that differ from OpenAI's, by the names of their providers; `None` for those without a list."""


async def list_models(provider: Provider[Any]) -> list[str]:
    """Return the names of all models that a vendor or a server lists now, in its order.

    These can be models for other tasks too, such as embeddings. Raises a `UserError` if the vendor has no list, and the
    errors of `Model.request`.
    """
    listing = LISTS.get(provider.name, OPENAI_LIST)
    if listing is None:
        raise UserError(f'{provider.name!r} cannot list its models; `pydantic-llm models` lists known ones')
    await provider.connection.load()
    names: list[str] = []
    query = ''
    for _ in range(MAX_PAGES):
        page = await _fetch(provider, f'{listing.path}{query}')
        try:
            models = cast('list[Json]', page[listing.items])[:]  # not the keys of an object
            names += [model[listing.name].removeprefix(listing.name_prefix) for model in models]
            next_query = listing.find_next(page)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            message = f'{provider.base_url} did not send a list of models ({type(error).__name__}: {error})'
            raise UnexpectedModelBehavior(message, str(page)[:2000]) from None
        if next_query is None:
            return names
        query = next_query
    raise UnexpectedModelBehavior(f'{provider.base_url} sent a list of models without an end')


async def _fetch(provider: Provider[Any], path: str) -> Json:
    """Return the JSON object at a path."""
    request = RawRequest(path, b'', provider.name, deadlines=Deadlines(TIMEOUT), method='GET')
    response = await provider.connection.send(request)
    try:
        page: object = parse_json(response.body)
    except ValueError:
        page = None
    if not isinstance(page, dict):
        raise error_from_invalid_json(response.body, model_name=provider.name, provider_name=provider.name)
    return cast('Json', page)
