"""The vendors of the snippets of the documentation: a server on this machine that responds by a script.

`SCRIPT` has the responses to each prompt; `environment` returns the variables that lead the vendors' clients to the
server.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pydantic_llm.embeddings.test import TestEmbeddingModel
from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    UserPromptPart,
)
from pydantic_llm.models.function import AgentInfo, DeltaThinkingPart, DeltaToolCall, FunctionModel
from pydantic_llm.serve import create_app

Parts = list[ModelResponsePart]


def text(text: str) -> Parts:
    """Build a response that is text."""
    return [TextPart(text)]


def tool_calls(**tools: str) -> Parts:
    """Build a response that calls tools with these arguments, as JSON."""
    return [ToolCallPart(name, args, f'call_{name}') for name, args in tools.items()]


OSLO = tool_calls(temperature='{"city": "Oslo"}')
LISBON = tool_calls(temperature='{"city": "Lisbon"}')

CITED = {'citations': [{'start': 0, 'end': 8, 'text': 'Ganymede', 'sources': [{'type': 'document', 'id': 'moons'}]}]}
"""The citations that Cohere adds to a response that is based on a document."""

YES = {'token': 'Yes', 'logprob': -0.01, 'top_logprobs': [{'token': 'No', 'logprob': -4.6}]}
"""The log probability of a response of one token."""

SCRIPT: dict[str, list[Parts]] = {
    'Is Bergen in Norway?': [[TextPart('Yes', provider_details={'logprobs': [YES]})]],
    'Why is the sky blue?': [text('Air scatters blue light more than red light.')],
    'Name three moons of Jupiter.': [text('Io, Europa and Ganymede.')],
    'Great value.': [text('good')],
    'It broke on the first day.': [text('bad')],
    'It still works after a year.': [tool_calls(final_result='{"response": "good"}')],
    'It fell apart.': [tool_calls(final_result='{"response": "bad"}')],
    'Shall we go to the beach?': [
        tool_calls(forecast='{"question": "Does the sun shine in Oslo?"}'),
        text('Yes: the sun shines.'),
    ],
    'Does the sun shine in Oslo?': [text('Yes: the sun shines.')],
    'A visitor asks: Does the sun shine in Oslo?': [tool_calls(final_result='{"response": "weather"}')],
    'How cold is it in Oslo?': [OSLO, text('It is -3 °C in Oslo.')],
    'Which is the largest moon of Jupiter?': [tool_calls(final_result='{"name": "Ganymede", "radius_km": 2634.1}')],
    'What is Bergen known for?': [text('Its wooden wharf, the rain, and seven hills around it.')],
    'Never mind. What is Bergen known for?': [text('Its wooden wharf, the rain, and seven hills around it.')],
    'How do I get there from Oslo?': [text('By train: it takes seven hours over the mountains.')],
    'Is there a night train?': [text('Yes, it leaves every evening but Saturday.')],
    'What is in this picture?': [text('A harbour with wooden houses.')],
    'Do I need a coat in Oslo?': [OSLO, tool_calls(final_result='{"coat": true, "reason": "It is -3 °C in Oslo."}')],
    'Is it cold in Oslo?': [
        tool_calls(final_result='{"coat": true, "reason": "It is winter."}'),
        tool_calls(final_result='{"coat": true, "reason": "It is -3 °C."}'),
    ],
    'Does it rain in Bergen, or near it?': [
        tool_calls(rain='{"city": "Bergen"}'),
        tool_calls(rain='{"city": "Oslo"}'),
        text('Bergen has no station. There is no rain in Oslo.'),
    ],
    'I need a hotel in Oslo for two nights.': [tool_calls(final_result_book='{"city": "Oslo", "nights": 2}')],
    'I need a hotel.': [tool_calls(final_result_Question='{"text": "Where, and for how long?"}')],
    'List three moons of Jupiter.': [text('{"response": ["Io", "Europa", "Ganymede"]}')],
    'How many days are there between 3 March and 1 May?': [
        [
            ThinkingPart('March has 28 days left, April has 30, and one of May.', signature='c2VhbA=='),
            TextPart('There are 59 days.'),
        ]
    ],
    'Is the sky blue? Answer yes or no.': [text('yes')],
    'Write a function that adds two numbers.': [text('```python\ndef add(a, b):\n    return a + b\n```')],
    'Which moon is the largest?': [[TextPart('Ganymede.', provider_name='cohere', provider_details=CITED)]],
    'And in Lisbon?': [LISBON, tool_calls(final_result='{"coat": false, "reason": "It is 24.5 °C in Lisbon."}')],
}
"""The responses by prompt: the first one, the one after its tools have run, and so on."""

WEATHER = b'''
from pydantic import BaseModel


class Moon(BaseModel):
    name: str
    radius_km: float


def temperature(city: str) -> float:
    """Return the temperature in degrees Celsius."""
    return -3.0
'''
"""The file with tools of the page on the command line."""

REVIEWS = b"""\
{"id": "r-17", "text": "Great value."}
{"id": "r-18", "text": "It broke on the first day."}
"""
"""The file with rows of the page on many prompts."""

FILES = {'harbour.png': b'\x89PNG\r\n\x1a\n', 'weather.py': WEATHER, 'reviews.jsonl': REVIEWS}
"""The files in the folder of the snippets."""

MODELS = (
    'gpt-5.4-mini',
    'gpt-6.2-sol',
    'claude-sonnet-5-5',
    'us.anthropic.claude-sonnet-5-5',
    'qwen3',
    'gemini-3.8-flash',
    'command-a-plus-05-2026',
    'command-a-reasoning-08-2025',
    'Qwen/Qwen3-32B',
    'openai/gpt-oss-120b',
    'mistral-small-latest',
)
"""The models that the snippets use."""


def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Return the response that the script has for the newest prompt."""
    prompt, count = _find_newest_prompt(messages)
    if prompt not in SCRIPT or count >= len(SCRIPT[prompt]):
        raise UserError(f'tests/docs_server.py has no response number {count + 1} to {prompt!r}')
    parts = SCRIPT[prompt][count]
    has_tool_calls = any(isinstance(part, ToolCallPart) for part in parts)
    return ModelResponse(parts, finish_reason='tool_call' if has_tool_calls else 'stop')


async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
    """Yield the same response word by word."""
    for number, part in enumerate(respond(messages, info).parts):
        match part:
            case TextPart(content):
                for word in re.findall(r'\S+\s*', content):
                    yield word
                    await asyncio.sleep(0.005)  # as a model does: a reader can leave between two words
            case ThinkingPart(content):
                for word in re.findall(r'\S+\s*', content):
                    yield {number: DeltaThinkingPart(content=word)}
                if part.signature:
                    yield {number: DeltaThinkingPart(signature=part.signature)}
            case ToolCallPart(name):
                yield {number: DeltaToolCall(name, tool_call_id=part.tool_call_id)}
                for piece in re.findall(r'[^,]+(?:, )?', part.args_as_json_str()):
                    yield {number: DeltaToolCall(json_args=piece)}
            case _:
                yield {number: part}


def _find_newest_prompt(messages: list[ModelMessage]) -> tuple[str, int]:
    """Return the newest text of the user, and the number of responses after it."""
    count = 0
    for message in reversed(messages):
        if isinstance(message, ModelResponse):
            count += 1
        elif (prompt := _find_text(message)) is not None:
            return prompt, count
    raise UserError('The conversation has no prompt')


def _find_text(request: ModelRequest) -> str | None:
    prompts = [part for part in request.parts if isinstance(part, UserPromptPart)]
    texts = [item for part in prompts for item in part.items() if isinstance(item, str)]
    return texts[-1] if texts else None


def vendors() -> Starlette:
    """Build an app that speaks the vendors' protocols."""
    app = create_app({name: FunctionModel(respond, stream_function=stream, model_name=name) for name in MODELS})
    app.add_middleware(VendorHeaders)
    app.routes.insert(0, Route('/v1/embeddings', embed, methods=['POST']))
    app.routes.insert(0, Route('/v2/rerank', rerank, methods=['POST']))
    return app


async def embed(request: Request) -> Response:
    """Embed texts as OpenAI does."""
    body = await request.json()
    result = await TestEmbeddingModel(dimensions=body.get('dimensions', 1536)).embed(body['input'], input_type='query')
    data = [{'object': 'embedding', 'index': i, 'embedding': vector} for i, vector in enumerate(result.embeddings)]
    tokens = result.usage.input_tokens
    usage = {'prompt_tokens': tokens, 'total_tokens': tokens}
    return JSONResponse({'object': 'list', 'data': data, 'model': body['model'], 'usage': usage})


async def rerank(request: Request) -> Response:
    """Sort documents as Cohere does: by the words that they share with the query."""
    body = await request.json()
    query = {*body['query'].lower().rstrip('?').split()}
    shares = [len(query & {*text.lower().split()}) / len(query) for text in body['documents']]
    results = [{'index': i, 'relevance_score': share} for i, share in enumerate(shares)]
    return JSONResponse({'id': 'rerank-1', 'results': results, 'meta': {'billed_units': {'search_units': 1}}})


HEADERS = {
    'x-request-id': 'req_42',
    'x-ratelimit-limit-requests': '500',
    'x-ratelimit-remaining-requests': '499',
    'x-ratelimit-reset-requests': '120ms',
}
"""The headers of every response: the id of the request, and what remains of a rate limit."""


class VendorHeaders:
    """Adds `HEADERS` to the responses of an app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message['type'] == 'http.response.start':
                own = [(name, value) for name, value in message['headers'] if name.decode() not in HEADERS]
                message['headers'] = own + [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def environment(url: str) -> dict[str, str]:
    """Return the variables that lead the vendors' clients to a server at this address."""
    return {
        'OPENAI_BASE_URL': f'{url}/v1',
        'OPENAI_API_KEY': 'a-key',
        'AZURE_OPENAI_ENDPOINT': url,
        'AZURE_OPENAI_API_KEY': 'a-key',
        'OPENAI_API_VERSION': '2025-04-01-preview',
        'ANTHROPIC_BASE_URL': url,
        'ANTHROPIC_API_KEY': 'a-key',
        'AWS_DEFAULT_REGION': 'us-east-1',
        'AWS_BEARER_TOKEN_BEDROCK': 'a-key',
        'AWS_ENDPOINT_URL_BEDROCK_RUNTIME': url,
        'CO_API_URL': url,
        'CO_API_KEY': 'a-key',
        'GOOGLE_GEMINI_BASE_URL': url,
        'GEMINI_API_KEY': 'a-key',
        'GOOGLE_VERTEX_BASE_URL': url,
        'GROQ_BASE_URL': url,
        'GROQ_API_KEY': 'a-key',
        'HF_TOKEN': 'a-key',
        'HF_HUB_DISABLE_TELEMETRY': '1',
        'HUGGINGFACE_BASE_URL': url,
        'MISTRAL_BASE_URL': f'{url}/mistral',
        'MISTRAL_API_KEY': 'a-key',
        'OLLAMA_BASE_URL': url,
        'VLLM_BASE_URL': url,
        'DEEPSEEK_API_KEY': 'a-key',
    }
