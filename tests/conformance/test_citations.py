"""Tests of citations: one value on the text, whichever API sends them, in a whole response and in a stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from pydantic_core import from_json, to_json

from pydantic_llm.messages import (
    Citation,
    ContentCitationAnchor,
    DocumentCitationSource,
    MarkerCitationAnchor,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    PartEndEvent,
    PartStartEvent,
    TextPart,
    WebCitationSource,
)
from pydantic_llm.messages.citation_readers import read_citations
from pydantic_llm.streaming.parts import PartsManager
from pydantic_llm.testing.exchange import decode_body, decode_events, encode_body
from pydantic_llm.testing.room import Room
from pydantic_llm.testing.samples import make_response
from pydantic_llm.wire.serving import ServedRequest
from tests.conformance.rooms import ROOMS

TEXT = 'Ünïcode: it rains in Bergen, most days.'
RAINS = ContentCitationAnchor(start=9, end=27)
ALL = ContentCitationAnchor(start=0, end=len(TEXT))
PAGE = WebCitationSource('https://a.no/rain', title='Rain', excerpts=['It rains.'])

LOCATION: Any = {'cited_text': 'It rains.', 'document_index': 1, 'document_title': 'Rain', 'file_id': 'file_1'}
DOCUMENT = DocumentCitationSource(document_id='file_1', title='Rain', excerpts=['It rains.'], document_index=1)
SEARCH: Any = {'cited_text': 'It rains.', 'title': 'Rain', 'search_result_index': 0}
SOURCE_CONTENT: Any = {'title': 'Rain', 'sourceContent': [{'text': 'It rains.'}]}
WEB: Any = {'url': 'https://a.no/rain', 'title': 'Rain'}
COHERE: Any = {'start': 9, 'end': 27, 'text': 'it rains in Bergen', 'type': 'TEXT_CONTENT'}
COHERE_DOCUMENT: Any = {
    'type': 'document',
    'id': 'd1',
    'document': {'title': 'Rain', 'snippet': 'It rains.'},
}
COHERE_PAGE: Any = {'type': 'document', 'id': 'd2', 'document': {**WEB, 'text': 'It rains.'}}
TOOL: Any = {'type': 'tool', 'id': 'call_1:0', 'tool_output': {'content': 'It rains.'}}

FORMS: dict[str, tuple[Any, Citation]] = {
    'Anthropic, characters': (
        {'citations': [{'type': 'char_location', **LOCATION, 'start_char_index': 0, 'end_char_index': 9}]},
        Citation([DOCUMENT], anchor=ALL),
    ),
    'Anthropic, pages': (
        {'citations': [{'type': 'page_location', **LOCATION, 'start_page_number': 3, 'end_page_number': 5}]},
        Citation(
            [
                DocumentCitationSource(
                    document_id='file_1', title='Rain', excerpts=['It rains.'], document_index=1, pages=(3, 4)
                )
            ],
            anchor=ALL,
        ),
    ),
    'Anthropic, blocks': (
        {'citations': [{'type': 'content_block_location', **LOCATION, 'start_block_index': 0, 'end_block_index': 1}]},
        Citation([DOCUMENT], anchor=ALL),
    ),
    'Anthropic, web search': (
        {'citations': [{'type': 'web_search_result_location', **WEB, 'cited_text': 'It rains.'}]},
        Citation([PAGE], anchor=ALL),
    ),
    'Anthropic, search results': (
        {'citations': [{'type': 'search_result_location', **SEARCH, 'source': 'https://a.no/rain'}]},
        Citation([PAGE], anchor=ALL),
    ),
    'Anthropic, search results without an address': (
        {'citations': [{'type': 'search_result_location', **SEARCH, 'source': 'shelf 3'}]},
        Citation([DocumentCitationSource(document_id='shelf 3', title='Rain', excerpts=['It rains.'])], anchor=ALL),
    ),
    'Bedrock, web': (
        {'citations': [{**SOURCE_CONTENT, 'location': {'web': {'url': 'https://a.no/rain', 'domain': 'a.no'}}}]},
        Citation([PAGE], anchor=ALL),
    ),
    'Bedrock, pages': (
        {'citations': [{**SOURCE_CONTENT, 'location': {'documentPage': {'documentIndex': 1, 'start': 3, 'end': 4}}}]},
        Citation(
            [DocumentCitationSource(title='Rain', excerpts=['It rains.'], document_index=1, pages=(3, 4))], anchor=ALL
        ),
    ),
    'Responses, a page': (
        {'annotations': [{'type': 'url_citation', **WEB, 'start_index': 9, 'end_index': 27}]},
        Citation([WebCitationSource('https://a.no/rain', title='Rain')], anchor=MarkerCitationAnchor(start=9, end=27)),
    ),
    'Responses, a file': (
        {'annotations': [{'type': 'file_citation', 'file_id': 'file_1', 'filename': 'rain.pdf', 'index': 9}]},
        Citation([DocumentCitationSource(document_id='file_1', title='rain.pdf')]),
    ),
    'Responses, a file of a container': (
        {
            'annotations': [
                {
                    'type': 'container_file_citation',
                    'container_id': 'c',
                    'file_id': 'file_1',
                    'filename': 'rain.png',
                    'start_index': 9,
                    'end_index': 27,
                }
            ]
        },
        Citation(
            [DocumentCitationSource(document_id='file_1', title='rain.png')],
            anchor=MarkerCitationAnchor(start=9, end=27),
        ),
    ),
    'Responses, a path': (
        {'annotations': [{'type': 'file_path', 'file_id': 'file_1', 'index': 0}]},
        Citation([DocumentCitationSource(document_id='file_1')]),
    ),
    'Cohere, documents': (
        {'citations': [{**COHERE, 'sources': [COHERE_DOCUMENT, COHERE_PAGE]}]},
        Citation([DocumentCitationSource(document_id='d1', title='Rain', excerpts=['It rains.']), PAGE], anchor=RAINS),
    ),
    'Cohere, tools': (
        {'citations': [{**COHERE, 'sources': [TOOL]}]},
        Citation([DocumentCitationSource(document_id='call_1:0', excerpts=['It rains.'])], anchor=RAINS),
    ),
    'Mistral': (
        {'reference_ids': [0, 'r1']},
        Citation([DocumentCitationSource(document_id='0'), DocumentCitationSource(document_id='r1')], anchor=ALL),
    ),
}
"""The details of a text by each vendor → its citation. The sources are in `messages.citation_readers`."""


@pytest.mark.parametrize('form', FORMS)
def test_the_form_of_each_vendor_becomes_one_value(form: str) -> None:
    details, expected = FORMS[form]
    [citation] = read_citations(details, TEXT)
    assert citation == expected
    if form != 'Mistral':
        [[raw]] = details.values()
        assert citation.provider_details is raw


@pytest.mark.parametrize('form', FORMS)
def test_a_stored_response_has_its_citations(form: str) -> None:
    details, expected = FORMS[form]
    response = ModelResponse([TextPart(TEXT, provider_details=details, citations=[expected])])
    stored = ModelMessagesTypeAdapter.dump_json([response])
    assert ModelMessagesTypeAdapter.validate_json(stored) == [response]
    older = ModelMessagesTypeAdapter.dump_json([ModelResponse([TextPart(TEXT, provider_details=details)])])
    [loaded] = ModelMessagesTypeAdapter.validate_json(older)
    assert loaded.parts == response.parts


def test_a_text_without_citations_is_stored_as_before() -> None:
    assert b'citations' not in ModelMessagesTypeAdapter.dump_json([ModelResponse([TextPart('Hello')])])


def test_the_shortcuts_are_those_of_the_first_source() -> None:
    citation = Citation([PAGE, DOCUMENT], anchor=RAINS)
    assert (citation.url, citation.title, citation.cited_text) == ('https://a.no/rain', 'Rain', 'It rains.')
    assert TEXT[citation.start : citation.end] == 'it rains in Bergen'
    assert (citation.document_id, Citation([DOCUMENT]).document_id) == (None, 'file_1')
    assert (Citation([DOCUMENT]).url, Citation([DOCUMENT]).start, Citation([]).title) == (None, None, None)


ODD: list[Any] = [
    None,
    'odd',
    7,
    [None, 1, 'x', [], {}],
    [{'type': 'url_citation'}, {'type': 'url_citation', 'url': 7}, {'type': 'url_citation', 'url_citation': 'x'}],
    [{'type': 'char_location', 'cited_text': 7}, {'type': 'search_result_location', 'source': None}],
    [{'sources': [None, 1, {'document': 'x'}], 'start': 'a', 'end': None}, {'sources': None}],
    [{'location': {'web': 'x', 'documentPage': None}}, {'sourceContent': [None, 1]}, {'type': 'file', 'file': {}}],
]


@pytest.mark.parametrize('odd', ODD, ids=repr)
def test_an_object_that_is_no_citation_is_skipped(odd: Any) -> None:
    assert read_citations({'citations': odd, 'annotations': odd, 'reference_ids': 7}, TEXT) == []


def test_offsets_outside_of_the_text_are_no_anchor() -> None:
    for start, end in ((0, 0), (5, 3), (-1, 4), (0, 1000), (None, 4), ('0', '4')):
        note = {'type': 'url_citation', **WEB, 'start_index': start, 'end_index': end}
        [citation] = read_citations({'annotations': [note]}, TEXT)
        assert (citation.url, citation.anchor) == ('https://a.no/rain', None)


# ---------------------------------------------------------------------- citations outside of the text

BYTES = (len(TEXT[:9].encode()), len(TEXT[:27].encode()))
CHUNKS: Any = [
    {'web': {'uri': 'https://a.no/rain', 'title': 'Rain'}},
    {'retrievedContext': {'title': 'Notes', 'text': 'Wet.'}},
]
SEGMENT: Any = {'startIndex': BYTES[0], 'endIndex': BYTES[1], 'text': 'it rains in Bergen'}
RAIN_PAGE = WebCitationSource('https://a.no/rain', title='Rain')
NOTES = DocumentCitationSource(title='Notes', excerpts=['Wet.'])


def ground(**segment: Any) -> Any:
    support = {'groundingChunkIndices': [0, 1, 9], 'segment': segment}
    return {'groundingMetadata': {'groundingChunks': CHUNKS, 'groundingSupports': [support]}}


def gemini(fields: Any) -> Any:
    return {'candidates': [{'content': {'parts': [{'text': TEXT}]}, 'finishReason': 'STOP', **fields}]}


def chat(message: Any, text: str = TEXT, **fields: Any) -> Any:
    choice = {'index': 0, 'message': {'content': text, **message}, 'finish_reason': 'stop'}
    return {'choices': [choice], **fields}


def annotate(start: int, end: int) -> Any:
    citation = {**WEB, 'start_index': start, 'end_index': end, 'content': 'It rains.'}
    return {'annotations': [{'type': 'url_citation', 'url_citation': citation}]}


URLS: Any = {
    'citations': ['https://a.no/rain', 'https://b.no'],
    'search_results': [{'url': 'https://a.no/rain', 'title': 'Rain', 'snippet': 'It rains.'}],
}
MARKED = 'It rains in Bergen [1][7].'
GROQ: Any = {'type': 'document_citation', 'document_citation': {'document_id': 'd1', 'start_index': 9, 'end_index': 27}}

OUTSIDE: dict[str, tuple[str, Any, list[Citation]]] = {
    'Gemini': ('gemini', gemini(ground(**SEGMENT)), [Citation([RAIN_PAGE, NOTES], anchor=RAINS)]),
    'Gemini, a byte off': (
        'gemini',
        gemini(ground(**SEGMENT | {'startIndex': BYTES[0] + 1})),
        [Citation([RAIN_PAGE, NOTES], anchor=RAINS)],
    ),
    'Gemini, without a place': (
        'gemini',
        gemini(ground(startIndex=3, endIndex=9, text='nowhere')),
        [Citation([RAIN_PAGE, NOTES])],
    ),
    'Gemini, a repeated work': (
        'gemini',
        gemini(
            {
                'citationMetadata': {
                    'citationSources': [{'uri': WEB['url'], 'startIndex': BYTES[0], 'endIndex': BYTES[1]}]
                }
            }
        ),
        [Citation([WebCitationSource('https://a.no/rain')], anchor=RAINS)],
    ),
    'Vertex, a repeated work': (
        'gemini',
        gemini({'citationMetadata': {'citations': [{'uri': WEB['url'], 'title': 'Rain', 'endIndex': 8}]}}),
        [Citation([RAIN_PAGE], anchor=ContentCitationAnchor(start=0, end=6))],
    ),
    'Chat Completions': (
        'openai-chat',
        chat(annotate(9, 27)),
        [Citation([PAGE], anchor=MarkerCitationAnchor(start=9, end=27))],
    ),
    'OpenRouter': ('openai-chat', chat(annotate(0, 0)), [Citation([PAGE])]),
    'OpenRouter, before Perplexity': ('openai-chat', chat(annotate(0, 0), **URLS), [Citation([PAGE])]),
    'Groq': (
        'groq',
        chat({'annotations': [GROQ]}),
        [Citation([DocumentCitationSource(document_id='d1')], anchor=RAINS)],
    ),
    'Perplexity': (
        'openai-chat',
        chat({}, MARKED, **URLS),
        [
            Citation([PAGE], anchor=MarkerCitationAnchor(start=19, end=22)),
            Citation([WebCitationSource('https://b.no')]),
        ],
    ),
    'Mistral': (
        'mistral',
        chat({}, [{'type': 'text', 'text': TEXT}, {'type': 'reference', 'reference_ids': [3]}]),  # pyright: ignore[reportArgumentType] -- a list of chunks
        [Citation([DocumentCitationSource(document_id='3')], anchor=ALL)],
    ),
}
"""Bodies of each API → the citations of their text."""


def find_room(name: str) -> Room:
    return next(room for room in ROOMS if room.name == name)


def as_event(body: Any) -> Any:
    """Return a whole body as the only event of a stream."""
    if 'choices' not in body:
        return body
    [choice] = body['choices']
    streamed = {name: value for name, value in choice.items() if name != 'message'}
    return {**body, 'choices': [{**streamed, 'delta': choice['message']}]}


@pytest.mark.parametrize('name', OUTSIDE)
def test_citations_outside_of_the_text_are_added_to_it(name: str) -> None:
    room, body, expected = OUTSIDE[name]
    model = find_room(room).build()
    whole, streamed = model.new_reader(), model.new_reader()
    whole.decode(body)
    streamed.decode_event(as_event(body))
    streamed.end()
    streamed.draft.parts.end()
    events = streamed.draft.parts.take_events()
    for reader in (whole, streamed):
        [part] = find_texts(reader.draft.get().parts)
        assert [*part.citations] == expected
    assert [event.part for event in events if isinstance(event, PartEndEvent)] == streamed.draft.get().parts
    assert [[*part.citations] for part in find_texts(replay(events))] == [expected]


def find_texts(parts: Sequence[Any]) -> list[TextPart]:
    return [part for part in parts if isinstance(part, TextPart)]


def replay(events: list[Any]) -> list[Any]:
    """Return the parts that a reader of the events has at their end, without their end events."""
    parts: dict[int, Any] = {}
    for event in events:
        if isinstance(event, PartStartEvent):
            parts[event.index] = event.part
        elif not isinstance(event, PartEndEvent):
            parts[event.index] = event.delta.apply(parts[event.index])
    return [*parts.values()]


def test_the_offsets_of_a_response_are_those_of_its_parts() -> None:
    first, second = {'text': TEXT[:9], 'thoughtSignature': 'c2ln'}, {'text': TEXT[9:]}
    reader = find_room('gemini').build().new_reader()
    body = gemini(ground(**SEGMENT))
    body['candidates'][0]['content']['parts'] = [first, second]
    reader.decode_event(body)
    reader.end()
    reader.draft.parts.end()
    one, two = find_texts(reader.draft.get().parts)
    assert [*one.citations] == []
    assert [*two.citations] == [Citation([RAIN_PAGE, NOTES], anchor=ContentCitationAnchor(start=0, end=18))]
    assert find_texts(replay(reader.draft.parts.take_events())) == [one, two]


@pytest.mark.parametrize('odd', [7, 'x', [], [7], [[]], [{}], {'a': 1}], ids=repr)
def test_odd_values_outside_of_the_text_lose_nothing(odd: Any) -> None:
    reader = find_room('openai-chat').build().new_reader()
    reader.decode(chat({}, citations=odd, search_results=odd))
    assert reader.draft.get().text == TEXT
    support = {'groundingChunkIndices': odd, 'segment': odd}
    for metadata in (
        {'groundingMetadata': {'groundingChunks': CHUNKS, 'groundingSupports': odd}},
        {'groundingMetadata': {'groundingChunks': CHUNKS, 'groundingSupports': [support]}},
        {'citationMetadata': {'citationSources': odd, 'citations': odd}},
    ):
        reader = find_room('gemini').build().new_reader()
        reader.decode(gemini(metadata))
        assert reader.draft.get().text == TEXT


# ---------------------------------------------------------------------- the gateway

NO_PLACE_FOR_PAGES = {
    'cohere',  # its citations refer to documents of the request
    'mistral',  # its references are ids of the results of tools
    'acme',  # an example
}
"""Rooms whose API cannot say that the text of another vendor cites a page."""

OTHERS = WebCitationSource('https://b.no/sun', title='Sun', excerpts=['No sun.'])


def serve_cited(room: Room) -> ModelResponse:
    citations = [Citation([PAGE, NOTES], anchor=RAINS), Citation([OTHERS])]
    text = TextPart(TEXT, citations=citations, provider_name='another-vendor', provider_details={'citations': ['raw']})
    return make_response(room, text)


@pytest.mark.parametrize('room', ROOMS, ids=repr)
@pytest.mark.parametrize('streamed', [False, True], ids=['whole', 'streamed'])
def test_the_gateway_passes_cited_pages_on_in_the_form_of_each_api(room: Room, streamed: bool) -> None:
    sent = serve_cited(room)
    if streamed:
        started, ended = encode_served_events(room, sent)
        response, _ = decode_events(room, [*started, *ended])
    else:
        response = decode_body(room, encode_body(room, sent))
    [part] = find_texts(response.parts)
    pages = [(citation.url, citation.title) for citation in part.citations]
    expected = [] if room.name in NO_PLACE_FOR_PAGES else [(PAGE.url, 'Rain'), (OTHERS.url, 'Sun')]
    assert (part.content, pages) == (TEXT, expected)
    if expected and room.name not in ('anthropic', 'bedrock'):  # these cite a part as a whole
        assert [(citation.start, citation.end) for citation in part.citations] == [(9, 27), (None, None)]


def encode_served_events(room: Room, response: ModelResponse) -> tuple[list[Any], list[Any]]:
    """Return the events by which the server streams a response whose citations come at the end of its text."""
    [part] = find_texts(response.parts)
    encoder = room.encoder(ServedRequest('m', [], stream=True))
    parts = PartsManager()
    for piece in (TEXT[:5], TEXT[5:]):
        parts.text(0, piece)
    parts.details(0, provider_name=part.provider_name, provider_details=part.provider_details)
    parts.cite(0, part.citations)
    parts.end()
    started = [*encoder.begin(), *(each for event in parts.take_events() for each in encoder.event(event))]
    return from_json(to_json(started)), from_json(to_json([*encoder.end(response)]))


def test_citations_that_claude_did_not_make_are_not_sent_to_it() -> None:
    room = find_room('anthropic')
    [part] = decode_body(room, encode_body(room, serve_cited(room))).parts
    assert isinstance(part, TextPart)
    assert part.citations
    hello = ModelRequest.user_text_prompt('Hello?')
    request = room.prepare([hello, ModelResponse([part], provider_name='anthropic'), hello])
    assert 'citations' not in str(room.build().encode(request))
