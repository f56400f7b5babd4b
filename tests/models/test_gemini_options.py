"""Gemini requests: tools, output, thinking and settings; and the profiles of the models."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pydantic_llm.exceptions import UserError
from pydantic_llm.models import OutputObjectDefinition
from pydantic_llm.native_tools import (
    CodeExecutionTool,
    FileSearchTool,
    ImageGenerationTool,
    MCPServerTool,
    MemoryTool,
    WebFetchTool,
    WebSearchTool,
    WebSearchUserLocation,
)
from pydantic_llm.profiles.gemini import gemini_model_profile
from tests.models.gemini_contents import CITY, FINAL, FLASH, IMAGE_MODEL, OLD, TIME, WEATHER, Json, Sent, ask, gemini

HI = [ask('hi')]
SERVER_SIDE = {'includeServerSideToolInvocations': True}
OUTPUT = OutputObjectDefinition(CITY, 'Place', 'A place.')
SCHEMA = {**CITY, 'title': 'Place', 'description': 'A place.'}

# ---------------------------------------------------------------------- function tools


def test_functions_are_declared_in_one_tool() -> None:
    body = Sent(HI, function_tools=[WEATHER, TIME]).body
    declared = [
        {'name': 'weather', 'description': 'Tells the weather.', 'parametersJsonSchema': CITY},
        {'name': 'time', 'description': '', 'parametersJsonSchema': CITY},
    ]
    assert body['tools'] == [{'functionDeclarations': declared}]
    assert 'toolConfig' not in Sent(HI).body


@pytest.mark.parametrize(
    ('settings', 'parameters', 'calling'),
    [
        ({}, {}, {'mode': 'VALIDATED'}),
        ({'tool_choice': 'auto'}, {}, {'mode': 'VALIDATED'}),
        ({'tool_choice': 'none'}, {}, {'mode': 'NONE'}),
        ({'tool_choice': 'required'}, {}, {'mode': 'ANY'}),
        ({'tool_choice': ['time']}, {}, {'mode': 'ANY', 'allowedFunctionNames': ['time']}),
        ({}, {'function_tools': [replace(WEATHER, strict=False), TIME]}, {'mode': 'AUTO'}),
        ({}, {'function_tools': [replace(WEATHER, strict=True), TIME]}, {'mode': 'VALIDATED'}),
        ({}, {'output_tools': [FINAL], 'allow_text_output': False}, {'mode': 'ANY'}),
        ({}, {'name': 'gemini-2.0-flash'}, {'mode': 'AUTO'}),
    ],
    ids=repr,
)
def test_the_tool_choice_is_a_mode_of_function_calling(settings: Json, parameters: Json, calling: Json) -> None:
    sent = Sent(HI, settings, **{'function_tools': [WEATHER, TIME], **parameters})
    assert sent.body['toolConfig'] == {'functionCallingConfig': calling}
    assert sent.warnings == []


def test_dropped_keywords_of_a_schema_are_listed() -> None:
    number = {'type': 'integer', 'exclusiveMinimum': 0, 'title': 'N', 'examples': [1]}
    schema: Json = {
        'type': 'object',
        'properties': {'n': number, 'day': {'type': 'string', 'format': 'date'}, 'kind': {'const': 'a'}},
    }
    sent = Sent(HI, function_tools=[replace(WEATHER, parameters_json_schema=schema)])
    assert sent.body['tools'][0]['functionDeclarations'][0]['parametersJsonSchema']['properties'] == {
        'n': {'type': 'integer', 'description': 'ExclusiveMinimum: 0, examples: [1]'},
        'day': {'type': 'string', 'description': 'Format: date'},
        'kind': {'enum': ['a'], 'type': 'string'},
    }
    assert sent.warnings == [
        "the schema of tool 'weather' can no longer enforce exclusiveMinimum of $.n",
        "the schema of tool 'weather' can no longer enforce format of $.day",
    ]


# ---------------------------------------------------------------------- Google's own tools


def test_googles_own_tools_follow_functions_and_their_work_is_shown() -> None:
    tools = [WebSearchTool(), WebFetchTool(), CodeExecutionTool(), FileSearchTool(['fileSearchStores/a'])]
    body = Sent(HI, native_tools=tools, function_tools=[TIME]).body
    assert body['tools'][1:] == [
        {'googleSearch': {}},
        {'urlContext': {}},
        {'codeExecution': {}},
        {'fileSearch': {'fileSearchStoreNames': ['fileSearchStores/a']}},
    ]
    assert body['toolConfig'] == {'functionCallingConfig': {'mode': 'VALIDATED'}, **SERVER_SIDE}


def test_vertex_and_older_models_do_not_show_the_work_of_tools() -> None:
    assert 'toolConfig' not in Sent(HI, native_tools=[WebSearchTool()], vertex=True).body
    assert 'toolConfig' not in Sent(HI, native_tools=[WebSearchTool()], name=OLD).body


def test_an_mcp_server_is_a_tool_of_the_generative_language_api() -> None:
    server = MCPServerTool('wiki', 'https://wiki.org/mcp', authorization_token='t', headers={'x-a': 'b'})
    transport = {'url': 'https://wiki.org/mcp', 'headers': {'Authorization': 'Bearer t', 'x-a': 'b'}}
    assert Sent(HI, native_tools=[server]).body['tools'] == [
        {'mcpServers': [{'name': 'wiki', 'streamableHttpTransport': transport}]}
    ]
    bare = Sent(HI, native_tools=[MCPServerTool('wiki', 'https://wiki.org/mcp', allowed_tools=['ask'])])
    assert bare.body['tools'][0]['mcpServers'][0]['streamableHttpTransport'] == {'url': 'https://wiki.org/mcp'}
    assert bare.warnings == ["'allowed_tools' of MCPServerTool was not sent: 'google-gla' does not support it"]


@pytest.mark.parametrize(
    ('tool', 'vertex'),
    [(MemoryTool(), False), (FileSearchTool(['x']), True), (MCPServerTool('a', 'https://a.org'), True)],
)
def test_a_tool_that_the_api_does_not_have_is_an_error(tool: Any, vertex: bool) -> None:
    with pytest.raises(UserError, match=f'has no tool {tool.kind!r}'):
        Sent(HI, native_tools=[tool], vertex=vertex)


def test_unsupported_options_of_tools_are_listed() -> None:
    place = WebSearchUserLocation(city='Rome')
    tool = WebSearchTool(max_uses=2, blocked_domains=['x.org'], allowed_domains=['y.org'], user_location=place)
    sent, at_vertex = Sent(HI, native_tools=[tool]), Sent(HI, native_tools=[tool], vertex=True)
    assert sent.body['tools'] == [{'googleSearch': {}}]
    assert at_vertex.body['tools'] == [{'googleSearch': {'excludeDomains': ['x.org']}}]
    named = [[warning.split("'")[1] for warning in each.warnings] for each in (sent, at_vertex)]
    assert named == [
        ['user_location', 'blocked_domains', 'allowed_domains', 'max_uses'],
        ['user_location', 'allowed_domains', 'max_uses'],
    ]


def test_a_tool_without_a_class_is_sent_in_the_apis_form() -> None:
    place = {'latLng': {'latitude': 41.9, 'longitude': 12.5}}
    sent = Sent(HI, {'gemini_native_tools': [{'googleMaps': {}}], 'gemini_retrieval_config': place})
    assert sent.body['tools'] == [{'googleMaps': {}}]
    assert sent.body['toolConfig'] == {**SERVER_SIDE, 'retrievalConfig': place}


def test_googles_own_tools_can_be_forbidden_but_not_forced() -> None:
    settings = {'tool_choice': 'none', 'gemini_native_tools': [{'googleMaps': {}}]}
    assert 'tools' not in Sent(HI, settings, native_tools=[WebSearchTool()]).body
    sent = Sent(HI, {'tool_choice': 'required'}, native_tools=[WebSearchTool()])
    assert sent.warnings == ["'tool_choice' was not sent: the API cannot force a call of Google's own tools"]


@pytest.mark.parametrize(
    'parameters',
    [
        {'native_tools': [WebSearchTool()], 'function_tools': [TIME]},
        {'native_tools': [WebSearchTool()], 'output_tools': [FINAL]},
        {'native_tools': [WebSearchTool()], 'output_mode': 'native', 'output_object': OUTPUT},
        {'function_tools': [TIME], 'output_mode': 'native', 'output_object': OUTPUT},
    ],
)
def test_older_models_cannot_combine_tools_and_schemas(parameters: Json) -> None:
    with pytest.raises(UserError, match=r"'gemini-2\.5-flash' cannot use"):
        Sent(HI, name=OLD, **parameters)
    assert Sent(HI, **parameters).body


# ---------------------------------------------------------------------- output


def test_a_native_output_has_a_schema() -> None:
    sent = Sent(HI, output_mode='native', output_object=OUTPUT, function_tools=[TIME])
    assert sent.config == {'responseMimeType': 'application/json', 'responseJsonSchema': SCHEMA}


@pytest.mark.parametrize(
    ('parameters', 'settings', 'json'),
    [
        ({}, {}, True),
        ({'function_tools': [TIME]}, {}, False),
        ({'native_tools': [WebSearchTool()], 'name': OLD}, {}, False),
        ({'function_tools': [TIME]}, {'gemini_cached_content': 'cachedContents/a'}, False),
        ({'name': 'gemma-3-27b-it'}, {}, False),
    ],
)
def test_a_prompted_output_is_json_if_the_request_has_no_tools(parameters: Json, settings: Json, json: bool) -> None:
    sent = Sent(HI, settings, output_mode='prompted', output_object=OUTPUT, **parameters)
    assert sent.config == ({'responseMimeType': 'application/json'} if json else {})


def test_cached_instructions_and_tools_are_not_sent() -> None:
    sent = Sent([ask('hi', instructions='i')], {'gemini_cached_content': 'cachedContents/a'}, function_tools=[TIME])
    assert sent.body == {'contents': [{'role': 'user', 'parts': [{'text': 'hi'}]}], 'cachedContent': 'cachedContents/a'}


# ---------------------------------------------------------------------- images and speech


def test_an_image_model_is_asked_for_images_too() -> None:
    assert Sent(HI, name=IMAGE_MODEL).config == {'responseModalities': ['TEXT', 'IMAGE']}
    assert Sent(HI, {'gemini_response_modalities': ['IMAGE']}, name=IMAGE_MODEL).config == {
        'responseModalities': ['IMAGE']
    }


@pytest.mark.parametrize(
    ('tool', 'vertex', 'config', 'warnings'),
    [
        (ImageGenerationTool(), False, None, 0),
        (ImageGenerationTool(size='1536x1024'), False, {'aspectRatio': '3:2'}, 0),
        (ImageGenerationTool(size='1024x1536', quality='high', output_format='png'), False, {'aspectRatio': '2:3'}, 2),
        (
            ImageGenerationTool(size='1024x1024', output_format='jpeg'),
            True,
            {'aspectRatio': '1:1', 'imageOutputOptions': {'mimeType': 'image/jpeg'}},
            0,
        ),
    ],
)
def test_image_generation_sets_the_form_of_images(tool: Any, vertex: bool, config: Json | None, warnings: int) -> None:
    sent = Sent(HI, name=IMAGE_MODEL, vertex=vertex, native_tools=[tool])
    assert (sent.config.get('imageConfig'), len(sent.warnings), 'tools' in sent.body) == (config, warnings, False)


def test_the_vendors_image_setting_overrides_the_tool() -> None:
    sent = Sent(
        HI,
        {'gemini_image_config': {'imageSize': '2K'}},
        name=IMAGE_MODEL,
        native_tools=[ImageGenerationTool(size='1024x1024')],
    )
    assert sent.config['imageConfig'] == {'imageSize': '2K'}


def test_image_generation_is_an_error_for_other_models() -> None:
    with pytest.raises(UserError, match='makes no images'):
        Sent(HI, native_tools=[ImageGenerationTool()])


def test_a_speech_model_is_asked_for_audio() -> None:
    voice = {'voiceConfig': {'prebuiltVoiceConfig': {'voiceName': 'Kore'}}}
    sent = Sent(HI, {'gemini_speech_config': voice}, name='gemini-2.5-pro-preview-tts')
    assert sent.config == {'responseModalities': ['AUDIO'], 'speechConfig': voice}


# ---------------------------------------------------------------------- thinking


@pytest.mark.parametrize(
    ('name', 'level', 'config'),
    [
        (OLD, True, {'includeThoughts': True}),
        (OLD, 'minimal', {'includeThoughts': True, 'thinkingBudget': 128}),
        (OLD, 'medium', {'includeThoughts': True, 'thinkingBudget': 8192}),
        (OLD, 'xhigh', {'includeThoughts': True, 'thinkingBudget': 24576}),
        (OLD, False, {'thinkingBudget': 0}),
        ('gemini-2.5-flash-lite', 'minimal', {'includeThoughts': True, 'thinkingBudget': 512}),
        ('gemini-2.5-flash-lite', False, {'thinkingBudget': 0}),
        ('gemini-2.5-pro', 'xhigh', {'includeThoughts': True, 'thinkingBudget': 32768}),
        ('gemini-2.5-pro', False, {'thinkingBudget': 128}),
        (FLASH, True, {'includeThoughts': True}),
        (FLASH, 'minimal', {'includeThoughts': True, 'thinkingLevel': 'MINIMAL'}),
        (FLASH, 'xhigh', {'includeThoughts': True, 'thinkingLevel': 'HIGH'}),
        (FLASH, False, {'thinkingLevel': 'MINIMAL'}),
        ('gemini-3-pro-preview', 'medium', {'includeThoughts': True, 'thinkingLevel': 'HIGH'}),
        ('gemini-3-pro-preview', 'minimal', {'includeThoughts': True, 'thinkingLevel': 'LOW'}),
        ('gemini-3-pro-preview', False, {'thinkingLevel': 'LOW'}),
        ('gemini-3.1-pro-preview', 'medium', {'includeThoughts': True, 'thinkingLevel': 'MEDIUM'}),
        ('models/gemini-3.8-flash', 'minimal', {'includeThoughts': True, 'thinkingLevel': 'LOW'}),
        ('gemini-4-argon', False, {'thinkingLevel': 'LOW'}),
        ('gemma-4-31b-it', 'low', {'includeThoughts': True, 'thinkingLevel': 'MINIMAL'}),
        ('gemini-flash-latest', 'high', {'includeThoughts': True, 'thinkingLevel': 'HIGH'}),
        ('gemini-2.0-flash', 'high', None),
        ('gemini-2.0-flash', False, None),
        ('gemini-2.5-flash-image', 'high', None),
    ],
)
def test_a_level_of_thinking_is_a_budget_or_a_level_of_the_model(name: str, level: Any, config: Json | None) -> None:
    assert Sent(HI, {'thinking': level}, name=name).config.get('thinkingConfig') == config


def test_unsupported_levels_of_thinking_are_listed() -> None:
    warning = "'gemini-2.5-pro' cannot stop thinking; its lowest level was sent (128)"
    assert Sent(HI, {'thinking': False}, name='gemini-2.5-pro').warnings == [warning]
    warning = "'thinking' was not sent: 'gemini-2.0-flash' has no setting for thinking"
    assert Sent(HI, {'thinking': True}, name='gemini-2.0-flash').warnings == [warning]
    assert Sent(HI, {'thinking': False}, name='gemini-2.0-flash').warnings == []
    assert Sent(HI, {'thinking': False}, name=OLD).warnings == []


def test_the_vendors_thinking_setting_overrides_ours() -> None:
    sent = Sent(HI, {'thinking': 'high', 'gemini_thinking_config': {'thinkingBudget': -1}}, name=OLD)
    assert sent.config == {'thinkingConfig': {'thinkingBudget': -1}}


# ---------------------------------------------------------------------- settings

TIER_HEADER = 'X-Vertex-AI-LLM-Shared-Request-Type'


@pytest.mark.parametrize(
    ('settings', 'tier'),
    [
        ({'service_tier': 'auto'}, None),
        ({'service_tier': 'default'}, 'standard'),
        ({'service_tier': 'flex'}, 'flex'),
        ({'gemini_service_tier': 'priority', 'service_tier': 'flex'}, 'priority'),
        ({}, None),
    ],
)
def test_the_service_tier_is_in_the_body_or_at_vertex_in_a_header(settings: Json, tier: str | None) -> None:
    sent, at_vertex = Sent(HI, settings), Sent(HI, settings, vertex=True)
    assert (sent.body.get('serviceTier'), sent.call.headers) == (tier, {})
    assert 'serviceTier' not in at_vertex.body
    assert at_vertex.call.headers == ({TIER_HEADER: tier} if tier in ('flex', 'priority') else {})


def test_an_unknown_service_tier_is_listed() -> None:
    assert Sent(HI, {'service_tier': 'turbo'}).warnings == [
        "'service_tier' was not sent: the Gemini API has no queue 'turbo'"
    ]


def test_settings_are_fields_of_the_body_or_of_generation_config() -> None:
    settings: Json = {
        'max_tokens': 9,
        'temperature': 0.0,
        'top_p': 0.5,
        'top_k': 3,
        'seed': 0,
        'stop_sequences': ['x'],
        'logprobs': True,
        'top_logprobs': 2,
        'gemini_media_resolution': 'MEDIA_RESOLUTION_LOW',
        'gemini_safety_settings': [{'category': 'c', 'threshold': 't'}],
        'gemini_labels': {'a': 'b'},
        'gemini_model_armor_config': {'promptTemplateName': 'p'},
        'extra_body': {'store': False},
        'openai_user': 'nobody',
    }
    sent = Sent(HI, settings, 'gemini-2.0-flash')
    assert sent.config == {
        'maxOutputTokens': 9,
        'temperature': 0.0,
        'topP': 0.5,
        'topK': 3,
        'seed': 0,
        'stopSequences': ['x'],
        'responseLogprobs': True,
        'logprobs': 2,
        'mediaResolution': 'MEDIA_RESOLUTION_LOW',
    }
    assert {name: sent.body[name] for name in sent.body.keys() - {'contents', 'generationConfig'}} == {
        'safetySettings': [{'category': 'c', 'threshold': 't'}],
        'labels': {'a': 'b'},
        'modelArmorConfig': {'promptTemplateName': 'p'},
        'store': False,
    }
    assert sent.warnings == []


# ---------------------------------------------------------------------- profiles


@pytest.mark.parametrize(
    'spelling', ['models/gemini-2.5-pro', 'GEMINI-2.5-PRO', 'publishers/google/models/gemini-2.5-pro']
)
def test_a_model_is_known_by_any_spelling(spelling: str) -> None:
    assert gemini_model_profile(spelling) == gemini_model_profile('gemini-2.5-pro')


@pytest.mark.parametrize(
    ('name', 'tools', 'schema', 'combines', 'thinks'),
    [
        (FLASH, True, True, True, True),
        (OLD, True, True, False, True),
        ('gemini-1.5-flash', True, True, False, False),
        ('gemini-2.5-flash-image', False, False, False, False),
        ('gemini-3-pro-image', False, True, True, True),
        ('gemini-2.5-pro-preview-tts', False, False, False, False),
        ('gemma-3-27b-it', False, False, False, False),
        ('gemma-3n-e4b-it', False, False, False, False),
        ('gemma-4-31b-it', True, True, True, True),
        ('gemini-9-unknown', True, True, True, True),
    ],
)
def test_the_profile_depends_on_the_name(name: str, tools: bool, schema: bool, combines: bool, thinks: bool) -> None:
    profile = gemini_model_profile(name)
    found = (profile.supports_tools, profile.supports_json_schema_output, profile.gemini_combines_tools)
    assert (*found, profile.supports_thinking) == (tools, schema, combines, thinks)


def test_a_profile_can_be_passed() -> None:
    model = gemini('my-model', profile={'gemini_thinking': 'budget', 'gemini_budgets': (5, 7)})
    config = model.encode(model.prepare(HI, {'thinking': 'high'}))['generationConfig']
    assert config == {'thinkingConfig': {'includeThoughts': True, 'thinkingBudget': 7}}


def test_pydantic_ais_names_of_settings_are_those_of_this_room() -> None:
    safety = [{'category': 'HARM_CATEGORY_HATE_SPEECH', 'threshold': 'BLOCK_LOW_AND_ABOVE'}]
    sent = Sent(HI, {'google_safety_settings': safety, 'google_video_resolution': 'MEDIA_RESOLUTION_LOW'})
    same = Sent(HI, {'gemini_safety_settings': safety, 'gemini_media_resolution': 'MEDIA_RESOLUTION_LOW'})
    assert (sent.body, sent.warnings) == (same.body, [])
    assert sent.body['safetySettings'] == safety
    both = Sent(HI, {'google_labels': {'a': 'b'}, 'gemini_labels': {'a': 'c'}})
    assert both.body['labels'] == {'a': 'c'}
