"""Encode a request by the model's chat template: request → prompt text, constraint, and the readers of its response.

Start at `RequestEncoder.encode`. `encode_messages` makes the template's turns, `tools` its tools and schemas.
https://huggingface.co/docs/transformers/en/chat_templating
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...constraints import Constraint, Grammar, JsonSchema
from ...exceptions import UserError
from ...json_types import Json
from ...messages import ToolCallPart
from ...streaming.text_calls import CALL_FORMATS, CallFormat, CallReader, find_format
from ...streaming.text_calls.forced import ForcedReader
from ...streaming.text_calls.formats import CallFormatName
from ...streaming.thinking import THINK_TAGS, ThinkTags
from ...tools.definition import ToolDefinition
from ...wire.history import fit_history
from ...wire.prepare import PreparedRequest
from ...wire.thinking import resolve_thinking
from ...wire.turns import HistoryTarget
from .encode_messages import TemplateFeatures, encode_messages
from .options import LocalOptions
from .parallel_calls import split_parallel_calls
from .schemas import fit_schema
from .template_probe import TemplateFacts, probe_template
from .thinking import encode_thinking, find_thinking_field, make_think_tags, make_thinking_scale
from .tokenizer import Tokenizer
from .tools import (
    describe_tools,
    encode_tools,
    make_call_or_output_constraint,
    make_calls_schema,
    make_harmony_constraint,
)

__all__ = ('EncodedRequest', 'RequestEncoder')

MISTRAL_IDS: dict[str, Any] = {'call_ids': '[A-Za-z0-9]{9}', 'call_id_format': 'call{:05d}'}
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
            tokenizer = Tokenizer(
                tokenizer.tokenizer,
                processor=tokenizer.processor,
                chat_template=template,
                text_only_reason=tokenizer.text_only_reason,
            )
        self._tokenizer = tokenizer
        self._template = template = tokenizer.template
        self._options = dict(options.get('apply_chat_template_kwargs') or {})
        self._takes_images = takes_images
        self._mentions_tools = bool(re.search(r'\btools\b', template))
        self._known_facts: dict[tuple[bool, bool], TemplateFacts] = {}
        self._has_tools: bool = self._find_facts(has_tools=True, has_calls=True).has_tools
        """True if the template renders the tools of a request."""
        self.format: CallFormat = self._choose_format(options.get('tool_format'))
        name, arguments = self.format.keys
        self.keys: tuple[str, str] = (
            options.get('tool_name_key') or name,
            options.get('tool_arguments_key') or arguments,
        )
        """The keys of a tool call's name and arguments."""

    def _find_facts(self, *, has_tools: bool, has_calls: bool) -> TemplateFacts:
        """Return what the template can express in conversations of one kind."""
        key = has_tools and self._mentions_tools, has_calls
        if key not in self._known_facts:
            self._known_facts[key] = probe_template(
                lambda turns, tools: self._tokenizer.render(turns, tools, self._options),
                has_tools=key[0],
                has_calls=has_calls,
                has_listed_content=self._takes_images,
            )
        return self._known_facts[key]

    def _choose_format(self, name: CallFormatName | None) -> CallFormat:
        if name is not None:
            if name not in CALL_FORMATS:
                raise UserError(f'tool_format is one of {", ".join(CALL_FORMATS)}, not {name!r}')
            return CALL_FORMATS[name]
        # without tools in the template, they are described as JSON, which every reader reads as well
        return find_format(self._template, self._tokenizer.added_tokens if self._has_tools else ())

    def encode(self, request: PreparedRequest) -> EncodedRequest:
        tools, is_forced = _resolve_tools(request)
        if request.parameters.native_tools:
            unsupported = ', '.join(tool.kind for tool in request.parameters.native_tools)
            raise UserError(f'A model in this process has no tools of its own, and was asked for {unsupported}')
        options = {**self._options, **self._encode_thinking(request)}
        text, images = self._render(request, tools, options)
        constraint = self._make_constraint(request, tools, is_forced=is_forced)
        tags = None if self.format.reads_thinking else make_think_tags(self._find_tags(request), text)
        if constraint is not None and tags is not None and tags.kind == 'thinking':
            # The template has opened the thinking block, but the constraint is for the text after it: close it.
            text, tags = f'{text.rstrip()}\n{tags.end}\n\n', replace(tags, kind='text')
        has_header = isinstance(constraint, Grammar) and constraint is not request.settings.get('constraint')
        if constraint is not None and self.format.reads_thinking and not has_header:
            text = self.format.open_text(text)  # the constraint is for the text after the header of a message
        elif is_forced and self._has_tools:
            text += self.format.opening
        if is_forced:
            return EncodedRequest(text, images, constraint, ForcedReader(self.keys), None, ())
        has_reader = bool(tools) or self.format.reads_thinking
        calls = self.format.begin([tool.name for tool in tools], self.keys, text) if has_reader else None
        visible = (*(self.format.marks if has_reader else ()), *self._find_tag_tokens(tags))
        return EncodedRequest(text, images, constraint, calls, tags, visible)

    # thinking between tags

    def _find_tags(self, request: PreparedRequest) -> Sequence[tuple[str, str, str]]:
        """Return the tags of the profile, and those in the chat template or the vocabulary."""
        start, end = request.profile.thinking_tags
        known = (self._template, self._tokenizer.added_tokens)
        return (start, end, ''), *(tags for tags in THINK_TAGS if any(tags[1] in source for source in known))

    def _find_tag_tokens(self, tags: ThinkTags | None) -> Iterator[str]:
        """Yield the tags, and the special tokens in them, which must stay in the text."""
        for start, end, *_ in ((tags.start, tags.end), *tags.others) if tags else ():
            yield from (start, end)
            yield from (token for token in self._tokenizer.added_tokens if token in start or token in end)

    # the input of the template

    def _render(
        self, request: PreparedRequest, tools: Sequence[ToolDefinition], options: Json
    ) -> tuple[str, list[bytes]]:
        """Return the text of the prompt and its images."""
        if tools and not self._has_tools:
            request = replace(request, instructions=[*request.instructions, describe_tools(tools, self.keys)])
        native_tools = encode_tools(tools) if self._has_tools else []
        facts = self._find_facts(has_tools=bool(native_tools), has_calls=bool(native_tools) or _has_calls(request))
        features = TemplateFeatures(
            facts,
            self._has_tools,
            find_thinking_field(self._template),
            self._takes_images,
            self.keys,
            text_only_reason=self._tokenizer.text_only_reason,
        )
        turns, images = encode_messages(self._fit_history(request, facts), features)
        try:
            return self._tokenizer.render(turns, native_tools, options), images
        except UserError:
            raise
        except Exception as error:
            raise UserError(f'The chat template does not take this conversation: {error}') from error

    def _fit_history(self, request: PreparedRequest, facts: TemplateFacts) -> PreparedRequest:
        """Return the request with a history that the template renders as a whole."""
        target = HistoryTarget(
            system=request.system,
            model_name=request.model_name,
            rules=replace(facts.rules, **MISTRAL_IDS) if self.format.name == 'mistral' else facts.rules,
            tools=frozenset([tool.name for tool in request.parameters.tools]),
            supports_tools=True,
            instructions=request.instructions,
            note=request.note_change,
        )
        messages = fit_history(request.messages, target)
        if not facts.has_parallel_calls:
            messages = split_parallel_calls(messages)
        return replace(request, messages=messages, instructions=target.instructions)

    def _encode_thinking(self, request: PreparedRequest) -> Json:
        """Return the template's variables for `thinking`. If it has none, the setting is dropped with a warning."""
        thinking = resolve_thinking(request, make_thinking_scale(self._template))
        return encode_thinking(thinking, self._template) if thinking else {}

    # the constraint on the response

    def _make_constraint(
        self, request: PreparedRequest, tools: Sequence[ToolDefinition], *, is_forced: bool
    ) -> Constraint | None:
        constraint = request.settings.get('constraint')
        output = request.parameters.output_object if request.parameters.output_mode == 'native' else None
        if constraint is not None and (is_forced or output is not None):
            raise UserError('constraint= cannot be combined with a required tool call (tool_choice=) or native output')
        if not is_forced and output is None:
            return constraint
        tools = [
            replace(tool, parameters_json_schema=fit_schema(tool.parameters_json_schema, request.note_change))
            for tool in tools
        ]
        if is_forced or output is None:
            return JsonSchema(make_calls_schema(tools, self.keys))
        schema = fit_schema(output.json_schema, request.note_change)
        if not tools:
            return JsonSchema(schema)
        if self.format.name == 'harmony':
            return make_harmony_constraint(tools, schema, self._tokenizer.added_tokens)
        opening = '' if self.format.reads_thinking else self.format.opening
        marks = (opening, '\n</tool_call>' if self.format.name == 'hermes' else '')
        return make_call_or_output_constraint(tools, self.keys, schema, marks, self._tokenizer.added_tokens)


def _has_calls(request: PreparedRequest) -> bool:
    """Return whether the history has tool calls."""
    return any(isinstance(part, ToolCallPart) for message in request.messages for part in message.parts)


def _resolve_tools(request: PreparedRequest) -> tuple[list[ToolDefinition], bool]:
    """Return the tools that may be called, and whether one of them must be called."""
    tools, choice = request.parameters.tools, request.tool_choice
    if isinstance(choice, tuple):
        return [tool for tool in tools if tool.name in choice], True
    if choice == 'none':
        return [], False
    return tools, choice == 'required' and bool(tools)
