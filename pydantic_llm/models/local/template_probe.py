"""Finds out what a chat template can express, by rendering short conversations with it.

Templates leave out what they do not know, or raise an exception: past tool calls, system prompts inside a conversation,
two responses in a row. `probe_template` tries each of these once per model, so that they can be expressed another way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from json import dumps
from typing import Any

from ...json_types import Json
from ...profiles.history import HistoryRules

__all__ = ('TemplateFacts', 'probe_template')

Render = Callable[[list[Json], list[Json]], str]
"""Renders turns and tools as the text of a prompt, or raises any exception."""

TOOL = 'probe_tool'
ARGUMENTS = ('probe-argument-1', 'probe-argument-2')
RESULTS = ('probe-result-1', 'probe-result-2')


ANY_ORDER = HistoryRules()


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateFacts:
    """What a chat template can express."""

    rules: HistoryRules = ANY_ORDER
    """The order of messages that it accepts, and the place of system prompts."""
    has_tools: bool = False
    """True if it renders the tools of a request."""
    renders_calls: bool = False
    """True if it renders past tool calls and their results."""
    arguments_as_text: bool = False
    """True if the arguments of a past call must be JSON, and not an object."""
    has_parallel_calls: bool = True
    """True if a turn may have several tool calls."""
    renders_text_with_calls: bool = True
    """True if it renders the text of a turn that has tool calls."""
    has_listed_content: bool = False
    """True if the content of a turn must be a list of pieces, also if it is text alone."""


def probe_template(render: Render, *, has_tools: bool, has_listed_content: bool = False) -> TemplateFacts:
    """Return what a template can express. `has_tools` is true if it mentions tools."""
    probe = _Probe(render, has_listed_content)
    if not has_listed_content and not probe.renders([_user(1)], 'probe-user-1'):
        probe.has_listed_content = True
    if not probe.renders([_user(1)], 'probe-user-1'):
        return TemplateFacts(has_tools=has_tools, renders_calls=has_tools, has_listed_content=has_listed_content)
    rules = probe.find_rules()
    facts = TemplateFacts(rules=rules, has_listed_content=probe.has_listed_content)
    return probe.find_tools(facts) if has_tools else facts


class _Probe:
    """Renders conversations, and looks for their words in the text."""

    def __init__(self, render: Render, has_listed_content: bool) -> None:
        self._render = render
        self.has_listed_content = has_listed_content

    def renders(self, turns: Sequence[Json], *words: str, tools: Sequence[Json] = ()) -> bool:
        """Return whether the template renders the turns, with all of the words in the text."""
        text = self._try(turns, tools)
        return text is not None and all(word in text for word in words)

    def _try(self, turns: Sequence[Json], tools: Sequence[Json]) -> str | None:
        shaped = [_list_content(turn) if self.has_listed_content else turn for turn in turns]
        try:
            return self._render(shaped, list(tools))
        except Exception:  # noqa: BLE001 -- templates raise whatever they like
            return None

    def find_rules(self) -> HistoryRules:
        responses = [_user(1), _assistant(1), _assistant(2), _user(2)]
        return HistoryRules(
            system_prompts=self._find_system_prompts(),
            alternates=not self.renders(responses, 'probe-assistant-1', 'probe-assistant-2'),
            response_first=self.renders([_assistant(1), _user(1)], 'probe-assistant-1'),
        )

    def _find_system_prompts(self) -> Any:
        """Return the places where the template renders system prompts, a value of `HistoryRules.system_prompts`."""
        if not self.renders([_system(1), _user(1)], 'probe-system-1', 'probe-user-1'):
            return 'never'
        inside = [_system(1), _user(1), _assistant(1), _system(2), _user(2)]
        return 'anywhere' if self.renders(inside, 'probe-system-1', 'probe-system-2') else 'first'

    def find_tools(self, facts: TemplateFacts) -> TemplateFacts:
        if not self.renders([_user(1)], TOOL, tools=TOOLS):
            return facts
        as_text = not self._renders_call(as_text=False) and self._renders_call(as_text=True)
        if not as_text and not self._renders_call(as_text=False):
            return replace(facts, has_tools=True)
        begin = [_user(1), _call(1, as_text=as_text), _result(1)]
        follows = self.renders([*begin, _user(2)], RESULTS[0], 'probe-user-2', tools=TOOLS)
        with_text = {**_call(1, as_text=as_text), 'content': 'probe-text'}
        return replace(
            facts,
            rules=replace(facts.rules, user_after_result=follows),
            has_tools=True,
            renders_calls=True,
            arguments_as_text=as_text,
            has_parallel_calls=self._renders_parallel_calls(as_text=as_text),
            renders_text_with_calls=self.renders([_user(1), with_text, _result(1)], 'probe-text', tools=TOOLS),
        )

    def _renders_call(self, *, as_text: bool) -> bool:
        """Return whether a past call and its result are rendered, with arguments as JSON."""
        turns = [_user(1), _call(1, as_text=as_text), _result(1)]
        text = self._try(turns, TOOLS)
        return text is not None and ARGUMENTS[0] in text and RESULTS[0] in text and "{'city'" not in text

    def _renders_parallel_calls(self, *, as_text: bool) -> bool:
        calls = [*_call(1, as_text=as_text)['tool_calls'], *_call(2, as_text=as_text)['tool_calls']]
        turns = [_user(1), {**_call(1, as_text=as_text), 'tool_calls': calls}, _result(1), _result(2)]
        return self.renders(turns, *ARGUMENTS, *RESULTS, tools=TOOLS)


TOOLS: list[Json] = [
    {
        'type': 'function',
        'function': {
            'name': TOOL,
            'description': 'A tool.',
            'parameters': {
                'type': 'object',
                'properties': {'city': {'type': 'string', 'description': 'A city.'}},
                'required': ['city'],
            },
        },
    }
]


def _system(number: int) -> Json:
    return {'role': 'system', 'content': f'probe-system-{number}'}


def _user(number: int) -> Json:
    return {'role': 'user', 'content': f'probe-user-{number}'}


def _assistant(number: int) -> Json:
    return {'role': 'assistant', 'content': f'probe-assistant-{number}'}


def _call(number: int, *, as_text: bool) -> Json:
    arguments: Any = {'city': ARGUMENTS[number - 1]}
    function = {'name': TOOL, 'arguments': dumps(arguments) if as_text else arguments}
    call = {'type': 'function', 'id': f'probeid0{number}', 'function': function}
    return {'role': 'assistant', 'content': '', 'tool_calls': [call]}


def _result(number: int) -> Json:
    return {'role': 'tool', 'content': RESULTS[number - 1], 'name': TOOL, 'tool_call_id': f'probeid0{number}'}


def _list_content(turn: Json) -> Json:
    if turn['role'] == 'tool' or not turn['content']:
        return turn
    return {**turn, 'content': [{'type': 'text', 'text': turn['content']}]}
