"""`Room`: the client and the server of a room, the features of its API, and the fields of its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ..constraints import JsonSchema
from ..json_types import Json
from ..messages import BinaryContent, FileUrl, ModelResponse
from ..models import ResponseDraft
from ..settings import ModelSettings
from ..wire.files import file_urls, with_files
from ..wire.model import WireModel
from ..wire.prepare import PreparedRequest
from ..wire.serving import ServedRequest, StreamEncoder

__all__ = ('Features', 'Room')

Fields = tuple[str, ...]
Path = tuple[str | int, ...]

SHARED: dict[str, Any] = {
    'max_tokens': 77_777,
    'temperature': 0.3,
    'top_p': 0.97,
    'top_k': 5,
    'parallel_tool_calls': False,
    'tool_choice': 'required',
    'seed': 3,
    'presence_penalty': 0.1,
    'frequency_penalty': 0.2,
    'logit_bias': {'1': 2},
    'logprobs': True,
    'top_logprobs': 2,
    'stop_sequences': ['END'],
    'thinking': 'low',
    'cache': True,
    'service_tier': 'default',
    'constraint': JsonSchema({'type': 'object'}),
}
"""A value for each of the shared settings."""

COUNTS = ('input_tokens', 'cache_read_tokens', 'cache_write_tokens', 'output_tokens')


@dataclass(frozen=True)
class Features:
    """The features of responses that an API has."""

    finish_reasons: tuple[str, ...] = ('stop', 'length', 'tool_call')
    """The finish reasons, in our names, that the API has."""
    arguments_as_text: bool = True
    """Tool arguments are JSON text in a response body, so their bytes are kept."""
    any_order: bool = True
    """Text, thinking and tool calls can have any order and number."""
    signatures: bool = False
    """Thinking parts have signatures."""
    item_ids: bool = False
    """Every part is an item that has an id."""
    signs_tool_calls: bool = False
    """Tool calls can have data for their vendor only, and have its `provider_name`."""
    merges_adjacent_parts: bool = False
    """Adjacent text parts are decoded as one, and so are adjacent thinking parts."""
    tool_call_ids: str = '.+'
    """The tool call ids that the API accepts, as a regular expression."""
    thinking_ids: tuple[str | None, ...] = ('reasoning_content', 'reasoning')
    """The ids of thinking parts, if `any_order` is false."""
    has_model_name: bool = True
    """A response body has the name of the model."""
    has_response_id: bool = True
    """A response body has an id."""
    pauses: bool = False
    """A response can be one that the model continues when it gets it back."""
    usage_counts: tuple[str, ...] = COUNTS
    """The usage fields that a response body has."""


@dataclass(frozen=True)
class Room:
    """The client and the server of a wire format, and the facts that the tests need."""

    name: str
    make: Callable[[], WireModel[Any]]
    """Returns a new model."""
    decode_request: Callable[[Json], ServedRequest]
    encode_response: Callable[[ModelResponse, ServedRequest], Json]
    encoder: Callable[[ServedRequest], StreamEncoder]
    features: Features = field(default_factory=Features)
    finish_reasons: Mapping[str, str | None] = field(default_factory=dict[str, str | None])
    """The API's finish reasons → ours."""
    finish_reason_path: Path = ()
    """The path of the finish reason in a response body; empty if it has no such field."""
    parts_path: Path = ()
    """The path of the list of parts in a response body; empty if it has no such list."""
    own_settings: type = ModelSettings
    """The `TypedDict` of the room's settings."""
    shared_fields: Mapping[str, Fields] = field(default_factory=dict[str, Fields])
    """Shared setting → the request fields that it changes. A setting without fields is listed in the warnings."""
    own_fields: Mapping[str, tuple[Any, Fields]] = field(default_factory=dict[str, tuple[Any, Fields]])
    """Setting of the room → a value for it, and the request fields that it changes."""

    def __repr__(self) -> str:
        return self.name

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        printer.text(self.name)

    def __hash__(self) -> int:
        return hash(self.name)

    def build(self) -> WireModel[Any]:
        """Return a model of this room. It is the same one each time: encoding and decoding have no state."""
        return _build_once(self)

    def draft(self) -> ResponseDraft:
        model = self.build()
        return ResponseDraft(model.model_name, model.system, model.base_url)

    def prepare(self, *arguments: Any, **options: Any) -> PreparedRequest:
        """Prepare a request, with a replacement for images that the vendor cannot download itself."""
        model = self.build()
        request = model.prepare(*arguments, **options)
        images = {id(url): _download(url) for url in file_urls(request.messages) if model.must_download(url)}
        request.messages = with_files(request.messages, images)
        return request


def _download(url: FileUrl) -> BinaryContent:
    return BinaryContent(
        b'image', media_type='image/png', vendor_metadata=url.vendor_metadata, identifier=url.identifier
    )


@cache
def _build_once(room: Room) -> WireModel[Any]:
    return room.make()
