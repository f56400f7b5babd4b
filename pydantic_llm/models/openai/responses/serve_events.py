"""The items of a stream: `StreamedItem`, the state of one, and tables of the events of each type.

https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from ....json_types import Json
from ....messages import FilePart, NativeToolCallPart
from ....messages.response import ModelResponsePart
from .native_fields import IMAGE_ITEM
from .native_items import ITEM, RESULT_ITEMS


@dataclass(slots=True)
class StreamedItem:
    """An item of a stream."""

    index: int
    id: str
    type: str
    part_indexes: list[int]  # of the parts that become the item
    open_parts: int = 1  # the number of these parts that have not ended
    text_indexes: dict[int, int] = field(default_factory=dict[int, int])  # index of a part -> that of its text
    text_counts: Counter[str] = field(default_factory=Counter[str])  # by the type of the text
    may_continue: bool = False  # with the next part
    is_started: bool = False
    is_finished: bool = False


def is_last_part(part: ModelResponsePart, item: StreamedItem) -> bool:
    """Return whether the item ends with this part. A native call does not if its item contains the result."""
    return (
        not isinstance(part, NativeToolCallPart) or ITEM in (part.provider_details or {}) or item.type in RESULT_ITEMS
    )


IN_PROGRESS: Json = {'status': 'in_progress'}
"""The status of an item that starts."""

STARTED_FIELDS: dict[str, Json] = {
    'message': {'content': [], **IN_PROGRESS},
    'reasoning': {'summary': []},
    'function_call': {'arguments': '', **IN_PROGRESS},
    'web_search_call': IN_PROGRESS,
    'file_search_call': IN_PROGRESS,
    'code_interpreter_call': {'code': '', 'outputs': None, **IN_PROGRESS},
    IMAGE_ITEM: {'result': None, **IN_PROGRESS},
    'mcp_call': {'arguments': '', **IN_PROGRESS},
    'mcp_list_tools': {'tools': []},
}
"""Type of item -> the fields that have another value when the item starts."""

TEXT_EVENTS: dict[str, tuple[str, str, str]] = {
    'output_text': ('response.content_part', 'response.output_text', 'content_index'),
    'reasoning_text': ('response.content_part', 'response.reasoning_text', 'content_index'),
    'summary_text': ('response.reasoning_summary_part', 'response.reasoning_summary_text', 'summary_index'),
}
"""Type of text -> the events of its content part (without `.added` or `.done`), those of its text (without `.delta` or
`.done`), and their field for the number of the text in its item."""


STEPS: dict[str, tuple[str, ...]] = {
    'web_search_call': ('in_progress', 'searching'),
    'file_search_call': ('in_progress', 'searching'),
    'code_interpreter_call': ('in_progress', 'interpreting'),
    IMAGE_ITEM: ('in_progress', 'generating'),
    'mcp_call': ('in_progress',),
    'mcp_list_tools': ('in_progress',),
}
"""Type of item -> the steps before the tool has finished, which have an event each."""

WRITTEN_FIELDS = {'code_interpreter_call': 'code', 'mcp_call': 'arguments'}
"""Type of item -> the field that the model writes, which has events of its own."""


def encode_progress(type: str, item: Json) -> Iterator[tuple[str, Json]]:
    """Yield the types and the fields of the events between the start and the end of a native item."""
    for number, step in enumerate(STEPS.get(type, ())):
        yield f'response.{type}.{step}', {}
        if not number and type in WRITTEN_FIELDS:
            name = WRITTEN_FIELDS[type]
            text: str = item.get(name) or ''
            yield f'response.{type}_{name}.delta', {'delta': text}
            yield f'response.{type}_{name}.done', {name: text}


def choose_end_event(type: str, item: Json) -> str | None:
    """Return the type of the event for a tool's success or failure, or `None` if the item has no such event."""
    if type not in STEPS:
        return None
    has_failed = type in ('mcp_call', 'mcp_list_tools') and item.get('error')
    return f'response.{type}.{"failed" if has_failed else "completed"}'


def encode_partial_image(part: FilePart) -> Json | None:
    """Encode an unfinished image as the fields of its event. Returns `None` for a finished one."""
    index = (part.provider_details or {}).get('partial_image_index')
    if index is None:
        return None
    format = part.content.media_type.removeprefix('image/')
    return {'partial_image_b64': part.content.base64, 'partial_image_index': index, 'output_format': format}
