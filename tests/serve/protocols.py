"""The protocols of a server as their clients see them, written by hand: one row each."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Wire:
    """One vendor's API, as a client sees it."""

    name: str
    path: str
    make_request: Callable[..., Json]
    """Builds the body of a request from a prompt and other fields."""
    read_text: Callable[[Json], str]
    read_delta: Callable[[Json], str]
    """Returns the text that one event of a stream adds."""
    tools: list[Json]
    """The declaration of a tool."""
    read_calls: Callable[[Json], list[tuple[str, Any]]]
    invalid: list[Json]
    """Bodies that are not valid requests."""
    done: str
    """A text in the last event of a stream."""
    full: Json
    """A request with every kind of content and option."""
    read_error: Callable[[Json], str] = lambda body: body['error']['message']
    """Returns the message of an error, alone or in a stream."""
    names_model: bool = True
    """True if a response has the name of its model."""
    path_of: Callable[[Json], str] | None = None
    """Returns the path of a request, if the path contains the model."""

    def __repr__(self) -> str:
        return self.name

    def request(self, prompt: str = 'Hello', **more: Any) -> Json:
        return self.make_request(prompt, **more)

    def to(self, body: Json) -> str:
        """Return the path for a request with this body."""
        return self.path if self.path_of is None else self.path_of(body)


def openai_request(prompt: str, **more: Any) -> Json:
    return {'model': 'm', 'messages': [{'role': 'user', 'content': prompt}], **more}


def responses_request(prompt: str, **more: Any) -> Json:
    return {'model': 'm', 'input': prompt, **more}


def anthropic_request(prompt: str, **more: Any) -> Json:
    return {'model': 'm', 'max_tokens': 100, 'messages': [{'role': 'user', 'content': prompt}], **more}


def openai_delta(event: Json) -> str:
    return ''.join(choice['delta'].get('content') or '' for choice in event.get('choices', ()))


def responses_delta(event: Json) -> str:
    return event['delta'] if event['type'] == 'response.output_text.delta' else ''


def responses_text(body: Json) -> str:
    messages = [item['content'] for item in body['output'] if item['type'] == 'message']
    return ''.join(content['text'] for contents in messages for content in contents)


def responses_calls(body: Json) -> list[tuple[str, Any]]:
    calls = [item for item in body['output'] if item['type'] == 'function_call']
    return [(call['name'], json.loads(call['arguments'])) for call in calls]


def anthropic_delta(event: Json) -> str:
    return event['delta'].get('text', '') if event['type'] == 'content_block_delta' else ''


def openai_calls(body: Json) -> list[tuple[str, Any]]:
    calls = [call['function'] for call in body['choices'][0]['message'].get('tool_calls', ())]
    return [(call['name'], json.loads(call['arguments'])) for call in calls]


PIXEL = 'data:image/png;base64,AAAA'
SCHEMA = {'type': 'object', 'properties': {'city': {'type': 'string'}}, 'required': ['city']}

OPENAI = Wire(
    'openai-chat',
    '/v1/chat/completions',
    openai_request,
    read_text=lambda body: body['choices'][0]['message']['content'],
    read_delta=openai_delta,
    tools=[{'type': 'function', 'function': {'name': 'weather', 'parameters': SCHEMA}}],
    read_calls=openai_calls,
    invalid=[
        {},
        {'model': 'm'},
        {'model': 'm', 'messages': []},
        {'model': '', 'messages': [{'role': 'user', 'content': 'Hello'}]},
        {'model': 7, 'messages': [{'role': 'user', 'content': 'Hello'}]},
        {'model': 'm', 'messages': 'Hello'},
        {'model': 'm', 'messages': ['Hello']},
        {'model': 'm', 'messages': [{'role': 'user'}]},
        {'model': 'm', 'messages': [{'role': 'nobody', 'content': 'Hello'}]},
        {'model': 'm', 'messages': [{'role': 'user', 'content': [{'type': 'smell'}]}]},
        {'model': 'm', 'messages': [{'role': 'user', 'content': 'Hello'}], 'tools': [{'type': 'function'}]},
        {'model': 'm', 'messages': [{'role': 'user', 'content': 'Hello'}], 'tools': 7},
    ],
    done='[DONE]',
    full={
        'model': 'm',
        'messages': [
            {'role': 'system', 'content': 'Be brief.'},
            {
                'role': 'user',
                'content': [
                    {'type': 'text', 'text': 'Hello'},
                    {'type': 'image_url', 'image_url': {'url': PIXEL, 'detail': 'low'}},
                    {'type': 'image_url', 'image_url': {'url': 'https://example.com/a.png'}},
                    {'type': 'input_audio', 'input_audio': {'data': 'AAAA', 'format': 'wav'}},
                    {'type': 'file', 'file': {'file_data': 'data:application/pdf;base64,AAAA', 'filename': 'a.pdf'}},
                ],
            },
            {
                'role': 'assistant',
                'content': 'I look.',
                'reasoning': 'Hm.',
                'tool_calls': [
                    {'id': 'c1', 'type': 'function', 'function': {'name': 'weather', 'arguments': '{"city": "Rome"}'}}
                ],
            },
            {'role': 'tool', 'tool_call_id': 'c1', 'content': [{'type': 'text', 'text': 'sunny'}]},
        ],
        'tools': [{'type': 'function', 'function': {'name': 'weather', 'description': 'd', 'parameters': SCHEMA}}],
        'tool_choice': {'type': 'function', 'function': {'name': 'weather'}},
        'response_format': {'type': 'json_schema', 'json_schema': {'name': 'n', 'schema': SCHEMA, 'strict': True}},
        'stream_options': {'include_usage': True},
        'stop': ['x'],
        'temperature': 0.5,
        'reasoning_effort': 'low',
        'logit_bias': {'7': 1},
    },
)

RESPONSES = Wire(
    'openai-responses',
    '/v1/responses',
    responses_request,
    read_text=responses_text,
    read_delta=responses_delta,
    tools=[{'type': 'function', 'name': 'weather', 'parameters': SCHEMA, 'strict': False}],
    read_calls=responses_calls,
    invalid=[
        {},
        {'model': 'm'},
        {'model': 'm', 'input': []},
        {'model': 'm', 'input': ''},
        {'model': '', 'input': 'Hello'},
        {'model': 7, 'input': 'Hello'},
        {'model': 'm', 'input': 7},
        {'model': 'm', 'input': ['Hello']},
        {'model': 'm', 'input': [{'role': 'user'}]},
        {'model': 'm', 'input': [{'role': 'nobody', 'content': 'Hello'}]},
        {'model': 'm', 'input': [{'role': 'user', 'content': [{'type': 'smell'}]}]},
        {'model': 'm', 'input': 'Hello', 'tools': [{'type': 'function'}]},
        {'model': 'm', 'input': 'Hello', 'tools': 7},
        {'model': 'm', 'input': 'Hello', 'previous_response_id': 'resp_1'},
        {'model': 'm', 'input': 'Hello', 'conversation': {'id': 'conv_1'}},
    ],
    done='response.completed',
    full={
        'model': 'm',
        'instructions': 'Be brief.',
        'input': [
            {'role': 'developer', 'content': 'Be kind.'},
            {
                'role': 'user',
                'content': [
                    {'type': 'input_text', 'text': 'Hello'},
                    {'type': 'input_image', 'image_url': PIXEL, 'detail': 'low'},
                    {'type': 'input_image', 'image_url': 'https://example.com/a.png', 'detail': 'auto'},
                    {'type': 'input_file', 'file_data': 'data:application/pdf;base64,AAAA', 'filename': 'a.pdf'},
                    {'type': 'input_file', 'file_url': 'https://example.com/a.pdf'},
                ],
            },
            {
                'type': 'reasoning',
                'id': 'rs_1',
                'summary': [{'type': 'summary_text', 'text': 'Hm.'}],
                'encrypted_content': 'AAAA',
            },
            {
                'type': 'message',
                'role': 'assistant',
                'id': 'msg_1',
                'status': 'completed',
                'content': [{'type': 'output_text', 'text': 'I look.', 'annotations': []}],
            },
            {
                'type': 'web_search_call',
                'id': 'ws_1',
                'status': 'completed',
                'action': {'type': 'search', 'query': 'weather Rome'},
            },
            {'type': 'computer_call', 'id': 'cu_1', 'call_id': 'cu', 'action': {'type': 'wait'}},
            {'type': 'computer_call_output', 'call_id': 'cu', 'output': {'type': 'computer_screenshot'}},
            {
                'type': 'function_call',
                'id': 'fc_1',
                'call_id': 'c1',
                'name': 'weather',
                'arguments': '{"city": "Rome"}',
            },
            {'type': 'function_call_output', 'call_id': 'c1', 'output': [{'type': 'input_text', 'text': 'sunny'}]},
        ],
        'tools': [
            {'type': 'function', 'name': 'weather', 'description': 'd', 'parameters': SCHEMA, 'strict': True},
            {'type': 'web_search'},
            {'type': 'computer'},
        ],
        'tool_choice': {'type': 'function', 'name': 'weather'},
        'text': {
            'format': {'type': 'json_schema', 'name': 'n', 'schema': SCHEMA, 'strict': True},
            'verbosity': 'low',
        },
        'include': ['reasoning.encrypted_content', 'web_search_call.results'],
        'reasoning': {'effort': 'low', 'summary': 'auto'},
        'temperature': 0.5,
        'metadata': {'a': 'b'},
        'store': False,
    },
)

ANTHROPIC = Wire(
    'anthropic',
    '/v1/messages',
    anthropic_request,
    read_text=lambda body: ''.join(block['text'] for block in body['content'] if block['type'] == 'text'),
    read_delta=anthropic_delta,
    tools=[{'name': 'weather', 'input_schema': SCHEMA}],
    read_calls=lambda body: [(b['name'], b['input']) for b in body['content'] if b['type'] == 'tool_use'],
    invalid=[
        {},
        {'model': 'm'},
        {'model': 'm', 'max_tokens': 1, 'messages': []},
        {'model': '', 'max_tokens': 1, 'messages': [{'role': 'user', 'content': 'Hello'}]},
        {'model': 7, 'max_tokens': 1, 'messages': [{'role': 'user', 'content': 'Hello'}]},
        {'model': 'm', 'max_tokens': 1, 'messages': 'Hello'},
        {'model': 'm', 'max_tokens': 1, 'messages': ['Hello']},
        {'model': 'm', 'max_tokens': 1, 'messages': [{'role': 'user'}]},
        {'model': 'm', 'max_tokens': 1, 'messages': [{'role': 'nobody', 'content': 'Hello'}]},
        {'model': 'm', 'max_tokens': 1, 'messages': [{'role': 'user', 'content': [{'type': 'smell'}]}]},
        {'model': 'm', 'max_tokens': 1, 'messages': [{'role': 'user', 'content': 'Hello'}], 'tools': [{}]},
        {'model': 'm', 'max_tokens': 1, 'messages': [{'role': 'user', 'content': 'Hello'}], 'tools': 7},
    ],
    done='message_stop',
    full={
        'model': 'm',
        'max_tokens': 100,
        'system': [{'type': 'text', 'text': 'Be brief.', 'cache_control': {'type': 'ephemeral'}}],
        'messages': [
            {
                'role': 'user',
                'content': [
                    {'type': 'text', 'text': 'Hello', 'cache_control': {'type': 'ephemeral', 'ttl': '1h'}},
                    {'type': 'image', 'source': {'type': 'base64', 'media_type': 'image/png', 'data': 'AAAA'}},
                    {'type': 'image', 'source': {'type': 'url', 'url': 'https://example.com/a.png'}},
                    {'type': 'document', 'source': {'type': 'text', 'media_type': 'text/plain', 'data': 'Hello'}},
                ],
            },
            {
                'role': 'assistant',
                'content': [
                    {'type': 'thinking', 'thinking': 'Hm.', 'signature': 's'},
                    {'type': 'redacted_thinking', 'data': 'AAAA'},
                    {'type': 'text', 'text': 'I look.'},
                    {'type': 'tool_use', 'id': 'c1', 'name': 'weather', 'input': {'city': 'Rome'}},
                ],
            },
            {
                'role': 'user',
                'content': [
                    {
                        'type': 'tool_result',
                        'tool_use_id': 'c1',
                        'is_error': False,
                        'content': [{'type': 'text', 'text': 'sunny'}],
                    }
                ],
            },
        ],
        'tools': [{'name': 'weather', 'description': 'd', 'input_schema': SCHEMA}],
        'tool_choice': {'type': 'tool', 'name': 'weather'},
        'output_config': {'format': {'type': 'json_schema', 'schema': SCHEMA}, 'effort': 'low'},
        'thinking': {'type': 'enabled', 'budget_tokens': 2000},
        'stop_sequences': ['x'],
        'temperature': 0.5,
        'metadata': {'user_id': 'u'},
    },
)


def cohere_delta(event: Json) -> str:
    return event['delta']['message']['content']['text'] if event['type'] == 'content-delta' else ''


def cohere_calls(body: Json) -> list[tuple[str, Any]]:
    calls = [call['function'] for call in body['message'].get('tool_calls', ())]
    return [(call['name'], json.loads(call['arguments'])) for call in calls]


COHERE = Wire(
    'cohere',
    '/v2/chat',
    openai_request,
    read_text=lambda body: ''.join(block['text'] for block in body['message']['content'] if block['type'] == 'text'),
    read_delta=cohere_delta,
    tools=[{'type': 'function', 'function': {'name': 'weather', 'parameters': SCHEMA}}],
    read_calls=cohere_calls,
    invalid=[
        {},
        {'model': 'm'},
        {'model': 'm', 'messages': []},
        {'model': '', 'messages': [{'role': 'user', 'content': 'Hello'}]},
        {'model': 7, 'messages': [{'role': 'user', 'content': 'Hello'}]},
        {'model': 'm', 'messages': 'Hello'},
        {'model': 'm', 'messages': ['Hello']},
        {'model': 'm', 'messages': [{'role': 'user'}]},
        {'model': 'm', 'messages': [{'role': 'nobody', 'content': 'Hello'}]},
        {'model': 'm', 'messages': [{'role': 'user', 'content': [{'type': 'smell'}]}]},
        {'model': 'm', 'messages': [{'role': 'user', 'content': 'Hello'}], 'tools': [{'type': 'function'}]},
        {'model': 'm', 'messages': [{'role': 'user', 'content': 'Hello'}], 'response_format': 7},
    ],
    done='[DONE]',
    full={
        'model': 'm',
        'messages': [
            {'role': 'system', 'content': [{'type': 'text', 'text': 'Be brief.'}]},
            {
                'role': 'user',
                'content': [
                    {'type': 'text', 'text': 'Hello'},
                    {'type': 'image_url', 'image_url': {'url': PIXEL, 'detail': 'low'}},
                    {'type': 'image_url', 'image_url': {'url': 'https://example.com/a.png'}},
                ],
            },
            {
                'role': 'assistant',
                'tool_plan': 'I will look.',
                'content': [{'type': 'thinking', 'thinking': 'Hm.'}, {'type': 'text', 'text': 'I look.'}],
                'tool_calls': [
                    {'id': 'c1', 'type': 'function', 'function': {'name': 'weather', 'arguments': '{"city": "Rome"}'}}
                ],
                'citations': [{'start': 0, 'end': 1, 'text': 'I', 'sources': [], 'type': 'TEXT_CONTENT'}],
            },
            {
                'role': 'tool',
                'tool_call_id': 'c1',
                'content': [
                    {'type': 'document', 'document': {'id': 'd1', 'data': {'sky': 'blue'}}},
                    {'type': 'document', 'document': {'data': '{"sky": "blue"}'}},
                    {'type': 'text', 'text': 'sunny'},
                ],
            },
        ],
        'tools': [{'type': 'function', 'function': {'name': 'weather', 'description': 'd', 'parameters': SCHEMA}}],
        'strict_tools': True,
        'tool_choice': 'REQUIRED',
        'response_format': {'type': 'json_object', 'json_schema': SCHEMA},
        'thinking': {'type': 'enabled', 'token_budget': 500},
        'documents': ['The sky is blue.', {'id': 'd', 'data': {'text': 'The sky is blue.'}}],
        'citation_options': {'mode': 'FAST'},
        'safety_mode': 'STRICT',
        'priority': 3,
        'stop_sequences': ['x'],
        'temperature': 0.5,
        'k': 3,
        'p': 0.5,
    },
    read_error=lambda body: body['delta']['error'] if 'delta' in body else body['message'],
    names_model=False,
)


def gemini_request(prompt: str, **more: Any) -> Json:
    return {'model': 'm', 'contents': [{'role': 'user', 'parts': [{'text': prompt}]}], **more}


def gemini_path(body: Json) -> str:
    verb = 'streamGenerateContent?alt=sse' if body.get('stream') else 'generateContent'
    return f'/v1beta/models/{body.get("model", "m")}:{verb}'


def gemini_parts(body: Json) -> list[Json]:
    return [part for candidate in body.get('candidates', ()) for part in candidate['content']['parts']]


MISTRAL = Wire(
    'mistral',
    '/mistral/v1/chat/completions',
    openai_request,
    read_text=lambda body: body['choices'][0]['message']['content'],
    read_delta=openai_delta,
    tools=OPENAI.tools,
    read_calls=openai_calls,
    invalid=[
        *OPENAI.invalid,
        {'model': 'm', 'messages': [{'role': 'user', 'content': [{'type': 'input_audio', 'input_audio': 7}]}]},
        {'model': 'm', 'messages': [{'role': 'user', 'content': [{'type': 'input_audio', 'input_audio': 'é'}]}]},
        {'model': 'm', 'messages': [{'role': 'user', 'content': ['Hello']}]},
    ],
    done='[DONE]',
    full={
        'model': 'm',
        'messages': [
            {'role': 'system', 'content': 'Be brief.'},
            {
                'role': 'user',
                'content': [
                    {'type': 'text', 'text': 'Hello'},
                    {'type': 'image_url', 'image_url': {'url': PIXEL, 'detail': 'low'}},
                    {'type': 'image_url', 'image_url': 'https://example.com/a.png'},
                    {'type': 'document_url', 'document_url': 'https://example.com/a.pdf'},
                    {'type': 'input_audio', 'input_audio': 'UklGRgAA'},
                    {'type': 'file', 'file_id': 'f'},
                ],
            },
            {
                'role': 'assistant',
                'content': [
                    {'type': 'thinking', 'thinking': [{'type': 'text', 'text': 'Hm.'}], 'signature': 's'},
                    {'type': 'text', 'text': 'I look.'},
                    {'type': 'reference', 'reference_ids': [0]},
                ],
                'tool_calls': [{'id': 'abcdefghi', 'function': {'name': 'weather', 'arguments': '{"city": "Rome"}'}}],
            },
            {'role': 'tool', 'tool_call_id': 'abcdefghi', 'name': 'weather', 'content': 'sunny'},
            {'role': 'assistant', 'content': 'It is', 'prefix': True},
        ],
        'tools': OPENAI.tools,
        'tool_choice': 'any',
        'response_format': {'type': 'json_schema', 'json_schema': {'name': 'n', 'schema': SCHEMA, 'strict': True}},
        'random_seed': 3,
        'stop': ['x'],
        'temperature': 0.5,
        'reasoning_effort': 'high',
        'service_tier': 'standard_only',
        'guardrails': [{'block_on_error': True}],
    },
    read_error=lambda body: body['message'],
)

GEMINI = Wire(
    'gemini',
    '/v1beta/models/m:generateContent',
    gemini_request,
    read_text=lambda body: ''.join(part['text'] for part in gemini_parts(body)),
    read_delta=lambda event: ''.join(part.get('text', '') for part in gemini_parts(event)),
    tools=[{'functionDeclarations': [{'name': 'weather', 'parametersJsonSchema': SCHEMA}]}],
    read_calls=lambda body: [(c['name'], c['args']) for p in gemini_parts(body) if (c := p.get('functionCall'))],
    invalid=[
        {},
        {'model': 'm'},
        {'contents': []},
        {'contents': 'Hello'},
        {'contents': ['Hello']},
        {'contents': {'parts': [{'text': 'Hello'}]}},
        {'contents': [{'role': 'nobody', 'parts': [{'text': 'Hello'}]}]},
        {'contents': [{'role': 'user', 'parts': [{'smell': {}}]}]},
        {'contents': [{'role': 'user', 'parts': [{'text': 7}]}]},
        {'contents': [{'role': 'user', 'parts': 'Hello'}]},
        {'contents': [{'parts': [{'text': 'Hello'}]}], 'tools': [{'functionDeclarations': [{}]}]},
        {'contents': [{'parts': [{'text': 'Hello'}]}], 'tools': 7},
    ],
    done='"finishReason"',
    full={
        'system_instruction': {'parts': [{'text': 'Be brief.'}]},
        'contents': [
            {
                'role': 'user',
                'parts': [
                    {'text': 'Hello'},
                    {'inlineData': {'mimeType': 'image/png', 'data': 'AAAA'}},
                    {'fileData': {'fileUri': 'https://example.com/a.png', 'mimeType': 'image/png'}},
                    {'fileData': {'fileUri': 'https://youtu.be/x'}, 'videoMetadata': {'fps': 1}},
                ],
            },
            {
                'role': 'model',
                'parts': [
                    {'text': 'Hm.', 'thought': True},
                    {'text': 'I look.', 'thoughtSignature': 'AAAA'},
                    {'executableCode': {'language': 'PYTHON', 'code': '1'}},
                    {'codeExecutionResult': {'outcome': 'OUTCOME_OK', 'output': '1'}},
                    {'toolCall': {'toolType': 'GOOGLE_SEARCH_WEB', 'args': {}, 'id': 's1'}},
                    {'toolResponse': {'toolType': 'GOOGLE_SEARCH_WEB', 'response': {}, 'id': 's1'}},
                    {'functionCall': {'name': 'weather', 'args': {'city': 'Rome'}}},
                ],
            },
            {
                'role': 'user',
                'parts': [
                    {
                        'functionResponse': {
                            'name': 'weather',
                            'response': {'sky': 'blue'},
                            'parts': [{'inlineData': {'mimeType': 'image/png', 'data': 'AAAA'}}],
                        }
                    }
                ],
            },
        ],
        'tools': [
            {'functionDeclarations': [{'name': 'weather', 'description': 'd', 'parametersJsonSchema': SCHEMA}]},
            {'functionDeclarations': [{'name': 'time', 'parameters': {'type': 'OBJECT', 'properties': {}}}]},
            {'googleSearch': {}},
            {'googleMaps': {}},
        ],
        'toolConfig': {
            'functionCallingConfig': {'mode': 'ANY', 'allowedFunctionNames': ['weather']},
            'retrievalConfig': {'languageCode': 'de'},
        },
        'generationConfig': {
            'responseMimeType': 'application/json',
            'responseJsonSchema': SCHEMA,
            'thinkingConfig': {'thinkingBudget': 2000, 'includeThoughts': True},
            'stopSequences': ['x'],
            'temperature': 0.5,
            'candidateCount': 1,
        },
        'safetySettings': [{'category': 'c', 'threshold': 't'}],
        'serviceTier': 'flex',
    },
    names_model=False,
    path_of=gemini_path,
)

WIRES = (OPENAI, RESPONSES, ANTHROPIC, COHERE, MISTRAL, GEMINI)


def data_of(stream: str) -> list[str]:
    """Return the data of each event of a stream."""
    return [line.removeprefix('data: ') for line in stream.splitlines() if line.startswith('data: ')]


def events_of(stream: str) -> list[Json]:
    """Return the events of a stream that are JSON."""
    return [json.loads(data) for data in data_of(stream) if data != '[DONE]']
