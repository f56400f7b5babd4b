"""Where we differ from what the recordings say is right, and why. A row that no case needs any more fails a test."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from typing import NamedTuple


class Difference(NamedTuple):
    """A difference that was decided on. `vendor` and `case` are globs, `path` is a regular expression."""

    what: str
    vendor: str
    case: str
    path: str
    reason: str

    def speaks_of(self, what: str, vendor: str, case: str) -> bool:
        """Whether it can occur in this case."""
        return what == self.what and fnmatch(vendor, self.vendor) and fnmatch(case, self.case)


THINKING_WITH_ID = (
    'the part came from another API, whose id is no name of a field here: the thoughts go back in tags, as do those '
    'without an id'
)
FILES_OF_TOOLS = 'the words around a file that a tool returned are our own'

DECLARED = (
    Difference(
        'encode', 'openai-chat*', 'thinking_with_id', r'body\.messages\[1\]\.(rs_123|content.*)', THINKING_WITH_ID
    ),
    Difference(
        'encode', 'azure-chat', 'thinking_with_id', r'body\.messages\[1\]\.(rs_123|content.*)', THINKING_WITH_ID
    ),
    Difference('encode', 'cerebras', 'thinking_with_id', r'body\.messages\[1\]\.(rs_123|content.*)', THINKING_WITH_ID),
    Difference('encode', 'zai', 'tool_return_image', r'body\.messages\[3\]\.content', FILES_OF_TOOLS),
    Difference(
        'encode',
        'openai-chat@reasoning',
        '*',
        r'body\.stop',
        'gpt-5-mini answers 400 to stop: it is left out, and the response says so',
    ),
    Difference(
        'decode',
        'snowflake',
        '*',
        'model_name',
        'the body says that the model is "", which is no name: it stays the one that was asked for',
    ),
    Difference(
        'decode',
        'anthropic',
        '*advisor_tool_stream*',
        'parts',
        'the stream holds a server_tool_use for the advisor before its result; leaving out calls of tools that the '
        'request did not declare would leave a result without its call',
    ),
    Difference(
        'roundtrip',
        'anthropic',
        '*text_parts_ahead_of_built_in_tool_call*',
        r'body\.messages\[1\]\.content.*',
        'the stream holds a server_tool_use and cited text, and both go back as they came',
    ),
    Difference(
        'roundtrip',
        'anthropic',
        '*native_tool_search_round_trip*',
        r'body\.messages\[1\]\.content\[1\]\.input\.limit',
        "the vendor's own input, {query, limit}, goes back as it came",
    ),
    Difference(
        'roundtrip',
        'anthropic',
        '*in_flight_mcp_call_history*',
        r'body\.messages\[1\]\.content',
        'a result whose call is nowhere in the history is left out; the API refuses one without its call',
    ),
    Difference(
        'encode',
        'anthropic*',
        'tool_return_scalars',
        r'body\.messages\[2\]\.content\[2\]\.content',
        "a tool that returned '' gets a tool_result without content, which is optional; empty text blocks are refused",
    ),
)
"""The differences."""


class Declared:
    """Takes what was decided on out of the differences that a comparison found, and remembers which rows it needed."""

    def __init__(self) -> None:
        self.used: set[Difference] = set()

    def filter(self, what: str, vendor: str, case: str, found: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """The differences, as (path, what was wanted), that nobody decided on."""
        left: list[tuple[str, str]] = []
        for path, message in found:
            row = next((r for r in DECLARED if r.speaks_of(what, vendor, case) and re.fullmatch(r.path, path)), None)
            if row is None:
                left.append((path, message))
            else:
                self.used.add(row)
        return left
