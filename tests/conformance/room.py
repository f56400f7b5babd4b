"""What the suite must know of a room: both its sides, what its API can say, and which fields its settings move."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic_llm.constraints import JsonSchema
from pydantic_llm.messages import BinaryContent, FileUrl, ModelRequest, ModelResponse
from pydantic_llm.models import ResponseDraft
from pydantic_llm.wire.files import _urls, _with_files
from pydantic_llm.wire.model import WireModel
from pydantic_llm.wire.prepare import PreparedRequest
from pydantic_llm.wire.serving import ServedRequest, StreamWriter

Fields = tuple[str, ...]
Json = dict[str, Any]
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
    'service_tier': 'default',
    'constraint': JsonSchema({'type': 'object'}),
}
"""A value for each of the shared settings."""

COUNTS = ('input_tokens', 'cache_read_tokens', 'cache_write_tokens', 'output_tokens')


@dataclass(frozen=True)
class Says:
    """What an API can say of an answer."""

    finish_reasons: tuple[str, ...]
    arguments_as_text: bool
    """A whole answer carries tool arguments as text, so that their bytes survive."""
    any_order: bool
    """An answer can mix text, thinking and calls in any order and number."""
    signatures: bool = False
    """Thoughts carry signatures."""
    item_ids: bool = False
    """Every part is an item with an id."""
    signs_calls: bool = False
    """Calls may carry what goes back to their vendor alone, and say so by its name."""
    joins_neighbours: bool = False
    """Neighbouring texts are one, and neighbouring thoughts."""
    ids: str = '.+'
    """The ids of calls that the API takes, as a regular expression."""
    thought_ids: tuple[str | None, ...] = ('reasoning_content', 'reasoning')
    """The ids of thoughts, where parts come in one order."""
    names_model: bool = True
    """An answer says which model wrote it."""
    has_id: bool = True
    """An answer has an id in its body."""
    counts: tuple[str, ...] = COUNTS
    """The tokens that are counted."""


@dataclass(frozen=True)
class Room:
    """A room from both sides."""

    name: str
    make: Callable[[], WireModel]
    decode_request: Callable[[Json], ServedRequest]
    encode_response: Callable[[ModelResponse, ServedRequest], Json]
    writer: Callable[[ServedRequest], StreamWriter]
    says: Says
    words: Mapping[str, str | None]
    """The API's words for the end, and ours."""
    end: Path
    """Where the word for the end stands in a whole answer."""
    parts: Path
    """Where the list stands that a part of an unknown kind can be added to; empty where there is none."""
    own_settings: type
    """The room's `TypedDict` of settings."""
    shared_moves: Mapping[str, Fields]
    """Which fields of the request each shared setting moves; one that moves none is left out and listed."""
    own_moves: Mapping[str, tuple[Any, Fields]]
    """A value for each of the room's own settings, and what it moves."""

    def __repr__(self) -> str:
        return self.name

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        printer.text(self.name)

    def __hash__(self) -> int:
        return hash(self.name)

    def build(self) -> WireModel:
        """A model of this room; the same one each time, since its parts are pure."""
        return _model(self)

    def draft(self) -> ResponseDraft:
        model = self.build()
        return ResponseDraft(model.model_name, model.system, model.base_url)

    def prepare(self, *arguments: Any, **options: Any) -> PreparedRequest:
        """A request as the room gets it: the images that the vendor cannot load itself have been loaded."""
        model = self.build()
        request = model.prepare(*arguments, **options)
        images = {id(url): _loaded(url) for url in _urls(request.messages) if model.must_download(url)}
        request.messages = [
            _with_files(message, images) if isinstance(message, ModelRequest) else message
            for message in request.messages
        ]
        return request


def _loaded(url: FileUrl) -> BinaryContent:
    return BinaryContent(
        b'image', media_type='image/png', vendor_metadata=url.vendor_metadata, identifier=url.identifier
    )


@cache
def _model(room: Room) -> WireModel:
    return room.make()
