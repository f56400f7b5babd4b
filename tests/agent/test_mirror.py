"""A response put together from its events is what the parts manager holds."""

from __future__ import annotations

from typing import Any

from hypothesis import given, strategies

from pydantic_llm.agent.partial_response import Mirror
from pydantic_llm.agent.run_state import ResponseBegins
from pydantic_llm.messages import TextPart
from pydantic_llm.models import PartsManager

TEXT = strategies.text(max_size=3)
DETAILS = strategies.none() | strategies.fixed_dictionaries({'a': strategies.integers(0, 1)})


def feed(parts: PartsManager, key: int, verb: str, text: str, details: Any) -> None:
    more = {} if details is None else {'provider_details': details}
    match key:
        case 0 if verb == 'whole':
            parts.whole(0, TextPart(text, **more))
        case 0:
            parts.text(0, text, **more)
        case 1:
            parts.tool_call(1, name='t', args={'a': text} if verb == 'whole' else text, tool_call_id='id', **more)
        case _:
            parts.thinking(2, text, signature=text if verb == 'whole' else None, **more)


STEP = strategies.tuples(strategies.integers(0, 2), strategies.sampled_from(['grow', 'whole']), TEXT, DETAILS)


@given(strategies.lists(STEP))
def test_the_mirror_shows_what_is_there(steps: list[tuple[int, str, str, Any]]) -> None:
    parts, mirror = PartsManager(), Mirror()
    mirror.see(ResponseBegins())
    for step in steps:
        feed(parts, *step)
        for event in parts.take_events():
            mirror.see(event)
        assert mirror.response().parts == parts.get()
    parts.end(complete=False)
    for event in parts.take_events():
        mirror.see(event)
    assert mirror.response().parts == parts.get()
    mirror.see(ResponseBegins())
    assert mirror.response().parts == []
