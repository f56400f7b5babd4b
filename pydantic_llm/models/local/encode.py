"""Encode a request by the model's chat template: request → prompt text, constraint, and the readers of its response.

Start at `RequestEncoder.encode`. `encode_messages` makes the template's turns, `tools` its tools and schemas.
https://huggingface.co/docs/transformers/en/chat_templating
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...constraints import Constraint, JsonSchema
from ...exceptions import UserError
from ...json_types import Json
from ...messages.history import map_tool_call_ids
from ...profiles.thinking import FIXED, NO_LIMIT, ThinkingScale
from ...streaming.text_calls import CALL_FORMATS, CallFormat, CallReader, find_format
from ...streaming.text_calls.forced import ForcedReader
from ...streaming.text_calls.formats import CallFormatName
from ...streaming.thinking import ThinkTags
from ...tools.definition import ToolDefinition
from ...wire.prepare import PreparedRequest
from ...wire.thinking import resolve_thinking
from .encode_messages import TemplateFeatures, encode_messages, merge_system_turns
from .options import LocalOptions
from .tokenizer import Tokenizer
from .tools import close_objects, describe_tools, encode_tools, make_call_or_output_constraint, make_calls_schema

__all__ = ('EncodedRequest', 'RequestEncoder')

MISTRAL_ID = re.compile(r'[A-Za-z0-9]{9}')
"""The tool call ids that Mistral's chat templates accept: "alphanumeric strings with length 9!"."""


@dataclass(frozen=True, slots=True)
class EncodedRequest:
    """The input for an engine, and the readers that decode its response."""

    text: str
    """The text of the prompt."""
    images: Sequence[bytes]
    """The images, in the order in which the text refers to them."""
    constraint: Constraint | None
    calls: CallReader | None
    tags: ThinkTags | None
    """The splitter of thinking and text; `None` if `calls` does that."""
    visible_tokens: Sequence[str]
    """The special tokens that must stay in the text, as these readers need them."""


class RequestEncoder:
    """Encodes requests for one model. Raises `UserError` for options that its template does not support."""

    def __init__(self, tokenizer: Tokenizer, *, takes_images: bool, options: LocalOptions) -> None:
        template = options.get('chat_template')
        if template is not None:
            tokenizer = Tokenizer(tokenizer.tokenizer, processor=tokenizer.processor, chat_template=template)
        self._tokenizer = tokenizer
        self._template = template = tokenizer.template
        self._options = dict(options.get('apply_chat_template_kwargs') or {})
        self._has_native_tools = bool(re.search(r'\btools\b', template))
        self.format = self._choose_format(options.get('tool_format'))
        name, arguments = self.format.keys
        self.keys = (options.get('tool_name_key') or name, options.get('tool_arguments_key') or arguments)
        """The keys of a tool call's name and arguments."""
        self._features = TemplateFeatures(
            self._has_native_tools, _find_thinking_field(template), takes_images, self.keys
        )

    def _choose_format(self, name: CallFormatName | None) -> CallFormat:
        if name is not None:
            if name not in CALL_FORMATS:
                raise UserError(f'tool_format is one of {", ".join(CALL_FORMATS)}, not {name!r}')
            return CALL_FORMATS[name]
        if not self._has_native_tools and '<|channel|>' not in self._template:
            return CALL_FORMATS['json']
        return find_format(self._template, self._tokenizer.added_tokens)

    def encode(self, request: PreparedRequest) -> EncodedRequest:
        tools, is_forced = _resolve_tools(request)
        if request.parameters.native_tools:
            unsupported = ', '.join(tool.kind for tool in request.parameters.native_tools)
            raise UserError(f'A model in this process has no tools of its own, and was asked for {unsupported}')
        options = {**self._options, **self._encode_thinking(request)}
        text, images = self._render(request, tools, options)
        constraint = self._make_constraint(request, tools, is_forced=is_forced)
        tags = None if self.format.reads_thinking else _make_think_tags(request, text)
        if constraint is not None and tags is not None and tags.kind == 'thinking':
            # The template has opened the thinking block, but the constraint is for the text after it: close it.
            text, tags = f'{text.rstrip()}\n{tags.end}\n\n', replace(tags, kind='text')
        if is_forced:
            return EncodedRequest(text + self.format.opening, images, constraint, ForcedReader(self.keys), None, ())
        has_reader = bool(tools) or self.format.reads_thinking
        calls = self.format.make([tool.name for tool in tools], self.keys) if has_reader else None
        visible = (*(self.format.marks if has_reader else ()), *((tags.start, tags.end) if tags else ()))
        return EncodedRequest(text, images, constraint, calls, tags, visible)

    # the input of the template

    def _render(
        self, request: PreparedRequest, tools: Sequence[ToolDefinition], options: Json
    ) -> tuple[str, list[bytes]]:
        """Return the text of the prompt and its images."""
        if tools and not self._has_native_tools:
            request = replace(request, instructions=[*request.instructions, describe_tools(tools, self.keys)])
        if self.format.name == 'mistral':
            messages = map_tool_call_ids(
                request.messages, accepts=lambda id: bool(MISTRAL_ID.fullmatch(id)), make=lambda n: f'call{n:05d}'
            )
            request = replace(request, messages=messages)
        turns, images = encode_messages(request, self._features)
        native_tools = encode_tools(tools) if self._has_native_tools else []
        return self._apply_template(turns, native_tools, options), images

    def _apply_template(self, turns: list[Json], tools: list[Json], options: Json) -> str:
        """Render the turns; if the template raises, render them again without system turns, which some reject."""
        try:
            return self._tokenizer.render(turns, tools, options)
        except UserError:
            raise
        except Exception as error:
            if any(turn['role'] == 'system' for turn in turns):
                try:
                    return self._tokenizer.render(merge_system_turns(turns), tools, options)
                except Exception:  # noqa: BLE001 -- the first error is the one to report
                    pass
            raise UserError(f'The chat template does not take this conversation: {error}') from error

    def _encode_thinking(self, request: PreparedRequest) -> Json:
        """Return the template's variables for `thinking`. If it has none, the setting is dropped with a warning."""
        thinking = resolve_thinking(request, make_thinking_scale(self._template))
        if thinking is None:
            return {}
        options: Json = {'enable_thinking': thinking.is_on} if 'enable_thinking' in self._template else {}
        if thinking.level:
            options['reasoning_effort'] = thinking.level
        if thinking.tokens or not thinking.is_on:
            options['thinking_budget'] = thinking.tokens or 0
        return {name: value for name, value in options.items() if name in self._template}

    # the constraint on the response

    def _make_constraint(
        self, request: PreparedRequest, tools: Sequence[ToolDefinition], *, is_forced: bool
    ) -> Constraint | None:
        constraint = request.settings.get('constraint')
        output = request.parameters.output_object if request.parameters.output_mode == 'native' else None
        if constraint is not None and (is_forced or output is not None):
            raise UserError('constraint= cannot be combined with a required tool call (tool_choice=) or native output')
        if is_forced:
            return JsonSchema(make_calls_schema(tools, self.keys))
        if output is None:
            return constraint
        schema = close_objects(output.json_schema)
        if not tools:
            return JsonSchema(schema)
        marks = (self.format.opening, '\n</tool_call>' if self.format.name == 'hermes' else '')
        return make_call_or_output_constraint(tools, self.keys, schema, marks, self._tokenizer.added_tokens)


def _resolve_tools(request: PreparedRequest) -> tuple[list[ToolDefinition], bool]:
    """Return the tools that may be called, and whether one of them must be called."""
    tools, choice = request.parameters.tools, request.tool_choice
    if isinstance(choice, tuple):
        return [tool for tool in tools if tool.name in choice], True
    if choice == 'none':
        return [], False
    return tools, choice == 'required' and bool(tools)


def make_thinking_scale(template: str) -> ThinkingScale:
    """Return what a chat template accepts for the setting `thinking`, by the variables that it mentions."""
    # Qwen3's switch: https://huggingface.co/blog/qwen-3-chat-template-deep-dive
    has_switch = 'enable_thinking' in template
    if 'thinking_budget' in template:  # https://huggingface.co/ByteDance-Seed/Seed-OSS-36B-Instruct
        return ThinkingScale(budgets=(1, NO_LIMIT))
    if 'reasoning_effort' in template:  # gpt-oss: https://cookbook.openai.com/articles/openai-harmony
        return ThinkingScale(levels=('low', 'medium', 'high'), default='medium', can_stop=has_switch)
    return ThinkingScale() if has_switch else FIXED


def _find_thinking_field(template: str) -> str | None:
    """Return the field of a turn from which the template reads past thinking, if there is one."""
    if 'reasoning_content' in template:
        return 'reasoning_content'
    return 'thinking' if re.search(r'message\.thinking|\[.thinking.\]', template) else None


def _make_think_tags(request: PreparedRequest, text: str) -> ThinkTags:
    """Return a splitter for the profile's tags. Some templates end the prompt with the start tag."""
    start, end = request.profile.thinking_tags
    is_open = text.rstrip().endswith(start)
    return ThinkTags(start, end, 'thinking' if is_open else 'start')
