"""Finds out what a chat template can express, by rendering short conversations with it.

Templates leave out what they do not know, or raise an exception: past tool calls, system prompts inside a conversation,
two responses in a row. `probe_template` tries each of these once per model and kind of conversation, so that they can
be expressed another way.
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
PYTHON_ARGUMENTS = "{'city': 'probe"
"""The arguments of a past call, written as Python instead of JSON."""

ANY_ORDER = HistoryRules()


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateFacts:
    """What a chat template can express in a conversation of one kind."""

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
    renders_system_alone: bool = True
    """True if it renders a conversation that has only a system prompt."""
    has_listed_content: bool = False
    """True if the content of a turn must be a list of pieces, also if it is text alone."""


def probe_template(
    render: Render, *, has_tools: bool = False, has_calls: bool = False, has_listed_content: bool = False
) -> TemplateFacts:
    """Return what a template can express in conversations of one kind.

    A template may render the same turns in another way, or with another of the model's templates, if there are tools.
    `has_tools` is true for a request with tools that the template mentions, `has_calls` for past tool calls in it.
    """
    for tools in [TOOLS, ()] if has_tools else [()]:
        for is_listed in [True] if has_listed_content else [False, True]:
            probe = _Probe(render, tools, is_listed)
            if probe.renders([_user(1)], 'probe-user-1'):
                return probe.find_facts(has_calls=has_calls)
    return TemplateFacts(has_tools=has_tools, renders_calls=has_tools, has_listed_content=has_listed_content)


class _Probe:
    """Renders conversations, and looks for their words in the text."""

    def __init__(self, render: Render, tools: Sequence[Json], has_listed_content: bool) -> None:
        self._render = render
        self._tools = tools
        self._has_listed_content = has_listed_content

    def renders(self, turns: Sequence[Json], *words: str) -> bool:
        """Return whether the template renders the turns, with all of the words in the text."""
        shaped = [_list_content(turn) if self._has_listed_content else turn for turn in turns]
        try:
            text = self._render(shaped, [*self._tools])
        except Exception:  # noqa: BLE001 -- templates raise whatever they like
            return False
        return all(word in text for word in words) and PYTHON_ARGUMENTS not in text

    def find_facts(self, *, has_calls: bool) -> TemplateFacts:
        """Return the facts, with those about past tool calls if there are tools or calls."""
        has_tools = self.renders([_user(1)], TOOL)
        facts = TemplateFacts(
            rules=self._find_rules(),
            has_tools=has_tools,
            renders_system_alone=self.renders([_system(1)], 'probe-system-1', TOOL if has_tools else ''),
            has_listed_content=self._has_listed_content,
        )
        return self._find_calls(facts) if has_tools or has_calls else facts

    def _find_rules(self) -> HistoryRules:
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

    def _find_calls(self, facts: TemplateFacts) -> TemplateFacts:
        """Return the facts with those about past tool calls, and with the rules for conversations that have some."""
        as_text = not self._renders_call(as_text=False) and self._renders_call(as_text=True)
        if not as_text and not self._renders_call(as_text=False):
            return facts
        turns = [_user(1), _call(1, as_text=as_text), _result(1)]
        with_text = [_user(1), {**turns[1], 'content': 'probe-text'}, _result(1)]
        return replace(
            facts,
            rules=self._find_rules_for_calls(facts.rules, turns),
            renders_calls=True,
            arguments_as_text=as_text,
            has_parallel_calls=self._renders_parallel_calls(as_text=as_text),
            renders_text_with_calls=self._renders_always(with_text, 'probe-text', ARGUMENTS[0]),
        )

    def _find_rules_for_calls(self, rules: HistoryRules, turns: Sequence[Json]) -> HistoryRules:
        """Return the rules for conversations with past tool calls, such as the one of these turns."""
        # Mistral Nemo renders the system prompt with the last turn, if that is the user's.
        has_system = self.renders([_system(1), *turns], 'probe-system-1')
        # Llama 3.1 takes the first turn for the user's, if there are tools. Qwen 3.5 raises if no turn is the user's.
        call, result = turns[1:]
        may_be_first = self.renders([call, result, _user(1)], ARGUMENTS[0], RESULTS[0], 'probe-user-1')
        may_be_alone = self.renders([call, result], ARGUMENTS[0], RESULTS[0])
        return replace(
            rules,
            system_prompts=rules.system_prompts if has_system else 'never',
            response_first=rules.response_first and may_be_first and may_be_alone,
            user_after_result=self.renders([*turns, _user(2)], RESULTS[0], 'probe-user-2'),
        )

    def _renders_call(self, *, as_text: bool) -> bool:
        """Return whether a past call and its result are rendered, with arguments as JSON."""
        return self._renders_always([_user(1), _call(1, as_text=as_text), _result(1)], ARGUMENTS[0], RESULTS[0])

    def _renders_always(self, turns: Sequence[Json], *words: str) -> bool:
        """Return whether the turns are rendered with these words now, and when the conversation continues.

        gpt-oss drops the text of a turn with calls when a response follows.
        """
        later = [*turns, _assistant(1), _user(2)]
        return self.renders(turns, *words) and self.renders(later, *words, 'probe-assistant-1', 'probe-user-2')

    def _renders_parallel_calls(self, *, as_text: bool) -> bool:
        calls = [*_call(1, as_text=as_text)['tool_calls'], *_call(2, as_text=as_text)['tool_calls']]
        turns = [_user(1), {**_call(1, as_text=as_text), 'tool_calls': calls}, _result(1), _result(2)]
        return self.renders(turns, *ARGUMENTS, *RESULTS)


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
