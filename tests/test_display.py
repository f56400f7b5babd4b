"""Notebooks show responses, results and files; streams have short reprs; `help()` lists the options of a run."""

from __future__ import annotations

import inspect
import subprocess
import sys
from io import StringIO
from typing import Any

import pytest
from pydantic import BaseModel
from rich.console import Console

from pydantic_llm import Agent, BinaryContent, RunContext
from pydantic_llm.agent.options import RunOptions
from pydantic_llm.direct import model_request_stream_sync
from pydantic_llm.messages import (
    FilePart,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_llm.messages.display import list_blocks, to_rich
from pydantic_llm.models.test import TestModel

PNG = BinaryContent(b'\x89PNG', media_type='image/png', identifier='a"b.png')
EVIL = '<script>alert(1)</script> & **bold**'
RESPONSE = ModelResponse(
    [
        ThinkingPart(f'Hm {EVIL}'),
        TextPart(EVIL),
        ToolCallPart('find', {'q': EVIL}),
        NativeToolCallPart('search', {'q': EVIL}, 'n'),
        NativeToolReturnPart('search', [EVIL], 'n'),
        FilePart(PNG),
    ],
    model_name='<m>',
    warnings=['<w>'],
)


def test_html_escapes_every_text_and_shows_images() -> None:
    html = RESPONSE._repr_html_()
    assert '<script>' not in html
    assert '<m>' not in html
    assert '<w>' not in html
    assert html.count('&lt;script&gt;') == 5
    assert '<details><summary>Thinking</summary>' in html
    assert f'<img src="{PNG.data_uri}" alt="a&quot;b.png"' in html


def test_markdown_is_the_text_with_its_images() -> None:
    markdown = RESPONSE._repr_markdown_()
    assert f'\n\n{EVIL}\n\n' in markdown
    assert f'![a&quot;b.png]({PNG.data_uri})' in markdown


@pytest.mark.parametrize(
    ('file', 'tag'),
    [
        (PNG, '<img '),
        (BinaryContent(b'x', media_type='audio/mpeg'), '<audio controls '),
        (BinaryContent(b'x', media_type='video/mp4'), '<video controls '),
        (
            BinaryContent(b'x', media_type='application/pdf', identifier='<a>.pdf'),
            '&lt;a&gt;.pdf (application/pdf, 1 bytes)',
        ),
    ],
)
def test_a_file_is_shown_by_its_kind(file: BinaryContent, tag: str) -> None:
    assert tag in file._repr_html_()
    assert FilePart(file)._repr_html_() == file._repr_html_()


class City(BaseModel):
    name: str


def test_a_result_shows_its_output() -> None:
    result = Agent(TestModel(custom_output_text='# Title')).run_sync('Hi')
    assert result._repr_markdown_().startswith('# Title\n\n*test')
    structured = Agent(TestModel(), output_type=City).run_sync('Hi')
    assert structured._repr_markdown_().startswith('```json\n{\n  "name": "a"\n}\n```')
    assert '&quot;name&quot;' in structured._repr_html_()


def render(value: Any) -> str:
    output = StringIO()
    Console(file=output, width=100).print(value)
    return output.getvalue()


CONVERSATION: list[ModelMessage] = [
    ModelRequest([SystemPromptPart('Be kind.'), UserPromptPart(['Look', PNG])], run_id='a-run'),
    RESPONSE,
    ModelRequest([ToolReturnPart('find', 'found', tool_call_id='c'), RetryPromptPart('again', tool_name='find')]),
]


def test_rich_prints_a_conversation() -> None:
    text = render(to_rich(block for message in CONVERSATION for block in list_blocks(message)))
    for piece in ('Be kind.', 'Look', '[a"b.png: image/png, 4 bytes]', 'find({"q":', 'find → found', 'bold'):
        assert piece in text
    assert 'What?' in render(Agent('test').run_sync('What?'))
    assert 'bold' in render(RESPONSE)


def test_rich_prints_a_list_of_messages_without_times_and_ids() -> None:
    text = render(Agent('test').run_sync('What?').all_messages())
    assert "UserPromptPart(content='What?')" in text
    assert 'datetime' not in text
    assert 'run_id' not in text


def test_rich_is_not_imported_before_it_is_used() -> None:
    run = "from pydantic_llm import Agent; Agent('test').run_sync('Hi')._repr_html_()"
    code = f"import sys; {run}; print('rich' in sys.modules)"
    printed = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True).stdout
    assert printed == 'False\n'


# ---------------------------------------------------------------------- streams


async def test_a_stream_shows_its_state_and_the_start_of_its_text() -> None:
    agent = Agent(TestModel(custom_output_text='word ' * 40))
    async with agent.run_stream('Hi') as stream:
        assert repr(stream).startswith("StreamedRunResult(state='running', text='")
        await stream.get_output()
        assert repr(stream) == f"StreamedRunResult(state='complete', text='{'word ' * 12}...')"
    with agent.run_stream_sync('Hi') as blocking:
        assert repr(blocking).startswith("StreamedRunResultSync(state='running'")
    with model_request_stream_sync(TestModel(custom_output_text='Hello'), 'Hi') as direct:
        list(direct)
        assert "state='complete', text='Hello'" in repr(direct)
    assert repr(model_request_stream_sync('test', 'Hi')) == 'StreamedResponseSync(not opened)'


# ---------------------------------------------------------------------- help()


@pytest.mark.parametrize('name', ['run', 'run_sync', 'run_stream', 'run_stream_sync', 'run_stream_events', 'iter'])
def test_help_lists_the_options_of_a_run(name: str) -> None:
    method = getattr(Agent('test'), name)
    parameters = inspect.signature(method).parameters
    wanted = {'user_prompt', 'output_type', 'deps', *RunOptions.__annotations__}
    assert wanted <= parameters.keys()
    assert all(parameter.kind is not inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
    for option in wanted - {'user_prompt'}:
        assert option in method.__doc__


@pytest.mark.parametrize(
    ('kind', 'attributes'),
    [
        (ModelResponse, ('parts', 'usage', 'finish_reason', 'state', 'warnings')),
        (BinaryContent, ('data', 'media_type', 'identifier')),
        (RunContext, ('deps', 'messages', 'retry', 'tool_name')),
    ],
)
def test_a_class_that_everybody_uses_has_its_attributes_and_an_example_in_its_documentation(
    kind: type, attributes: tuple[str, ...]
) -> None:
    documentation = kind.__doc__ or ''
    assert '```python' in documentation
    for attribute in attributes:
        assert f'    {attribute}: ' in documentation


def test_a_lambda_is_refused_as_a_tool() -> None:
    with pytest.raises(Exception, match=r"'<lambda>' cannot be a tool: give it one with Tool\(function, name=...\)"):
        Agent('test', tools=[lambda x: x])


def test_the_signature_of_an_agent_has_its_parameters() -> None:
    assert [*inspect.signature(Agent).parameters][:3] == ['model', 'output_type', 'result_type']
