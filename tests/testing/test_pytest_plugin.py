"""The pytest plugin, in projects of its own: recorded tests replay, and the fixtures do what they promise."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from pydantic_llm import models
from pydantic_llm.messages import ModelResponse, TextPart
from pydantic_llm.models.function import FunctionModel
from pydantic_llm.serve import LocalServer, create_app
from pydantic_llm.testing import recordings
from pydantic_llm.testing.recordings import find_recording

PLUGIN = ('-p', 'no:pydantic_llm', '-p', 'pydantic_llm.testing.pytest_plugin', '-p', 'no:cacheprovider')
"""Arguments that load the plugin once, whether or not its entry point is installed."""

INI = '[pytest]\nasyncio_default_fixture_loop_scope = function\n'

ROOT = Path(__file__).parents[2]

RECORDED = """
import pytest
from pydantic_llm import Agent

def test_sync(recorded_model):
    assert Agent(recorded_model('openai:gpt-4o')).run_sync('Hello').output == 'Hi'

@pytest.mark.asyncio
async def test_async(recorded_model):
    async with Agent(recorded_model('openai:gpt-4o')).run_stream('Hello') as result:
        assert await result.get_output() == 'Hi'

class TestClass:
    @pytest.mark.parametrize('city', ['Rome', 'São Paulo', 'a/b\\\\c:d?' + 'x' * 200])
    def test_city(self, recorded_model, city):
        model = recorded_model('openai:gpt-4o', settings={'temperature': 0})
        assert Agent(model).run_sync(city).output == 'Hi'

@pytest.mark.parametrize('number', range(3))
def test_several_models(recorded_model, number):
    for name in ('openai:gpt-4o', 'anthropic:claude-sonnet-4-5'):
        assert Agent(recorded_model(name)).run_sync(f'{name} {number}').output == 'Hi'
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project in an empty folder, without keys."""
    for name in ('PYDANTIC_LLM_TESTS', 'OPENAI_API_KEY', 'ANTHROPIC_API_KEY'):
        monkeypatch.delenv(name, raising=False)
    pytester.makeini(INI)
    return pytester


def files_in(project: pytest.Pytester) -> list[str]:
    return sorted(str(path.relative_to(project.path)) for path in project.path.rglob('*.json'))


def test_recorded_tests_replay_without_a_key_and_in_parallel(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.makepyfile(test_it=RECORDED)
    respond = FunctionModel(lambda messages, info: ModelResponse([TextPart('Hi')], finish_reason='stop'))
    with LocalServer(create_app(respond)) as url, pytest.MonkeyPatch.context() as environment:
        environment.setenv('OPENAI_BASE_URL', f'{url}/v1')
        environment.setenv('OPENAI_API_KEY', 'a-secret-key')
        environment.setenv('ANTHROPIC_BASE_URL', url)
        environment.setenv('ANTHROPIC_API_KEY', 'a-secret-key')
        project.runpytest_inprocess(*PLUGIN, '--llm=record').assert_outcomes(passed=8)
        recorded = files_in(project)
        project.runpytest_inprocess(*PLUGIN, '--llm=live').assert_outcomes(passed=8)
    assert len(recorded) == 8
    assert {'recordings/test_it/test_sync.json', 'recordings/test_it/TestClass.test_city[Rome].json'} <= {*recorded}
    assert 'a-secret-key' not in ''.join((project.path / name).read_text(encoding='utf-8') for name in recorded)
    project.runpytest_inprocess(*PLUGIN).assert_outcomes(passed=8)
    project.runpytest_subprocess(*PLUGIN, '-n', '2').assert_outcomes(passed=8)
    assert files_in(project) == recorded
    monkeypatch.setenv('PYDANTIC_LLM_TESTS', 'record')
    result = project.runpytest_inprocess(*PLUGIN)
    result.stdout.fnmatch_lines(['*OPENAI_API_KEY*'])


def test_a_changed_prompt_fails_with_a_diff_and_a_missing_recording_with_the_option(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_it="""
        from pydantic_llm import Agent

        def test_it(recorded_model):
            Agent(recorded_model('test')).run_sync('Hello')
        """
    )
    result = project.runpytest_inprocess(*PLUGIN)
    result.stdout.fnmatch_lines(['*There is no recording *test_it.json*pytest --llm=record*'])
    project.runpytest_inprocess(*PLUGIN, '--llm=record').assert_outcomes(passed=1)
    project.makepyfile(test_it=(project.path / 'test_it.py').read_text(encoding='utf-8').replace('Hello', 'Bye'))
    result = project.runpytest_inprocess(*PLUGIN)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(['*RequestNotRecordedError*', '*-*"content": "Hello"*', '*+*"content": "Bye"*'])
    project.makepyfile(test_it=(project.path / 'test_it.py').read_text(encoding='utf-8').replace("'test'", "'x:y'"))
    result = project.runpytest_inprocess(*PLUGIN)
    result.stdout.fnmatch_lines(["*has no model 'x:y', but 'test:test': record it again*"])


def test_a_test_that_is_recorded_again_replaces_its_recording(project: pytest.Pytester) -> None:
    for prompt in ('Hello', 'Bye'):
        project.makepyfile(
            test_it=f"""
            from pydantic_llm import Agent

            def test_it(recorded_model):
                Agent(recorded_model('test')).run_sync('{prompt}')
            """
        )
        project.runpytest_inprocess(*PLUGIN, '--llm=record').assert_outcomes(passed=1)
    [name] = files_in(project)
    assert len(json.loads((project.path / name).read_text(encoding='utf-8'))['exchanges']) == 1


def test_the_text_that_a_project_hides_is_not_recorded(project: pytest.Pytester) -> None:
    project.makeconftest(
        """
        import pytest

        @pytest.fixture
        def llm_redact():
            return lambda text: text.replace('Ada', 'NAME')
        """
    )
    project.makepyfile(
        test_it="""
        from pydantic_llm import Agent

        def test_it(recorded_model):
            Agent(recorded_model('test')).run_sync('I am Ada')
        """
    )
    project.runpytest_inprocess(*PLUGIN, '--llm=record').assert_outcomes(passed=1)
    assert 'Ada' not in (project.path / files_in(project)[0]).read_text(encoding='utf-8')
    project.runpytest_inprocess(*PLUGIN).assert_outcomes(passed=1)


SERVED = """
import pytest
from pydantic_llm import Agent, ModelHTTPError
from pydantic_llm.models.openai import OpenAIModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.serve import Fault

def ask(server, name='gpt-4o', **settings):
    model = OpenAIModel(name, provider=OpenAIProvider(base_url=f'{server.url}/v1', api_key='k'))
    return Agent(model).run_sync('Hello', model_settings={'retries': 0, **settings}).output

def test_models(llm_server, test_model):
    assert ask(llm_server) == 'success (no tool calls)'
    llm_server.model = TestModel(custom_output_text='mine')
    assert ask(llm_server) == 'mine'
    llm_server.model = Agent(test_model)
    assert ask(llm_server) == 'success (no tool calls)'
    llm_server.models = {'a': TestModel(custom_output_text='A'), 'b': TestModel(custom_output_text='B')}
    assert [ask(llm_server, name) for name in 'ab'] == ['A', 'B']
    assert [body['model'] for body in llm_server.requests] == ['gpt-4o', 'gpt-4o', 'gpt-4o', 'a', 'b']

def test_faults(llm_server):
    assert llm_server.requests == []
    llm_server.faults = [Fault(status=503), None, Fault(status=429)]
    for status in (503, None, 429, None):
        if status is None:
            assert ask(llm_server) == 'success (no tool calls)'
        else:
            with pytest.raises(ModelHTTPError, match=str(status)):
                ask(llm_server)
    llm_server.faults = Fault(status=500)
    for _ in range(2):
        with pytest.raises(ModelHTTPError):
            ask(llm_server)
    llm_server.faults = lambda body: Fault(status=418) if body.get('max_completion_tokens') else None
    ask(llm_server)
    with pytest.raises(ModelHTTPError):
        ask(llm_server, max_tokens=5)

def test_faults_and_models_are_reset(llm_server):
    assert ask(llm_server) == 'success (no tool calls)'
    assert len(llm_server.requests) == 1

@pytest.mark.parametrize('name', ['model', 'models', 'faults'])
def test_a_wrong_value_is_refused(llm_server, name):
    with pytest.raises(Exception, match=f'^{name} takes .*, not 5'):
        setattr(llm_server, name, 5)
"""


@pytest.mark.parametrize('blocked', [False, True])
def test_the_fixtures_serve_models_and_faults(project: pytest.Pytester, blocked: bool) -> None:
    project.makeini(f'{INI}block_model_requests = {blocked}\n')
    project.makepyfile(test_it=SERVED)
    project.runpytest_inprocess(*PLUGIN).assert_outcomes(passed=6)


def test_requests_are_blocked_if_the_project_says_so(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_it="""
        import pytest
        from pydantic_llm import UserError, models
        from pydantic_llm.direct import model_request_sync
        from pydantic_llm.models.openai import OpenAIModel

        def ask():
            model_request_sync(OpenAIModel('gpt-4o', api_key='k'), 'Hello', model_settings={'retries': 0})

        def test_always():
            with pytest.raises(UserError, match='not allowed'):
                ask()

        def test_once(block_model_requests):
            with pytest.raises(UserError, match='not allowed'):
                ask()

        def test_after():
            assert models.ALLOW_MODEL_REQUESTS is False
        """
    )
    project.runpytest_inprocess(*PLUGIN, '-k', 'once').assert_outcomes(passed=1, deselected=2)
    project.runpytest_inprocess(*PLUGIN, '-k', 'after').assert_outcomes(failed=1, deselected=2)
    project.makeini(f'{INI}block_model_requests = true\n')
    project.runpytest_inprocess(*PLUGIN).assert_outcomes(passed=3)
    assert models.ALLOW_MODEL_REQUESTS is True


def test_an_agent_that_is_built_on_import_needs_no_key(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        from pydantic_llm import Agent

        agent = Agent('openai:gpt-4o')

        def test_it(test_model):
            assert agent.run_sync('Hello', model=test_model).output
        """
    )
    project.runpytest_inprocess(*PLUGIN).assert_outcomes(passed=1)
    project.makeini(f'{INI}block_model_requests = true\n')
    project.runpytest_inprocess(*PLUGIN).assert_outcomes(passed=1)


def test_a_mode_that_does_not_exist_is_refused(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    project.makepyfile('def test_it(llm_mode): assert llm_mode == "live"')
    result = project.runpytest_inprocess(*PLUGIN, '--llm=mock')
    result.stderr.fnmatch_lines(["*invalid choice: 'mock'*"])
    project.runpytest_inprocess(*PLUGIN, '--llm=live').assert_outcomes(passed=1)
    monkeypatch.setenv('PYDANTIC_LLM_TESTS', 'live')
    project.runpytest_inprocess(*PLUGIN).assert_outcomes(passed=1)
    monkeypatch.setenv('PYDANTIC_LLM_TESTS', 'mock')
    result = project.runpytest_inprocess(*PLUGIN)
    result.stderr.fnmatch_lines(["*PYDANTIC_LLM_TESTS is 'mock': set it to one of replay, record, live*"])


def test_two_tests_never_share_a_recording_and_its_name_is_portable() -> None:
    names = [f'test_it[{value}]' for value in ('a/b', 'a:b', 'a b', 'é', 'x' * 300)] + ['A::test_it', 'test_it']
    paths = [find_recording(Path('/t/test_x.py'), f't/test_x.py::{name}') for name in names]
    assert len({path.name.lower() for path in paths}) == len(names)
    assert {path.parent for path in paths} == {Path('/t/recordings/test_x')}
    assert [path.name for path in paths if len(path.name) > recordings.MAX_NAME + 20] == []
    assert ''.join(path.name for path in paths).isascii()


def test_the_plugin_imports_nothing_that_a_project_without_models_does_not_need() -> None:
    program = 'import sys; import pytest; before = {*sys.modules}; import pydantic_llm.testing.pytest_plugin; '
    program += 'print([name for name in sys.modules if name not in before])'
    run = subprocess.run([sys.executable, '-c', program], cwd=ROOT, capture_output=True, text=True, check=True)
    ours = {'pydantic_llm', 'pydantic_llm._lazy_names', 'pydantic_llm.testing', 'pydantic_llm.testing.pytest_plugin'}
    assert {*ast.literal_eval(run.stdout)} <= ours
