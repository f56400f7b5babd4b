"""`WireEmbeddingModel`: `embed`, written once for every API. A room provides the body of a request and a decoder."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, ClassVar, cast

from .._type_checks import check_model_name
from ..exceptions import UnexpectedModelBehavior, UserError
from ..json_types import Json
from ..models.estimate import BYTES_PER_TOKEN
from ..providers import ApiKey, Provider, choose_provider
from ..transport import Connection
from ..usage import RequestUsage
from ..wire.texts import is_valid_text
from .model import EmbeddingModel, check_input_type
from .result import EmbeddingResult, EmbedInputType
from .sending import Sender
from .settings import EmbeddingSettings

__all__ = (
    'DecodedEmbeddings',
    'EmbeddingRequest',
    'RequestLimits',
    'WireEmbeddingModel',
    'is_finite',
    'read_vector',
    'sort_by_index',
)

DEFAULT_CONCURRENCY = 4
"""The number of HTTP requests at the same time."""


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """The limits of one HTTP request."""

    inputs: int
    """The maximum number of texts."""
    tokens: int | None = None
    """The maximum number of tokens of all texts together."""


@dataclass(slots=True)
class EmbeddingRequest:
    """The texts of one HTTP request, and what decides how they are encoded."""

    inputs: Sequence[str]
    input_type: EmbedInputType
    settings: Mapping[str, Any]
    """The settings that the model has."""


@dataclass(slots=True)
class DecodedEmbeddings:
    """What one HTTP response contains."""

    embeddings: list[list[float]]
    input_tokens: int = 0
    model_name: str | None = None
    response_id: str | None = None
    details: dict[str, int] = field(default_factory=dict[str, int])
    """Other counts of the vendor."""


class WireEmbeddingModel(EmbeddingModel):
    """An embedding model behind an API.

    A subclass implements `path`, `encode` and `decode`, and declares the limits of a request and its settings.
    """

    supported_settings: ClassVar[frozenset[str]] = frozenset({'dimensions'})
    """The shared settings that the API has, besides those of every HTTP request."""
    settings_prefix: ClassVar[str]
    """The first characters of the vendor's own settings: `'cohere_'`."""
    limits: RequestLimits

    def __init__(
        self,
        model_name: str,
        *,
        provider: Provider[Any] | str,
        api_key: ApiKey | None = None,
        settings: EmbeddingSettings | None = None,
    ) -> None:
        check_model_name(model_name)
        super().__init__(settings=settings)
        self._model_name = model_name
        self._provider = choose_provider(provider, api_key)

    # what a room implements

    @abstractmethod
    def path(self, settings: Mapping[str, Any]) -> str:
        """Return the path of the request, below the provider's base URL."""

    @abstractmethod
    def encode(self, request: EmbeddingRequest) -> Json:
        """Encode the body of a request."""

    @abstractmethod
    def decode(self, body: Json, headers: Mapping[str, str]) -> DecodedEmbeddings:
        """Decode a response. `KeyError`, `TypeError` and `ValueError` are reported as an unexpected response."""

    def find_unsupported(self, settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield the settings that this model refuses, each with the reason."""
        for name in settings:
            if name in ('dimensions', 'truncate') and name not in self.supported_settings:
                yield name, f'{self.system!r} has no such setting'

    # what follows from it

    @property
    def model_name(self) -> str:
        return self._model_name

    @property
    def system(self) -> str:
        return self._provider.name

    @property
    def base_url(self) -> str:
        return self._provider.base_url

    @property
    def provider(self) -> Provider[Any]:
        return self._provider

    @property
    def connection(self) -> Connection:
        """The connection that sends the requests."""
        return self._provider.connection

    async def embed(
        self,
        inputs: str | Sequence[str],
        *,
        input_type: EmbedInputType,
        settings: EmbeddingSettings | None = None,
    ) -> EmbeddingResult:
        check_input_type(input_type)
        texts, merged = self.prepare_embed(inputs, settings)
        accepted, warnings = self._accept(merged)
        texts_sent = _replace_invalid(texts, warnings)
        sender = await self.open_sender(merged)
        requests = [EmbeddingRequest(group, input_type, accepted) for group in self._split(texts_sent)]
        concurrency = merged.get('max_concurrency', DEFAULT_CONCURRENCY)
        responses = await self._send_all(sender, requests, concurrency)
        vectors = [vector for response in responses for vector in response.embeddings]
        self._check_dimensions(vectors, accepted, warnings)
        return EmbeddingResult(
            vectors,
            inputs=texts,
            input_type=input_type,
            model_name=responses[0].model_name or self.model_name,
            provider_name=self.system,
            usage=sum(map(_count_usage, responses), RequestUsage()),
            provider_response_id=responses[0].response_id if len(responses) == 1 else None,
            warnings=warnings,
        )

    async def open_sender(self, settings: Mapping[str, Any]) -> Sender:
        """Return what sends the requests of one call with these settings."""
        sender = Sender(self.connection, self.model_name, settings, provider_name=self.system)
        await sender.load()
        return sender

    def _accept(self, settings: EmbeddingSettings) -> tuple[dict[str, Any], list[str]]:
        """Return the settings that the model has, and one sentence for each other one."""
        refused = dict(self.find_unsupported(settings))
        reaction = settings.get('unsupported_settings', 'warn')
        notes = [f'{name!r} was not sent: {reason}' for name, reason in refused.items()]
        if notes and reaction == 'error':
            raise UserError(f"{notes[0]}. Set unsupported_settings='warn' to send the request without it")
        accepted = {name: value for name, value in settings.items() if name not in refused}
        return accepted, [] if reaction == 'drop' else notes

    def _split(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """Yield the texts of each HTTP request."""
        group, tokens = list[str](), 0
        for text in texts:
            estimate = len(text.encode()) // BYTES_PER_TOKEN + 1
            too_long = self.limits.tokens is not None and tokens + estimate > self.limits.tokens
            if group and (too_long or len(group) >= self.limits.inputs):
                yield group
                group, tokens = [], 0
            group.append(text)
            tokens += estimate
        yield group

    async def _send_all(
        self, sender: Sender, requests: Sequence[EmbeddingRequest], concurrency: int
    ) -> list[DecodedEmbeddings]:
        """Send the requests. The first failure cancels the others and is raised."""
        if len(requests) == 1:
            return [await self._send_group(sender, requests[0])]
        slots = asyncio.Semaphore(concurrency)

        async def send(request: EmbeddingRequest) -> DecodedEmbeddings:
            async with slots:
                return await self._send_group(sender, request)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(send(request)) for request in requests]
        except ExceptionGroup as failed:
            error = failed.exceptions[0]
        else:
            return [task.result() for task in tasks]
        raise error

    async def _send_group(self, sender: Sender, request: EmbeddingRequest) -> DecodedEmbeddings:
        response = await sender.post(self.path(request.settings), self.encode(request), self.decode)
        if len(response.embeddings) != len(request.inputs):
            count = f'{len(response.embeddings)} embeddings for {len(request.inputs)} texts'
            raise UnexpectedModelBehavior(f'{self.model_name} returned {count}')
        if not all(map(is_finite, response.embeddings)):
            raise UnexpectedModelBehavior(f'{self.model_name} returned an embedding with NaN or infinity')
        return response

    def _check_dimensions(
        self, vectors: Sequence[Sequence[float]], settings: Mapping[str, Any], warnings: list[str]
    ) -> None:
        """Raise if the vectors have different lengths; add a warning if it is not the length that was asked for."""
        lengths = sorted({*map(len, vectors)})
        if len(lengths) > 1:
            message = f'{self.model_name} returned embeddings with different numbers of dimensions: {lengths}'
            raise UnexpectedModelBehavior(message)
        asked = settings.get('dimensions', lengths[0])
        if asked not in (lengths[0], 8 * lengths[0]):  # types of one bit for each dimension have 8 of them in a number
            warnings.append(f'dimensions={asked} did not hold: the embeddings have {lengths[0]}')

    async def aclose(self) -> None:
        await self.connection.aclose()


def read_vector(value: object) -> list[float]:
    """Return a vector from JSON. Raises `TypeError` if the value is not a list of numbers."""
    numbers = cast('list[Any]', value)
    if not isinstance(value, list) or not numbers or not all(type(each) in (float, int) for each in numbers):
        raise TypeError('an embedding is not a list of numbers')
    return numbers


def sort_by_index(items: Sequence[Json]) -> Sequence[Json]:
    """Return the items in the order of their `index`, a field that a server may leave out, all of them or 0 alone.

    Raises `ValueError` if the indices are not 0, 1, 2 and so on: it is not known which text an embedding belongs to.
    """
    indices = [item.get('index') or 0 for item in items]
    if any(indices) and sorted(indices) != [*range(len(items))]:
        raise ValueError(f'the items have the indices {indices[:10]}')
    return sorted(items, key=lambda item: item.get('index') or 0)


def is_finite(vector: Sequence[float]) -> bool:
    """Return whether all numbers are finite."""
    try:
        return all(map(isfinite, vector))
    except OverflowError:  # a whole number that no float has
        return False


def _count_usage(response: DecodedEmbeddings) -> RequestUsage:
    missing = () if response.input_tokens else ('input_tokens',)
    return RequestUsage(input_tokens=response.input_tokens, details=response.details, missing=missing)


def _replace_invalid(texts: Sequence[str], warnings: list[str]) -> Sequence[str]:
    """Return the texts with U+FFFD for each half of a surrogate pair, which UTF-8 cannot write, and add a warning."""
    if all(map(is_valid_text, texts)):
        return texts
    warnings.append('halves of surrogate pairs in the texts were replaced by U+FFFD')
    return [text.encode('utf-16', 'surrogatepass').decode('utf-16', 'replace') for text in texts]
