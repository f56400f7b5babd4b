"""`BlockStreamEncoder`: the encoder for streams whose content comes in blocks that start, grow and stop.

Anthropic, Bedrock and Cohere have such streams. The `StreamEncoder` in each room's `serve_response.py` subclasses it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..json_types import Json
from ..messages import (
    ModelResponse,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    TextPartDelta,
    ThinkingPartDelta,
    ToolCallPartDelta,
)
from ..messages.events import ModelResponsePartDelta
from ..messages.response import ModelResponsePart
from .serving import ServedRequest


@dataclass(slots=True)
class OpenBlock:
    """A block that was started and not stopped yet."""

    number: int
    """The block's index on the wire."""
    type: str = ''
    """The API's name of the block's type."""
    wrote_args: bool = False
    """True if a fragment of the tool call's arguments was sent."""
    citation_count: int = 0
    """The number of citations that were sent."""

    def take_new_citations(self, citations: Sequence[Json]) -> Sequence[Json]:
        """Return the citations that were not sent yet, and count them as sent. `citations` are all of the part."""
        new = citations[self.citation_count :]
        self.citation_count = max(self.citation_count, len(citations))
        return new


class BlockStreamEncoder(ABC):
    """Encodes the events of one response. Parts that the API has no block for are skipped."""

    def __init__(self, request: ServedRequest) -> None:
        self._request = request
        self._open_blocks: dict[int, OpenBlock] = {}  # by the index of the part
        self._block_count = 0

    @abstractmethod
    def begin(self) -> Iterator[Json]:
        """Yield what precedes the content."""

    def event(self, event: ModelResponseStreamEvent) -> Iterator[Json]:
        blocks = self._open_blocks
        match event:
            case PartStartEvent(index=index, part=part) if index not in blocks:
                yield from self._start_block(index, part)
            case PartDeltaEvent(index=index, delta=delta) if index in blocks:
                yield from self._extend_block(blocks[index], delta)
            case PartEndEvent(index=index, part=part) if index in blocks:
                yield from self._stop_block(blocks.pop(index), part)
            case _:
                pass

    def end(self, response: ModelResponse) -> Iterator[Json]:
        """Stop the open blocks and yield the API's last events. A truncated stream ends without the latter."""
        for index, block in self._open_blocks.items():
            yield from self._stop_block(block, response.parts[index])
        if not response.is_truncated:
            yield from self._encode_end(response)

    @abstractmethod
    def _encode_end(self, response: ModelResponse) -> Iterator[Json]:
        """Yield the finish reason, the usage, and what only the end of the response shows."""

    @abstractmethod
    def _start_block(self, index: int, part: ModelResponsePart) -> Iterator[Json]:
        """Start a block for the part and add it to `_open_blocks`, if the API has a block for it."""

    def _open_block(self, index: int, type: str = '') -> OpenBlock:
        """Add the next block to `_open_blocks`, for the part with this index."""
        block = self._open_blocks[index] = OpenBlock(self._block_count, type)
        self._block_count += 1
        return block

    @abstractmethod
    def _stop_block(self, block: OpenBlock, part: ModelResponsePart) -> Iterator[Json]: ...

    def _extend_block(self, block: OpenBlock, delta: ModelResponsePartDelta) -> Iterator[Json]:
        match delta:
            case TextPartDelta(content_delta=text):
                yield from self._extend_text(block, text, ())  # citations follow at the end, when their vendor is known
            case ThinkingPartDelta(content_delta=thinking, signature_delta=signature):
                yield from self._extend_thinking(block, thinking or '', signature)
            case ToolCallPartDelta(args_delta=args):
                yield from self._extend_args(block, args)
            case _:
                pass

    @abstractmethod
    def _extend_text(self, block: OpenBlock, text: str, citations: Sequence[Json]) -> Iterator[Json]: ...

    @abstractmethod
    def _extend_thinking(self, block: OpenBlock, thinking: str, signature: str | None) -> Iterator[Json]: ...

    def _extend_args(self, block: OpenBlock, args: str | Json | None) -> Iterator[Json]:
        """Yield a fragment of a tool call's arguments. An object is not sent before the end: another may replace it."""
        if args and isinstance(args, str):
            block.wrote_args = True
            yield self._encode_args(block, args)

    @abstractmethod
    def _encode_args(self, block: OpenBlock, args: str) -> Json: ...
