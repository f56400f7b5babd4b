"""A response put together from its events is what the parts manager holds."""

from __future__ import annotations

from typing import Any

from hypothesis import given, strategies

from pydantic_llm.agent.event_channel import ResponseStartEvent
from pydantic_llm.agent.partial_response import PartialResponse
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
def test_a_partial_response_has_the_parts_of_the_parts_manager(steps: list[tuple[int, str, str, Any]]) -> None:
    parts, partial = PartsManager(), PartialResponse()
    partial.add(ResponseStartEvent())
    for step in steps:
        feed(parts, *step)
        for event in parts.take_events():
            partial.add(event)
        assert partial.get().parts == parts.get()
    parts.end(complete=False)
    for event in parts.take_events():
        partial.add(event)
    assert partial.get().parts == parts.get()
    partial.add(ResponseStartEvent())
    assert partial.get().parts == []
