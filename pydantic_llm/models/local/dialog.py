"""How a model is spoken to, read off its chat template: request → prompt, constraint, and a reader of the answer.

Start at `Dialog.ask`. Nothing here knows an engine; rendering and tokenizing are the tokenizer's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...constraints import Constraint, JsonSchema
from ...exceptions import UserError
from ...json_types import Json
from ...messages.history import map_tool_call_ids
from ...streaming.thinking import ThinkTags
from ...tools.definition import ToolDefinition
from ...wire.prepare import PreparedRequest
from .calls import CALL_FORMATS, CallFormat, CallReader, format_of
from .calls.forced import ForcedReader
from .calls.formats import CallFormatName
from .chat import Speech, folded, turns_of
from .options import LocalOptions
from .tokenizer import Tokenizer
from .tools import call_or_answer, call_schema, call_teller, closed, tools_for_template, tools_in_words

__all__ = ('Asked', 'Dialog')

MISTRAL_ID = re.compile(r'[A-Za-z0-9]{9}')
"""The ids of calls that Mistral's templates take."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an engine is asked, and how its answer is read."""

    text: str
    """The prompt."""
    images: Sequence[bytes]
    """The images that the prompt speaks of, in order."""
    constraint: Constraint | None
    """What the answer must look like."""
    calls: CallReader | None
    """What reads the calls in the answer."""
    tags: ThinkTags | None
    """What tells thoughts from text; `None` where the reader of calls does."""
    shown: Sequence[str]
    """The special tokens that these readers must see."""


class Dialog:
    """How one model is spoken to. Raises `UserError` for options that mean nothing to it."""

    def __init__(self, tokenizer: Tokenizer, *, images: bool, options: LocalOptions) -> None:
        template = options.get('chat_template')
        if template is not None:
            tokenizer = Tokenizer(tokenizer.tokenizer, processor=tokenizer.processor, chat_template=template)
        self._tokenizer = tokenizer
        self._template = template = tokenizer.template
        self._options = dict(options.get('apply_chat_template_kwargs') or {})
        self._native_tools = bool(re.search(r'\btools\b', template))
        self.format = self._format(options.get('tool_format'))
        """How the model writes calls."""
        name, arguments = self.format.keys
        self.keys = (options.get('tool_name_key') or name, options.get('tool_arguments_key') or arguments)
        """What a call's object calls the tool and its arguments."""
        self._speech = Speech(self._native_tools, _thoughts_field(template), images, call_teller(self.keys))

    def _format(self, wanted: CallFormatName | None) -> CallFormat:
        if wanted is not None:
            if wanted not in CALL_FORMATS:
                raise UserError(f'tool_format is one of {", ".join(CALL_FORMATS)}, not {wanted!r}')
            return CALL_FORMATS[wanted]
        if not self._native_tools and '<|channel|>' not in self._template:
            return CALL_FORMATS['json']
        return format_of(self._template, self._tokenizer.added_tokens)

    def ask(self, request: PreparedRequest) -> Asked:
        """What to ask. Raises `UserError` for what cannot be."""
        tools, forced = _tools_of(request)
        if request.parameters.native_tools:
            unknown = ', '.join(tool.kind for tool in request.parameters.native_tools)
            raise UserError(f'A model in this process has no tools of its own, and was asked for {unknown}')
        options = {**self._options, **self._thinking(request)}
        text, images = self._render(request, tools, options)
        constraint = self._constraint(request, tools, forced=forced)
        tags = None if self.format.reads_text else _tags(request, text)
        if constraint is not None and tags is not None and tags.kind == 'thinking':
            text, tags = f'{text.rstrip()}\n{tags.end}\n\n', replace(tags, kind='text')
        if forced:
            return Asked(text + self.format.opening, images, constraint, ForcedReader(self.keys), None, ())
        reads = bool(tools) or self.format.reads_text
        calls = self.format.make([tool.name for tool in tools], self.keys) if reads else None
        return Asked(text, images, constraint, calls, tags, self.format.marks if reads else ())

    # what the template is given

    def _render(
        self, request: PreparedRequest, tools: Sequence[ToolDefinition], options: Json
    ) -> tuple[str, list[bytes]]:
        if tools and not self._native_tools:
            told = tools_in_words(tools, self.keys)
            request = replace(request, instructions=[*request.instructions, told])
        if self.format.name == 'mistral':
            messages = map_tool_call_ids(request.messages, accepts=_is_mistral_id, make=lambda n: f'call{n:05d}')
            request = replace(request, messages=messages)
        turns, images = turns_of(request, self._speech)
        for_template = tools_for_template(tools) if self._native_tools else []
        return self._rendered(turns, for_template, options), images

    def _rendered(self, turns: list[Json], tools: list[Json], options: Json) -> str:
        """Render; where the template refuses, without a system prompt, which some do not take."""
        try:
            return self._tokenizer.render(turns, tools, options)
        except UserError:
            raise
        except Exception as error:
            if any(turn['role'] == 'system' for turn in turns):
                try:
                    return self._tokenizer.render(folded(turns), tools, options)
                except Exception:  # noqa: BLE001 -- the first error is the one to tell
                    pass
            raise UserError(f'The chat template does not take this conversation: {error}') from error

    def _thinking(self, request: PreparedRequest) -> Json:
        """The template's switch for thinking, where it has one."""
        level = request.settings.get('thinking')
        if level is None:
            return {}
        if 'enable_thinking' in self._template:
            return {'enable_thinking': level is not False}
        if 'reasoning_effort' in self._template:
            levels = {True: 'medium', False: 'low', 'minimal': 'low', 'xhigh': 'high'}
            return {'reasoning_effort': levels.get(level, level)}
        request.leave_out('thinking', 'the chat template of the model has no switch for it')
        return {}

    # what the answer is held to

    def _constraint(
        self, request: PreparedRequest, tools: Sequence[ToolDefinition], *, forced: bool
    ) -> Constraint | None:
        wanted = request.settings.get('constraint')
        output = request.parameters.output_object if request.parameters.output_mode == 'native' else None
        if wanted is not None and (forced or output is not None):
            raise UserError('A constraint cannot be held together with a call that must be made, or with native output')
        if forced:
            return JsonSchema(call_schema(tools, self.keys))
        if output is None:
            return wanted
        if tools:
            vocabulary = self._tokenizer.added_tokens
            return call_or_answer(tools, self.keys, closed(output.json_schema), self._around(), vocabulary)
        return JsonSchema(closed(output.json_schema))

    def _around(self) -> tuple[str, str]:
        return (self.format.opening, '\n</tool_call>') if self.format.name == 'hermes' else (self.format.opening, '')


def _tools_of(request: PreparedRequest) -> tuple[list[ToolDefinition], bool]:
    """The tools that may be called, and whether one of them must be."""
    tools, choice = request.parameters.tools, request.tool_choice
    if isinstance(choice, tuple):
        return [tool for tool in tools if tool.name in choice], True
    if choice == 'none':
        return [], False
    return tools, choice == 'required' and bool(tools)


def _thoughts_field(template: str) -> str | None:
    """Where the template wants past thoughts."""
    if 'reasoning_content' in template:
        return 'reasoning_content'
    return 'thinking' if re.search(r'message\.thinking|\[.thinking.\]', template) else None


def _tags(request: PreparedRequest, text: str) -> ThinkTags:
    """The tags around thoughts; some templates begin them for the model."""
    start, end = request.profile.thinking_tags
    begun = text.rstrip().endswith(start)
    return ThinkTags(start, end, 'thinking' if begun else 'start')


def _is_mistral_id(id: str) -> bool:
    return MISTRAL_ID.fullmatch(id) is not None
