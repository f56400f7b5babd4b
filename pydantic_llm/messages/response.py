"""Messages from a model: text, thinking, tool calls, files, native tool calls with their results, and summaries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import datetime
from operator import not_
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic_core import CoreSchema, from_json, to_json

from .._deferred_schemas import Discriminator, add_before_validator, add_older_names
from ..exceptions import UnexpectedModelBehavior
from ..json_types import repair_json_text
from ..rate_limits import RateLimits
from ..usage import PRICE_DETAILS, AttemptUsage, RequestUsage
from ._tool_files import keep_files
from ._value import Displayed, Message, ShortRepr, new_tool_call_id, now
from .citations import Citation
from .content import BinaryContent
from .logprobs import TokenLogprob, find_logprobs
from .request import ToolReturnContent

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler

    from ..cost import Cost
    from ..prices import PricesOfModels

__all__ = (
    'BaseToolCallPart',
    'CompactionPart',
    'FilePart',
    'FinishReason',
    'ModelResponse',
    'ModelResponsePart',
    'NativeToolCallPart',
    'NativeToolReturnPart',
    'ResponseState',
    'TextPart',
    'ThinkingPart',
    'ToolCallPart',
)

FinishReason = Literal['stop', 'length', 'content_filter', 'tool_call', 'error']
"""The reason why generation stopped, as an OpenTelemetry value.

The vendor's own value is in `ModelResponse.provider_details['finish_reason']`."""

INVALID = 'invalid_json'
"""The key of arguments that are not a JSON object, in the object that replaces them."""

ResponseState = Literal['complete', 'suspended', 'incomplete', 'interrupted']
"""`complete`: all of it arrived. `suspended`: all of it arrived, but the model paused its turn, and continues it if the
response is sent back as the last message. `incomplete`: the vendor truncated it. `interrupted`: the caller left the
stream, or the connection broke."""


@dataclass(repr=False, slots=True)
class TextPart(ShortRepr):
    """Text that the model generated."""

    content: str
    """The text that the model generated."""

    _: KW_ONLY

    id: str | None = None
    """The vendor's id of this part, if it has one."""

    provider_name: str | None = None
    """The vendor that created the part. Its id and details are sent back to this vendor only."""

    provider_details: dict[str, Any] | None = None
    """Data of the vendor about the text: citations, log probabilities."""

    citations: Sequence[Citation] = field(default=(), metadata={'exclude_if': not_})
    """The sources of the text, in one form for every vendor. The form of the vendor is in `provider_details`."""

    part_kind: Literal['text'] = 'text'

    def has_content(self) -> bool:
        return bool(self.content)


@dataclass(repr=False, slots=True)
class ThinkingPart(ShortRepr):
    """The thinking of the model before its response, as far as the vendor shows it."""

    content: str
    """The text of the thinking; empty if the vendor does not show it."""

    _: KW_ONLY

    id: str | None = None
    """The vendor's id of this part; `'redacted_thinking'` for encrypted blocks of Anthropic."""

    signature: str | None = None
    """A signature or the encrypted thinking, which the vendor requires in the next request."""

    provider_name: str | None = None
    """The vendor that created the part. Its signature is sent back to this vendor only."""

    provider_details: dict[str, Any] | None = None
    """Data of the vendor about the thinking."""

    part_kind: Literal['thinking'] = 'thinking'

    def has_content(self) -> bool:
        return bool(self.content)


@dataclass(repr=False, slots=True)
class BaseToolCallPart(ShortRepr):
    """Base of tool calls and native tool calls."""

    tool_name: str
    """The name of the tool."""

    args: str | dict[str, Any] | None = None
    """The arguments: JSON text exactly as the vendor sent it, or an object if the API sends objects."""

    tool_call_id: str = field(default_factory=new_tool_call_id)
    """The id of the tool call; its result has the same one."""

    _: KW_ONLY

    id: str | None = None
    """The vendor's id of the item that holds the tool call, if it differs from `tool_call_id`."""

    provider_name: str | None = None
    """The vendor that created the part."""

    provider_details: dict[str, Any] | None = None
    """Data of the vendor about the tool call, such as signatures of the thinking before it."""

    def args_as_dict(self, *, raise_if_invalid: bool = True) -> dict[str, Any]:
        """Return the arguments as an object. Raises `UnexpectedModelBehavior` if they are not a JSON object.

        With `raise_if_invalid=False`, invalid arguments become `{'invalid_json': arguments}`. APIs that accept only
        objects can then show the model its own invalid arguments, next to the error that they caused.
        """
        if not self.args:
            return {}
        if isinstance(self.args, dict):
            return self.args
        try:
            value = from_json(repair_json_text(self.args))
            expected = None if isinstance(value, dict) else 'a JSON object'
        except ValueError as error:
            value, expected = None, f'JSON: {error}'
        if expected is None:
            return cast('dict[str, Any]', value)
        if not raise_if_invalid:
            return {INVALID: self.args}
        raise UnexpectedModelBehavior(f'The arguments of {self.tool_name!r} are not {expected}', self.args)

    def args_as_json_str(self) -> str:
        """Return the arguments as JSON text.

        Text of the vendor is unchanged, except that escaped halves of surrogate pairs become U+FFFD.
        """
        if not self.args:
            return '{}'
        return repair_json_text(self.args) if isinstance(self.args, str) else to_json(self.args).decode()

    def has_content(self) -> bool:
        return bool(self.args)


@dataclass(repr=False, slots=True)
class ToolCallPart(BaseToolCallPart):
    """A call of a tool that the application executes."""

    _: KW_ONLY

    part_kind: Literal['tool-call'] = 'tool-call'


@dataclass(repr=False, slots=True)
class NativeToolCallPart(BaseToolCallPart):
    """A call of a tool that the vendor executes itself, such as web search."""

    _: KW_ONLY

    part_kind: Literal['builtin-tool-call'] = 'builtin-tool-call'


@dataclass(repr=False, slots=True)
class NativeToolReturnPart(ShortRepr):
    """The result of a tool that the vendor executed."""

    tool_name: str
    """The name of the tool."""

    content: ToolReturnContent
    """The result, in the format of the vendor."""

    tool_call_id: str = field(default_factory=new_tool_call_id)
    """The id of the native tool call."""

    _: KW_ONLY

    metadata: Any = None
    """Kept in the history, never sent."""

    timestamp: datetime = field(default_factory=now)
    """The time when the part was received."""

    provider_name: str | None = None
    """The vendor that created the part. The part is sent back to this vendor only."""

    provider_details: dict[str, Any] | None = None
    """Data of the vendor about the result."""

    part_kind: Literal['builtin-tool-return'] = 'builtin-tool-return'

    def has_content(self) -> bool:
        return self.content is not None

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return keep_files(handler(source))


@dataclass(repr=False, slots=True)
class FilePart(Displayed, ShortRepr):
    """A file that the model generated, such as an image or audio."""

    content: BinaryContent
    """The generated file as bytes."""

    _: KW_ONLY

    id: str | None = None
    """The vendor's id of the file."""

    provider_name: str | None = None
    """The vendor that created the file."""

    provider_details: dict[str, Any] | None = None
    """Data of the vendor about the file."""

    part_kind: Literal['file'] = 'file'

    def has_content(self) -> bool:
        return bool(self.content.data)


@dataclass(repr=False, slots=True)
class CompactionPart(ShortRepr):
    """A summary that the vendor made of the conversation before it.

    It stands for all messages before it: requests to the vendor that made it begin with it. Other vendors get the
    messages before it too, and a readable summary as text.
    """

    content: str | None = None
    """The text of the summary; `None` if the vendor encrypts it, or failed to make one."""

    _: KW_ONLY

    id: str | None = None
    """The vendor's id of this part, if it has one."""

    provider_name: str | None = None
    """The vendor that made the summary. Its id and details are sent back to this vendor only."""

    provider_details: dict[str, Any] | None = None
    """The other fields that the vendor sent, such as `encrypted_content`. They are sent back unchanged."""

    part_kind: Literal['compaction'] = 'compaction'

    def has_content(self) -> bool:
        return bool(self.content and self.content.strip())

    @property
    def is_encrypted(self) -> bool:
        """True if the part contains data that only the vendor can read."""
        encrypted = (self.provider_details or {}).get('encrypted_content')
        return isinstance(encrypted, str) and bool(encrypted)


ModelResponsePart = Annotated[
    TextPart | ThinkingPart | ToolCallPart | NativeToolCallPart | NativeToolReturnPart | FilePart | CompactionPart,
    Discriminator('part_kind'),
]
"""A part of a response."""


OLDER_NAMES = {'provider_details': 'vendor_details', 'provider_response_id': 'vendor_id'}
"""Fields of `ModelResponse` → their names in older histories of pydantic-ai."""


@dataclass(repr=False, slots=True, kw_only=True)
class FromCache(ShortRepr):
    """The mark of a response that came from the cache of a `CachedModel`."""

    age_seconds: float
    """Seconds since the response was stored."""

    usage: RequestUsage = field(default_factory=RequestUsage)
    """The usage of the request that the response was stored for: what was saved."""


@dataclass(repr=False, slots=True)
class ModelResponse(Message):
    """A message from the model to the application. Notebooks and `rich` show it as text.

    ```python
    response = model_request_sync('openai:gpt-5.4-mini', 'Hello')
    print(response.text, response.usage.output_tokens)
    ```

    Attributes:
        parts: The text, thinking, tool calls and files, in order; `text`, `thinking`, `tool_calls` and `files` select.
        usage: The tokens that the request used.
        finish_reason: The reason why generation stopped: `'stop'`, `'length'`, `'tool_call'`, ...
        state: The completeness: `'complete'`, `'incomplete'`, `'suspended'` or `'interrupted'`.
        warnings: One sentence for each setting or content that was not sent.
        model_name: The model that responded, as the vendor names it.
        provider_name: The vendor.
        request_id: The vendor's id of the request, for its support.
    """

    parts: Sequence[ModelResponsePart]
    """The text, thinking, tool calls and files, in order."""

    _: KW_ONLY

    usage: RequestUsage = field(default_factory=RequestUsage)
    """The tokens that the request used, with those of the attempts before it."""

    attempts: tuple[AttemptUsage, ...] = field(default=(), metadata={'exclude_if': not_})
    """The requests of which `usage` is the sum, if a fallback, a hedge or a continued turn took several; this
    response's own is the last."""

    model_name: str | None = None
    """The model that responded, as the vendor names it."""

    timestamp: datetime = field(default_factory=now)
    """The time of the response by the vendor's clock, or by the local clock if the vendor sends none."""

    provider_name: str | None = None
    """The vendor that sent the response."""

    provider_url: str | None = None
    """The base URL that the request was sent to."""

    provider_details: dict[str, Any] | None = None
    """Data of the vendor about the response: its own `finish_reason`, log probabilities, service tier, and so on."""

    provider_response_id: str | None = None
    """The vendor's id of the response."""

    request_id: str | None = field(default=None, metadata={'exclude_if': not_})
    """The vendor's id of the request, from the headers. Give it to the vendor's support."""

    headers: Mapping[str, str] | None = field(default=None, compare=False, repr=False, metadata={'exclude': True})
    """The HTTP headers, with lower-case names, without cookies and keys; `None` for a model in this process.

    They are not stored with the message: a response that is loaded from JSON has none.
    """

    from_cache: FromCache | None = field(default=None, metadata={'exclude_if': not_})
    """Set if a `CachedModel` returned a stored response: no request was sent, and `usage` is zero."""

    finish_reason: FinishReason | None = None
    """The reason why generation stopped; `None` if the vendor sent none or an unknown one."""

    state: ResponseState = 'complete'
    """The completeness of the response."""

    warnings: list[str] = field(default_factory=list[str])
    """One sentence per setting or content that was not sent because the model does not support it."""

    run_id: str | None = None
    """The id of the agent run."""

    conversation_id: str | None = None
    """The id of the conversation."""

    metadata: dict[str, Any] | None = None
    """Kept in the history, never sent."""

    kind: Literal['response'] = 'response'

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from ._stored import translate_response

        schema = add_older_names(handler(source), OLDER_NAMES)
        return add_before_validator(schema, translate_response)

    @property
    def is_truncated(self) -> bool:
        """True if the end is missing: the vendor truncated the response, or the stream broke."""
        return self.state in ('incomplete', 'interrupted')

    @property
    def must_continue(self) -> bool:
        """True if the model continues its turn when it gets this response back as the last message of the history.

        A response with tool calls continues with their results instead.
        """
        return self.state == 'suspended' and not self.tool_calls

    def join(self, continuation: ModelResponse) -> ModelResponse:
        """Return this response and the one that continues its turn as one response. Their usage is added."""
        is_one = not (self.attempts or continuation.attempts)
        paused = {name: value for name, value in (self.provider_details or {}).items() if name != 'finish_reason'}
        return replace(
            continuation,
            parts=[*self.parts, *continuation.parts],
            usage=self.usage + continuation.usage,
            attempts=() if is_one else (*self.list_attempts(), *continuation.list_attempts()),
            timestamp=self.timestamp,
            from_cache=None,
            provider_details={**paused, **(continuation.provider_details or {})} or None,
            warnings=list(dict.fromkeys([*self.warnings, *continuation.warnings])),
        )

    def list_attempts(self) -> list[AttemptUsage]:
        """Return the usage of each request that this response took: `attempts`, or one for the whole `usage`."""
        return [*self.attempts] or [self.as_attempt()]

    def as_attempt(self) -> AttemptUsage:
        """Return the usage of this response, with what its price depends on."""
        details = self.provider_details or {}
        return AttemptUsage(
            usage=self.usage,
            model_name=self.model_name,
            provider_name=self.provider_name,
            provider_url=self.provider_url,
            provider_details={name: details[name] for name in PRICE_DETAILS if details.get(name)} or None,
            timestamp=self.timestamp,
        )

    def cost(self, *, prices: PricesOfModels | None = None) -> Cost:
        """Return the cost in US dollars, by the prices of `genai-prices` (extra `prices`) at the time of the response.

        `prices` are your own, for all models or by model id. `Cost.unpriced` names what has no known price. Raises
        `UserError` if prices are needed and the package is not installed.
        """
        from ..cost import price_attempts

        is_paid = self.from_cache is None
        tools = [call.tool_name for call, _ in self.native_tool_calls if is_paid]
        files = len(self.files) if is_paid else 0
        return price_attempts(self.list_attempts(), tools=tools, files=files, prices=prices)

    @property
    def logprobs(self) -> list[TokenLogprob]:
        """The log probabilities of the text's tokens, in order; empty if the setting `logprobs` did not ask for them.

        If there is no text, they are those that the vendor sent with the response.
        """
        of_text = find_logprobs(part.provider_details for part in self.parts if isinstance(part, TextPart))
        return of_text or find_logprobs([self.provider_details])

    @property
    def rate_limits(self) -> RateLimits:
        """The vendor's limits, and what remains of them, from the headers; empty if they contain none."""
        return RateLimits.from_headers(self.headers or {})

    @property
    def text(self) -> str | None:
        """The text of all text parts, or `None`. A blank line separates parts that are not adjacent."""
        return _join_paragraphs(self.parts)

    @property
    def thinking(self) -> str | None:
        """The text of all thinking parts, or `None`. A blank line separates them."""
        texts = [part.content for part in self.parts if isinstance(part, ThinkingPart)]
        return '\n\n'.join(filter(None, texts)) if texts else None

    @property
    def tool_calls(self) -> list[ToolCallPart]:
        """The tool calls for the application, in order."""
        return [part for part in self.parts if isinstance(part, ToolCallPart)]

    @property
    def native_tool_calls(self) -> list[tuple[NativeToolCallPart, NativeToolReturnPart | None]]:
        """The native tool calls, each with its result, or `None` if the response has no result for it."""
        returns = {part.tool_call_id: part for part in self.parts if isinstance(part, NativeToolReturnPart)}
        calls = (part for part in self.parts if isinstance(part, NativeToolCallPart))
        return [(call, returns.get(call.tool_call_id)) for call in calls]

    @property
    def files(self) -> list[BinaryContent]:
        """The files that the model generated."""
        return [part.content for part in self.parts if isinstance(part, FilePart)]

    @property
    def images(self) -> list[BinaryContent]:
        """The images that the model generated."""
        return [file for file in self.files if file.is_image]


def is_truncated(response: ModelResponse) -> bool:
    """Return whether the server ended the response before the model had finished: by its own word, or without one."""
    return response.state == 'incomplete' and response.finish_reason in (None, 'error')


def _join_paragraphs(parts: Iterable[ModelResponsePart]) -> str | None:
    """Join adjacent text parts directly, and others with a blank line; `None` if there are no text parts."""
    paragraphs: list[list[str]] = []
    adjacent = False
    for part in parts:
        if isinstance(part, TextPart):
            if not adjacent:
                paragraphs.append([])
            paragraphs[-1].append(part.content)
        adjacent = isinstance(part, TextPart)
    return '\n\n'.join(''.join(texts) for texts in paragraphs) if paragraphs else None
