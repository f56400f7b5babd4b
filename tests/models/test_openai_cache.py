"""`CachePoint` in OpenAI's two APIs and at the services that speak them."""

from __future__ import annotations

from typing import Any

import pytest

from pydantic_llm.messages import BinaryContent, CachePoint, ModelRequest, UserPromptPart
from pydantic_llm.models.litellm import LiteLLMModel
from pydantic_llm.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_llm.models.openai.chat import serve as chat
from pydantic_llm.models.openai.responses import serve as responses
from pydantic_llm.providers.registry import provider_class

PIXEL = BinaryContent(b'png', media_type='image/png')
EXPLICIT = {'prompt_cache_breakpoint': {'mode': 'explicit'}}
EPHEMERAL = {'cache_control': {'type': 'ephemeral'}}
both = pytest.mark.parametrize('kind', [OpenAIChatModel, OpenAIResponsesModel])


def at(service: str, name: str, **options: Any) -> OpenAIChatModel:
    return OpenAIChatModel(name, provider=provider_class(service)(api_key='k'), **options)


def encode(model: Any, *content: Any) -> tuple[list[Any], list[str]]:
    """Return the fields that mark each part of the content, and the warnings."""
    request = model.prepare([ModelRequest([UserPromptPart(content)])])
    body = model.encode(request)
    (message,) = body.get('messages') or body['input']
    if isinstance(message['content'], str):
        return [], request.warnings
    marks = ('prompt_cache_breakpoint', 'cache_control')
    return [{name: part[name] for name in marks if name in part} for part in message['content']], request.warnings


@both
@pytest.mark.parametrize('name', ['gpt-5.6', 'gpt-5.6-mini', 'gpt-6'])
def test_models_with_breakpoints_get_one_at_each_cache_point(kind: Any, name: str) -> None:
    content = ('a', CachePoint(), PIXEL, CachePoint(), 'c')
    assert encode(kind(name, api_key='k'), *content) == ([EXPLICIT, EXPLICIT, {}], [])


@both
@pytest.mark.parametrize('name', ['gpt-4o', 'gpt-5', 'gpt-5.5', 'o3'])
def test_earlier_models_have_no_breakpoints_and_cache_by_themselves(kind: Any, name: str) -> None:
    assert encode(kind(name, api_key='k'), 'a', CachePoint(), CachePoint(), 'b') == ([{}, {}], [])


@both
def test_a_lifetime_that_openai_does_not_have_is_reported(kind: Any) -> None:
    marks, (warning,) = encode(kind('gpt-5.6', api_key='k'), 'a', CachePoint(ttl='1h'))
    assert (marks, warning.partition(':')[0]) == ([EXPLICIT], "ttl='1h' of CachePoint() was not sent")


@both
def test_a_cache_point_without_content_before_it_is_reported(kind: Any) -> None:
    marks, (warning,) = encode(kind('gpt-5.6', api_key='k'), CachePoint(), 'a')
    assert marks == [{}]
    assert 'no content before it' in warning


@pytest.mark.parametrize('name', ['anthropic/claude-sonnet-4.5', 'google/gemini-2.5-pro', 'openai/gpt-5.6'])
def test_openrouter_gets_anthropics_marks_on_texts(name: str) -> None:
    """pydantic/pydantic-ai#4392"""
    content = ('a', PIXEL, CachePoint(), 'c', CachePoint(ttl='1h'))
    marked = {'cache_control': {'type': 'ephemeral', 'ttl': '1h'}}
    assert encode(at('openrouter', name), *content) == ([EPHEMERAL, {}, marked], [])


def test_litellm_gets_anthropics_marks_for_claude() -> None:
    assert encode(LiteLLMModel('anthropic/claude-sonnet-4-5'), 'a', CachePoint(), 'b') == ([EPHEMERAL, {}], [])
    assert len(encode(LiteLLMModel('cohere/command-r'), 'a', CachePoint(), 'b')[1]) == 1


@pytest.mark.parametrize(
    ('service', 'name'),
    [('openrouter', 'mistralai/mistral-large'), ('perplexity', 'sonar'), ('together', 'openai/gpt-5.6')],
)
def test_services_without_marks_are_reported(service: str, name: str) -> None:
    marks, (warning,) = encode(at(service, name), 'a', CachePoint(), 'b')
    assert not any(marks)
    assert warning.startswith('CachePoint() was not sent')


@pytest.mark.parametrize(('kind', 'serve'), [(OpenAIChatModel, chat), (OpenAIResponsesModel, responses)])
def test_the_server_reads_a_breakpoint_as_a_cache_point(kind: Any, serve: Any) -> None:
    model = kind('gpt-5.6', api_key='k')
    sent = [ModelRequest([UserPromptPart(['a', CachePoint(), 'b'])])]
    (received,) = serve.decode_request(model.encode(model.prepare(sent))).messages
    assert received.parts[0].content == ['a', CachePoint(), 'b']
