"""The rooms under test: a row for each. A room that is added to the package gets a row here, and all of the suite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic_llm.messages import ModelResponse
from pydantic_llm.models import ResponseDraft
from pydantic_llm.models._prepare import PreparedRequest
from pydantic_llm.models._serve import ServedRequest, StreamWriter
from pydantic_llm.models._wire import WireModel
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.models.anthropic import serve as anthropic_serve
from pydantic_llm.models.openai import OpenAIModel
from pydantic_llm.models.openai.chat import serve as chat_serve

Json = dict[str, Any]


@dataclass(frozen=True)
class Room:
    """A room from both sides, and what its API cannot say."""

    name: str
    make: Callable[[], WireModel]
    decode_request: Callable[[Json], ServedRequest]
    encode_response: Callable[[ModelResponse, ServedRequest], Json]
    writer: Callable[[ServedRequest], StreamWriter]
    finish_reasons: tuple[str, ...]
    keeps_arguments_as_text: bool
    """Whether a whole answer carries tool arguments as text, so that their bytes survive."""
    keeps_order: bool
    """Whether an answer can mix text, thinking and calls in any order and number."""
    keeps_signatures: bool
    """Whether thoughts carry signatures."""

    def __repr__(self) -> str:
        return self.name

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
        chat_serve.decode_request,
        chat_serve.encode_response,
        chat_serve.ChunkWriter,
        finish_reasons=('stop', 'length', 'tool_call', 'content_filter', 'error'),
        keeps_arguments_as_text=True,
        keeps_order=False,
        keeps_signatures=False,
    ),
    Room(
        'anthropic',
        lambda: AnthropicModel('claude-sonnet-4-5', api_key='k'),
        anthropic_serve.decode_request,
        anthropic_serve.encode_response,
        anthropic_serve.EventWriter,
        finish_reasons=('stop', 'length', 'tool_call', 'content_filter'),
        keeps_arguments_as_text=False,
        keeps_order=True,
        keeps_signatures=True,
    ),
)
"""Every room with a `serve.py`."""
