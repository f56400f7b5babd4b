"""The rooms under test: a row for each. A room that is added to the package gets a row here, and all of the suite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic_llm.messages import ModelResponse
from pydantic_llm.models import ResponseDraft
from pydantic_llm.models._prepare import PreparedRequest
from pydantic_llm.models._serve import ServedRequest, StreamWriter
from pydantic_llm.models._wire import WireModel
from pydantic_llm.models.anthropic import AnthropicModel, serve as anthropic
from pydantic_llm.models.anthropic.decode import FINISH_REASONS as ANTHROPIC_WORDS
from pydantic_llm.models.anthropic.settings import AnthropicModelSettings
from pydantic_llm.models.gemini import GeminiModel, serve as gemini
from pydantic_llm.models.gemini.decode import FINISH_REASONS as GEMINI_WORDS
from pydantic_llm.models.gemini.settings import GeminiModelSettings
from pydantic_llm.models.openai import OpenAIModel, OpenAIResponsesModel
from pydantic_llm.models.openai.chat import serve as chat
from pydantic_llm.models.openai.chat.decode import FINISH_REASONS as CHAT_WORDS
from pydantic_llm.models.openai.chat.settings import OpenAIChatModelSettings
from pydantic_llm.models.openai.responses import serve as responses, serve_stream as responses_stream
from pydantic_llm.models.openai.responses.decode import FINISH_REASONS as RESPONSES_WORDS
from pydantic_llm.models.openai.responses.settings import OpenAIResponsesModelSettings

Json = dict[str, Any]
Path = tuple[str | int, ...]

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
        model = self.build()
        return model.prepare(*arguments, **options)


@cache
def _model(room: Room) -> WireModel:
    return room.make()


ROOMS = (
    Room(
        'openai-chat',
        lambda: OpenAIModel('gpt-4o', api_key='k'),
        chat.decode_request,
        chat.encode_response,
        chat.ChunkWriter,
        Says(
            ('stop', 'length', 'tool_call', 'content_filter', 'error'),
            arguments_as_text=True,
            any_order=False,
            ids='.{1,40}',
        ),
        CHAT_WORDS,
        ('choices', 0, 'finish_reason'),
        (),
        OpenAIChatModelSettings,
    ),
    Room(
        'anthropic',
        lambda: AnthropicModel('claude-sonnet-4-5', api_key='k'),
        anthropic.decode_request,
        anthropic.encode_response,
        anthropic.EventWriter,
        Says(
            ('stop', 'length', 'tool_call', 'content_filter'),
            arguments_as_text=False,
            any_order=True,
            signatures=True,
            ids='[a-zA-Z0-9_-]+',
        ),
        ANTHROPIC_WORDS,
        ('stop_reason',),
        ('content',),
        AnthropicModelSettings,
    ),
    Room(
        'openai-responses',
        lambda: OpenAIResponsesModel('gpt-5', api_key='k'),
        responses.decode_request,
        responses.encode_response,
        responses_stream.EventWriter,
        Says(
            ('stop', 'length', 'content_filter'),
            arguments_as_text=True,
            any_order=True,
            signatures=True,
            item_ids=True,
            ids='.{1,64}',
        ),
        RESPONSES_WORDS,
        ('incomplete_details', 'reason'),
        ('output',),
        OpenAIResponsesModelSettings,
    ),
    Room(
        'gemini',
        lambda: GeminiModel('gemini-2.5-flash', api_key='k'),
        gemini.decode_request,
        gemini.encode_response,
        gemini.ChunkWriter,
        Says(
            ('stop', 'length', 'content_filter'),
            arguments_as_text=False,
            any_order=True,
            signs_calls=True,
            joins_neighbours=True,
            counts=('input_tokens', 'cache_read_tokens', 'output_tokens'),
        ),
        GEMINI_WORDS,
        ('candidates', 0, 'finishReason'),
        ('candidates', 0, 'content', 'parts'),
        GeminiModelSettings,
    ),
)
"""Every room with a `serve.py`."""
