"""Tests of citations against recorded responses: each place in the text is what the vendor cites."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pydantic_llm.messages import Citation, MarkerCitationAnchor, TextPart
from pydantic_llm.models.gemini import GeminiModel
from pydantic_llm.models.openai import OpenAIResponsesModel
from pydantic_llm.wire.model import WireModel
from tests.wire.folder import FOLDER, FOUND, MISSING

MODELS: dict[str, WireModel[Any]] = {
    'openai-responses': OpenAIResponsesModel('gpt-5', api_key='k'),
    'gemini': GeminiModel('gemini-2.5-flash', api_key='k'),
}


def read_citations(vendor: str) -> Iterator[tuple[str, Citation]]:
    """Yield the text at the place of each citation that a vendor's recorded responses have."""
    for file in sorted((FOLDER / 'pool' / 'shared' / 'exchanges').glob(f'{vendor}__*.json')):
        recorded: Any = json.loads(file.read_text(encoding='utf-8'))
        for exchange in recorded['exchanges']:
            response = exchange['response']
            text = response['body'] if response['body_kind'] == 'sse' else json.dumps(response['body'])
            if response['status'] == 200 and ('url_citation' in text or 'groundingSupports' in text):
                reader = MODELS[vendor].new_reader()
                reader.read_body(text.encode(), response.get('headers') or {})
                texts = [part for part in reader.draft.get().parts if isinstance(part, TextPart)]
                for part in texts:
                    for citation in part.citations:
                        yield part.content[citation.start or 0 : citation.end or 0], citation


@pytest.mark.skipif(not FOUND, reason=MISSING)
@pytest.mark.parametrize('vendor', MODELS)
def test_the_place_of_a_recorded_citation_is_what_the_vendor_cites(vendor: str) -> None:
    found = [(text, citation) for text, citation in read_citations(vendor) if citation.anchor]
    assert len(found) > 10
    for text, citation in found:
        if isinstance(citation.anchor, MarkerCitationAnchor):
            assert (citation.url or '') in text
        else:
            assert text == (citation.provider_details or {})['segment']['text']
