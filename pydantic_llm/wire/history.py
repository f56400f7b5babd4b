"""Rewrites a history for one API, by its `HistoryRules`: messages that were sent once can always be sent again.

Start at `fit_history`. The parts are rewritten here, one by one; `turns` puts the messages in the order that the API
demands. Messages are copied, never changed, and the same history always becomes the same messages, so that the vendor's
prompt cache finds them again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TypeVar, cast

from ..exceptions import UserError
from ..json_types import repair_text
from ..messages import (
    CompactionPart,
    ModelMessage,
    ModelRequest,
    MultiModalContent,
    NativeToolCallPart,
    NativeToolReturnPart,
    RetryPromptPart,
    SystemPromptPart,
    TextContent,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from ..messages.history import drop_compacted, map_tool_call_ids
from ..messages.request import FAILED_OUTCOMES, ModelRequestPart
from ..messages.response import INVALID, ModelResponsePart
from ..profiles.history import EMPTY_RESULT, HistoryRules
from .arguments import fit_arguments
from .texts import REPLACED_CHARACTERS, is_valid_text
from .turns import HistoryTarget, arrange, place_system_prompts

UNNAMED = 'unknown_tool'
"""The name of a tool in place of an empty one."""

LONGEST_NAME = 64

SUMMARY = 'A summary of the conversation so far:\n\n'
"""The text before a summary, when it is sent as text."""

PartT = TypeVar('PartT', bound=ModelRequestPart | ModelResponsePart)


def fit_history(messages: Sequence[ModelMessage], target: HistoryTarget) -> Sequence[ModelMessage]:
    """Return the messages that the API accepts, and change the instructions of the target.

    Returns the same messages if nothing changes.
    """
    fitter = _HistoryFitter(target)
    fitted: Sequence[ModelMessage] = [new for message in messages for new in fitter.fit(message)]
    target.instructions = keep_texts(target.instructions, target.note)
    fitted = map_tool_call_ids(
        fitted,
        accepts=lambda id: re.fullmatch(target.rules.call_ids, id) is not None,
        make=target.rules.call_id_format.format,
    )
    fitted = arrange(place_system_prompts(fitted, target), target)
    return messages if _are_same(fitted, messages) else fitted


def drop_compacted_messages(
    messages: Sequence[ModelMessage], system: str, rules: HistoryRules
) -> Sequence[ModelMessage]:
    """Return the messages without those that a summary of this vendor stands for."""
    return drop_compacted(messages, lambda part: _accepts_compaction(part, system, rules))


def _accepts_compaction(part: CompactionPart, system: str | None, rules: HistoryRules) -> bool:
    """Return whether the API takes back a summary, in place of the messages before it."""
    is_readable = rules.compactions == 'readable' and part.has_content()
    return system in (None, part.provider_name) and (
        is_readable or (rules.compactions != 'never' and part.is_encrypted)
    )


def keep_texts(instructions: Sequence[str], note: Callable[[str], None]) -> list[str]:
    """Return the instructions that are not blank. Characters that cannot be encoded are replaced, with a warning."""
    if not is_valid_text(instructions):
        note(REPLACED_CHARACTERS)
        instructions = [repair_text(text) for text in instructions]
    return [text for text in instructions if text.strip()]


def check_tool_names(names: Collection[str], system: str, rules: HistoryRules) -> None:
    """Raise `UserError` if the API does not accept the name of one of the request's tools."""
    if not names:
        return
    is_accepted = re.compile(rules.given_names).fullmatch
    for name in sorted(names):
        if not is_accepted(name):
            raise UserError(
                f'{system!r} does not accept the name of the tool {name!r}: a name must match '
                f'{rules.given_names!r}. Give the tool another name'
            )


@dataclass(slots=True)
class _HistoryFitter:
    """Rewrites the parts of one history. Parts and messages that stay the same are not copied."""

    target: HistoryTarget
    names: dict[str, str] = field(default_factory=dict[str, str])
    """The names of tools as they are sent, by the names in the history."""
    called: dict[str, str] = field(default_factory=dict[str, str])
    """The names of tools as they are sent, by the ids of their calls."""
    dropped: set[str] = field(default_factory=set[str])
    """The ids of calls of native tools that are not sent."""
    makers: dict[str, str | None] = field(default_factory=dict[str, str | None])
    """The vendors that called native tools, by the ids of the calls."""

    def __post_init__(self) -> None:
        self.names = {name: name for name in self.target.tools}

    def fit(self, message: ModelMessage) -> Iterator[ModelMessage]:
        """Yield the message with its parts rewritten, or nothing if no part is left."""
        if isinstance(message, ModelRequest):
            parts = [fitted for part in message.parts for fitted in self._fit_request_part(part)]
            parts = self._move_files(parts)
            if parts:
                yield message if _are_same(parts, message.parts) else replace(message, parts=parts)
        else:
            others = [fitted for part in message.parts for fitted in self._fit_response_part(part)]
            if others:
                yield message if _are_same(others, message.parts) else replace(message, parts=others)

    # parts of requests

    def _fit_request_part(self, part: ModelRequestPart) -> Iterator[ModelRequestPart]:
        """Yield the part, rewritten if the API does not accept it, or nothing if it is blank and must not be."""
        match part:
            case SystemPromptPart(content=text):
                yield from self._with_text(part, text)
            case UserPromptPart(content=str() as text):
                yield from self._with_text(part, text)
            case UserPromptPart(content=items):
                kept = [fitted for item in items for fitted in self._fit_item(item)]
                if kept:
                    yield part if _are_same(kept, items) else replace(part, content=kept)
            case ToolReturnPart():
                yield from self._fit_result(part)
            case RetryPromptPart(tool_name=None):
                yield part
            case RetryPromptPart():
                new = self._fit_result_name(part.tool_call_id, part.tool_name or '')
                fitted = part if new == part.tool_name else replace(part, tool_name=new)
                yield from self._as_prompt(fitted) if self._has_no_tools else (fitted,)

    def _fit_item(self, item: UserContent) -> Iterator[UserContent]:
        text = item.content if isinstance(item, TextContent) else item
        if not isinstance(text, str) or self._accepts(text):
            yield item

    def _fit_result(self, part: ToolReturnPart) -> Iterator[ModelRequestPart]:
        """Yield the tool result. A blank one becomes an empty one: an API that refuses blank text can omit that."""
        content: object = part.content
        if isinstance(content, (list, tuple)) and self.target.rules.blank_text != 'accepted':
            items = cast('Sequence[object]', content)
            kept = [item for item in items if not isinstance(item, str) or self._accepts(item)]
            content = items if len(kept) == len(items) else kept or ''
        elif isinstance(content, str) and not self._accepts(content):
            content = ''
        if content == '' and not self.target.rules.empty_results:
            content = EMPTY_RESULT
        name = self._fit_result_name(part.tool_call_id, part.tool_name)
        if content is not part.content or name != part.tool_name:
            part = replace(part, content=content, tool_name=name)
        yield from self._as_prompt(part) if self._has_no_tools else (part,)

    def _as_prompt(self, part: ToolReturnPart | RetryPromptPart) -> Iterator[UserPromptPart]:
        """Yield a tool result as the user's text, for a model without tools."""
        start = f'The tool {part.tool_name} answered: '
        if isinstance(part, RetryPromptPart):
            yield UserPromptPart(start + part.model_response(), timestamp=part.timestamp)
        else:
            text, files = _split_result(part)
            content = start + text.model_response_str()
            yield UserPromptPart([content, *files] if files else content, timestamp=part.timestamp)

    def _move_files(self, parts: list[ModelRequestPart]) -> list[ModelRequestPart]:
        """Return the parts with the files that results must not contain in a user prompt at the end."""
        moved: list[ModelRequestPart] = []
        content: list[UserContent] = []
        for part in parts:
            if not isinstance(part, ToolReturnPart) or self._accepts_files(part) or not (files := part.files):
                moved.append(part)
                continue
            moved.append(_split_result(part)[0])
            for file in files:
                content += f'This is file {file.identifier}:', file
        return [*moved, UserPromptPart(content)] if content else moved

    def _accepts_files(self, part: ToolReturnPart) -> bool:
        """Return whether the API accepts files in a tool result."""
        rules = self.target.rules
        return rules.files_in_results and (rules.files_in_errors or part.outcome not in FAILED_OUTCOMES)

    # parts of responses

    def _fit_response_part(self, part: ModelResponsePart) -> Iterator[ModelResponsePart]:
        match part:
            case TextPart(content=text):
                is_signed = isinstance((part.provider_details or {}).get('thought_signature'), str)
                yield from self._with_text(part, text, is_signed=is_signed)
            case ToolCallPart():
                part = self._fit_call(part)
                yield self._describe(part) if self._has_no_tools else part
            case NativeToolCallPart():
                yield from self._fit_native_call(part)
            case NativeToolReturnPart(provider_name=str() as maker) if (
                self.makers.get(part.tool_call_id, maker) != maker
            ):
                self.target.note(f'a result of the native tool {part.tool_name!r} was dropped: its call is not sent')
            case NativeToolReturnPart() if part.tool_call_id in self.dropped:
                pass
            case CompactionPart():
                yield from self._fit_compaction(part)
            case _:
                yield part

    def _fit_native_call(self, part: NativeToolCallPart) -> Iterator[NativeToolCallPart]:
        """Yield the call, unless its arguments are malformed, which the vendor that made it would refuse."""
        self.makers[part.tool_call_id] = part.provider_name
        args = fit_arguments(part.args, accepts_text=False)
        if isinstance(args, dict) and INVALID in args and args is not part.args:
            self.dropped.add(part.tool_call_id)
            self.target.note(f'what the native tool {part.tool_name!r} did was dropped: its arguments are not JSON')
        else:
            yield part if args is part.args else replace(part, args=args)

    def _fit_compaction(self, part: CompactionPart) -> Iterator[CompactionPart | TextPart]:
        """Yield the summary if the API takes it back, else its text. One without a text is dropped."""
        if _accepts_compaction(part, self.target.system, self.target.rules):
            yield part
        elif part.content and part.has_content():
            self.target.note('a summary of another vendor was sent as text')
            yield TextPart(SUMMARY + part.content)
        elif part.is_encrypted:
            maker = part.provider_name
            self.target.note(f'an encrypted summary of {maker!r} was dropped: the history must have what it stands for')

    def _fit_call(self, part: ToolCallPart) -> ToolCallPart:
        name = self.called[part.tool_call_id] = self._fit_name(part.tool_name)
        args = fit_arguments(part.args, accepts_text=self.target.rules.malformed_arguments)
        if args is not part.args:
            self.target.note(f'the arguments of a call of {part.tool_name!r} were sent in a form that is JSON')
        if name == part.tool_name and args is part.args:
            return part
        return replace(part, tool_name=name, args=args)

    def _describe(self, part: ToolCallPart) -> TextPart:
        """Return a tool call as text, for a model without tools."""
        self.target.note(f'{self.target.model_name!r} has no tools: past tool calls were sent as text')
        return TextPart(f'Calling the tool {part.tool_name} with {part.args_as_json_str()}')

    # what all of them share

    @property
    def _has_no_tools(self) -> bool:
        return not self.target.supports_tools

    def _with_text(self, part: PartT, text: str, *, is_signed: bool = False) -> Iterator[PartT]:
        if self._accepts(text, is_signed=is_signed):
            yield part

    def _accepts(self, text: str, *, is_signed: bool = False) -> bool:
        """Return whether the API accepts a text, which may be blank; add a note if not."""
        if self.target.rules.blank_text == 'accepted' or (
            is_signed and self.target.rules.blank_text == 'refused_unsigned'
        ):
            return True
        if not text:
            return False
        if not text.isspace():
            return True
        self.target.note('blank texts were not sent: the API does not accept them')
        return False

    def _fit_result_name(self, id: str, name: str) -> str:
        """Return the name of a tool result, which is that of its call."""
        return self.called.get(id) or self._fit_name(name)

    def _fit_name(self, name: str) -> str:
        """Return a name that the API accepts for a tool, and that no given tool has."""
        if name not in self.names:
            self.names[name] = self._choose_name(name)
        return self.names[name]

    def _choose_name(self, name: str) -> str:
        if re.fullmatch(self.target.rules.tool_names, name):
            return name
        new = re.sub('[^a-zA-Z0-9_-]', '_', name) or UNNAMED
        new = (new if re.match('[a-zA-Z_]', new) else f'_{new}')[:LONGEST_NAME]
        if new in self.target.tools:
            start = new[: LONGEST_NAME - 4]
            new = next(other for number in count(2) if (other := f'{start}_{number}') not in self.target.tools)
        self.target.note(f'the name {name!r} of a past tool call was sent as {new!r}, which the API accepts')
        return new


def _split_result(part: ToolReturnPart) -> tuple[ToolReturnPart, list[MultiModalContent]]:
    """Return a tool result that names its files, and the files."""
    if not (files := part.files):
        return part, []
    items = [*part.without_files(), *(f'See file {file.identifier}.' for file in files)]
    return replace(part, content=items[0] if len(items) == 1 else items), files


def _are_same(new: Sequence[object], old: Sequence[object]) -> bool:
    return len(new) == len(old) and all(a is b for a, b in zip(new, old, strict=True))
