"""`HistoryRules`: what an API accepts in past messages. A room declares them, and profiles override them.

`wire.history` rewrites the messages that an API would refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from ..exceptions import UserError

__all__ = ('ANY_TEXT', 'EMPTY_RESULT', 'FILLER', 'NAME', 'UNKNOWN_SERVER', 'HistoryRules')

NAME = r'[a-zA-Z0-9_-]{1,64}'
"""The tool names that most APIs accept."""

FILLER = '.'
"""The text of a turn without content of its own. Most APIs refuse blank text in it."""

EMPTY_RESULT = '(empty)'
"""The text of a tool result without content, for APIs that refuse it: hermes-agent#55092."""

ANY_TEXT = r'(?s:.*)'
"""A pattern that every text matches."""


@dataclass(frozen=True, kw_only=True)
class HistoryRules:
    """What an API accepts in a history. The defaults accept everything."""

    tool_names: str = ANY_TEXT
    """The tool names that the API accepts, as a regular expression. A name that a model invented is rewritten to match;
    the names of the request's tools are sent as they are."""

    given_names: str = ANY_TEXT
    """The names that the request's own tools may have, as a regular expression; `UserError` is raised for others."""

    call_ids: str = ANY_TEXT
    """The tool call ids that the API accepts, as a regular expression."""

    call_id_format: str = 'call_{}'
    """The format of the ids that replace others; `{}` becomes a number."""

    malformed_arguments: bool = True
    """True if the arguments of a tool call may be any text. If not, invalid ones are sent inside a JSON object."""

    blank_text: Literal['accepted', 'refused', 'refused_unsigned'] = 'accepted'
    """Whether the API accepts empty and blank texts: always, never, or with a signature."""

    empty_results: bool = True
    """True if a tool result may be empty. If not, its text is `EMPTY_RESULT`."""

    trailing_whitespace: bool = True
    """True if a response at the end may end with whitespace."""

    files_in_results: bool = True
    """True if tool results may contain files. If not, the files follow in the user's prompt."""

    files_in_errors: bool = True
    """True if the result of a failed tool may contain files. If not, the files follow in the user's prompt."""

    system_prompts: Literal['anywhere', 'first', 'never'] = 'anywhere'
    """The place of system prompts. With `'never'`, they and the instructions are sent as the user's text."""

    alternates: bool = False
    """True if the roles of the user and of the assistant must alternate."""

    user_after_result: bool = True
    """True if the user's content may follow a tool result."""

    response_first: bool = True
    """True if a conversation may begin with a response."""

    response_alone: bool = True
    """True if a response may be the whole conversation."""

    compactions: Literal['never', 'readable', 'encrypted'] = 'never'
    """Whether the API takes back the summaries of conversations that its vendor made: never, with a text or encrypted
    data, or with encrypted data only."""

    filler: str = FILLER
    """The user's text before a response that must not be first."""

    response_last: bool = True
    """True if a conversation may end with a response, which the model continues."""

    def merge(self, facts: Mapping[str, Any] | None) -> HistoryRules:
        """Return these rules, overridden by those of a profile. Raises `UserError` for an unknown rule."""
        if not facts:
            return self
        if unknown := facts.keys() - {field.name for field in fields(self)}:
            raise UserError(f'history_rules has no rule {min(unknown)!r}')
        return replace(self, **facts)


UNKNOWN_SERVER = HistoryRules(tool_names=NAME, malformed_arguments=False)
"""The rules of a server of which nothing is known. What models invent is sent in a form that every server accepts."""

EVERY_API = HistoryRules(
    tool_names=r'[a-zA-Z_][a-zA-Z0-9_-]{0,63}',
    malformed_arguments=False,
    blank_text='refused_unsigned',
    empty_results=False,
    trailing_whitespace=False,
    response_first=False,
    compactions='readable',
)
"""What every API accepts. The form of ids and the places of system prompts and files are left out: APIs contradict each
other in them, so they are changed in each request."""

NO_SYSTEM_PROMPTS: dict[str, Any] = {'history_rules': {'system_prompts': 'never'}}
"""The fact of a model without system prompts."""
