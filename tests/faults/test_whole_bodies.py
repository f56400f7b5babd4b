"""A whole body is decoded without events, and without looking for parts of it: to what a stream of it leads to."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
from pydantic_core import from_json, to_json

from pydantic_llm import ModelRequestParameters, ToolDefinition
from pydantic_llm.exceptions import LLMError
from pydantic_llm.messages import ModelResponsePart, PartDeltaEvent, PartEndEvent, PartStartEvent
from pydantic_llm.wire.reader import ResponseReader
from tests.faults.fuzz import Seed, model, mutate, seeds
from tests.faults.vendors import VENDORS

GENERATED_ID = re.compile('call_[0-9a-f]{32}')
BODIES = [seed for seed in seeds() if not seed.stream]
PARAMETERS = ModelRequestParameters(function_tools=[ToolDefinition('look')])
BY_VENDOR = {name: [seed for seed in BODIES if seed.vendor == name] for name in {seed.vendor for seed in BODIES}}


def read(seed: Seed, body: bytes, *, records_events: bool) -> tuple[ResponseReader, str]:
    """Read a body. Return the reader, and a text of the response or of the error."""
    made = model(next(vendor for vendor in VENDORS if vendor.name == seed.vendor))
    reader = made.new_reader(parameters=PARAMETERS, records_events=records_events)
    try:
        reader.read_body(body, {'content-type': seed.content_type})
        error = ''
    except LLMError as failure:
        error = f'{type(failure).__name__} {failure}'
    return reader, f'{show(reader)} {error}'


def show(reader: ResponseReader) -> str:
    """Return the response as text, without the time and generated ids."""
    today = reader.draft.started
    now = re.compile(rf'datetime\.datetime\({today.year}, {today.month}, {today.day}, [^)]*\)')
    return now.sub('now', GENERATED_ID.sub('call', str(reader.draft.get())))


def compare(seed: Seed, body: bytes) -> None:
    with_events, expected = read(seed, body, records_events=True)
    without, found = read(seed, body, records_events=False)
    assert found == expected, body
    assert not without.draft.parts.events
    parts: dict[int, ModelResponsePart] = {}
    for event in with_events.draft.parts.events:
        match event:
            case PartStartEvent(index=index, part=part):
                parts[index] = part
            case PartDeltaEvent(index=index, delta=delta):
                parts[index] = delta.apply(parts[index])
            case PartEndEvent(index=index, part=part):
                parts[index] = part
            case _:
                pass
    assert [*parts.values()] == with_events.draft.parts.get()


@pytest.mark.parametrize('vendor', sorted(BY_VENDOR))
def test_a_whole_body_leads_to_the_same_response_with_events_and_without(vendor: str) -> None:
    chance = random.Random(vendor)
    for seed in BY_VENDOR[vendor]:
        compare(seed, seed.body)
    for _ in range(60):
        seed = chance.choice(BY_VENDOR[vendor])
        compare(seed, mutate(seed, chance))


def test_the_items_of_a_whole_body_lead_to_the_parts_of_a_stream_of_them() -> None:
    for seed in BY_VENDOR['openai-responses']:
        body: dict[str, Any] = from_json(seed.body)
        events = [
            {'type': 'response.output_item.done', 'output_index': index, 'item': item}
            for index, item in enumerate(body.get('output') or ())
        ]
        events += [{'type': 'response.completed', 'response': body}]
        stream = b''.join(b'data: ' + to_json(event) + b'\n\n' for event in events)
        (whole, _), (streamed, _) = (read(seed, each, records_events=False) for each in (seed.body, stream))
        assert show(whole) == show(streamed)


def test_two_looks_at_a_response_with_events_share_no_part() -> None:
    seed = BY_VENDOR['openai'][0]
    reader, _ = read(seed, seed.body, records_events=True)
    [first, *_], [second, *_] = reader.draft.get().parts, reader.draft.get().parts
    assert first == second
    assert first is not second
