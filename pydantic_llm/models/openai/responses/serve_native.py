"""What a Responses stream tells of tools of OpenAI's at work, beside that their items begin and end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ....json_types import Json
from ....messages import FilePart, NativeToolCallPart
from ....messages.response import ModelResponsePart
from .native_items import ANSWERS, ITEM

IMAGE = 'image_generation_call'
"""The item that a stream tells of while it is still empty, since its images come one after another."""

STEPS: dict[str, tuple[str, ...]] = {
    'web_search_call': ('in_progress', 'searching'),
    'file_search_call': ('in_progress', 'searching'),
    'code_interpreter_call': ('in_progress', 'interpreting'),
    IMAGE: ('in_progress', 'generating'),
    'mcp_call': ('in_progress',),
    'mcp_list_tools': ('in_progress',),
}
"""What a tool does until it is done."""

BEGUN: Json = {'status': 'in_progress'}
"""What an item says of itself when it begins."""

HOLLOW_NATIVE: dict[str, Json] = {
    'web_search_call': BEGUN,
    'file_search_call': BEGUN,
    'code_interpreter_call': {'code': '', 'outputs': None, **BEGUN},
    IMAGE: {'result': None, **BEGUN},
    'mcp_call': {'arguments': '', **BEGUN},
    'mcp_list_tools': {'tools': []},
}
"""How items of tools begin that are filled later."""

CAN_FAIL = ('mcp_call', 'mcp_list_tools')
"""The items of which a stream tells that they failed."""

WRITTEN = {'code_interpreter_call': 'code', 'mcp_call': 'arguments'}
"""What the model writes for a tool: the field of the item, which is also the word for it in the names of events."""


@dataclass(slots=True)
class Told:
    """An item that a stream tells of."""

    index: int
    """Its number among the items of the answer."""
    id: str
    type: str
    parts: list[int]
    """The numbers of the parts that it is made of."""
    growing: int = 1
    """How many of them have not ended."""
    places: dict[int, int] = field(default_factory=dict[int, int])
    """The places of its texts, by the number of their part."""
    goes_on: bool = False
    """Whether the next part may be more of it."""
    wrote: bool = False
    """Whether arguments have been told."""
    is_told: bool = False
    """Whether the client knows of it."""
    is_done: bool = False
    """Whether the client knows what became of it."""


def is_over(item: Told, part: ModelResponsePart) -> bool:
    """Whether an item is whole with the end of this part. A call waits for what it gives, if that is told with it."""
    return not isinstance(part, NativeToolCallPart) or ITEM in (part.provider_details or {}) or item.type in ANSWERS


def progress(kind: str, item: Json) -> Iterator[tuple[str, Json]]:
    """The events between the beginning of an item and its end."""
    steps = STEPS.get(kind, ())
    for number, step in enumerate(steps):
        yield f'response.{kind}.{step}', {}
        if not number and kind in WRITTEN:
            name = WRITTEN[kind]
            text: str = item.get(name) or ''
            yield f'response.{kind}_{name}.delta', {'delta': text}
            yield f'response.{kind}_{name}.done', {name: text}


def result(kind: str, item: Json) -> str | None:
    """The event that says how a tool's work ended."""
    if kind not in STEPS:
        return None
    failed = kind in CAN_FAIL and item.get('error')
    return f'response.{kind}.{"failed" if failed else "completed"}'


def partial_image(part: FilePart) -> Json | None:
    """What the event of an image says that is not whole yet; `None` for one that is."""
    number = (part.provider_details or {}).get('partial_image_index')
    if number is None:
        return None
    more = {'output_format': part.content.media_type.removeprefix('image/')}
    return {'partial_image_b64': part.content.base64, 'partial_image_index': number, **more}
