"""Model strings: the models that they name, and the suggestions for wrong ones."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

from pydantic_llm import Agent
from pydantic_llm.exceptions import NotFoundError, UserError
from pydantic_llm.models import infer_model
from pydantic_llm.models.names import GUESSES, NAMES, nearest_name
from pydantic_llm.models.openai import OpenAIModel
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.providers.registry import SERVICES
from tests.providers.server import Server


@pytest.mark.parametrize(
    ('text', 'suggestion'),
    [
        ('gpt-4o', 'openai:gpt-4o'),
        ('GPT-4o', 'openai:gpt-4o'),
        ('gpt-4oo', 'openai:gpt-4o'),
        ('gpt-99', 'openai:gpt-99'),
        ('claude-sonnet-45', 'anthropic:claude-sonnet-4-5'),
        ('gemini-2.5-pro', 'google-gla:gemini-2.5-pro'),
        ('kimi-k3', 'moonshotai:kimi-k3'),
        ('llama3', 'ollama:llama3'),
        ('openai/gpt-4o', 'openai:gpt-4o'),
        ('anthropic/my-tuned-claude', 'anthropic:my-tuned-claude'),
        ('anthropic/claude-sonnet-4.5', 'openrouter:anthropic/claude-sonnet-4.5'),
        ('tset', 'test'),
        ('antropic', 'anthropic'),
    ],
)
def test_a_name_without_a_prefix_gets_a_suggestion(text: str, suggestion: str) -> None:
    with pytest.raises(UserError) as caught:
        infer_model(text)
    assert str(caught.value) == (
        f"{text!r} is no model string: one has the form 'prefix:model name', as in 'openai:gpt-5.4-mini'; "
        f'did you mean {suggestion!r}?'
    )


@pytest.mark.parametrize('text', ['', '/', 'x/y', 'xyzzy'])
def test_a_text_unlike_any_name_gets_no_suggestion(text: str) -> None:
    with pytest.raises(UserError) as caught:
        infer_model(text)
    assert str(caught.value) == (
        f"{text!r} is no model string: one has the form 'prefix:model name', as in 'openai:gpt-5.4-mini'"
    )


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('antropic:claude-opus-5', "There is no model prefix 'antropic'; did you mean 'anthropic'?"),
        ('claude:claude-opus-5', "There is no model prefix 'claude'; did you mean 'anthropic:claude-opus-5'?"),
        ('gemini:gemini-2.5-pro', "There is no model prefix 'gemini'; did you mean 'google-gla:gemini-2.5-pro'?"),
        ('OpenAI:gpt-5', "There is no model prefix 'OpenAI'; did you mean 'openai'?"),
        ('vertex_ai:gemini-x', "There is no model prefix 'vertex_ai'; did you mean 'google-vertex'?"),
        (' hf:Qwen/Qwen3-32B', "There is no model prefix ' hf'; did you mean 'huggingface'?"),
        ('vertex:gemini-2.5-pro', "There is no model prefix 'vertex'; did you mean 'google-vertex'?"),
        ('openai:', "'openai:' names no model: write 'openai:<model name>'"),
        ('openai', "'openai' names no model: write 'openai:<model name>'"),
    ],
)
def test_a_wrong_prefix_gets_a_suggestion(text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        infer_model(text)
    assert str(caught.value) == message


@pytest.mark.parametrize('prefix', ['xyzzy', 'nope'])
def test_a_prefix_unlike_any_other_gets_a_list_of_all(prefix: str) -> None:
    with pytest.raises(UserError, match=f'There is no model prefix {prefix!r}; known are ') as caught:
        infer_model(f'{prefix}:x')
    assert all(prefix in str(caught.value) for prefix in (*NAMES, *SERVICES))


@pytest.mark.parametrize(
    ('provider', 'model_name', 'nearest'),
    [
        ('anthropic', 'claude-sonet-4-5', 'claude-sonnet-4-5'),
        ('openai', 'gpt-4oo', 'gpt-4o'),
        ('anthropic', 'gpt-4o', 'openai:gpt-4o'),
        ('openai', 'claude-opus-5', 'anthropic:claude-opus-5'),
        ('openai', 'gpt-4o', None),
        ('openai', 'my-own-model', None),
        ('azure', 'gpt-4o', None),
        ('lmstudio', 'gpt-4o', None),
    ],
)
def test_a_rejected_name_may_be_a_typing_error(provider: str, model_name: str, nearest: str | None) -> None:
    assert nearest_name(provider, model_name) == nearest


def test_every_guess_is_a_prefix() -> None:
    assert {prefix for _, prefix in GUESSES} <= {*NAMES, *SERVICES}


def test_the_known_names_are_imported_only_on_demand() -> None:
    code = (
        'import sys, pydantic_llm.models.names as names, pydantic_llm.models.openai; '
        "names.build_model('test', {}); print('pydantic_llm.models.known_names' in sys.modules)"
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout == 'False\n'


# ---------------------------------------------------------------------- a name that the vendor rejects


@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])
@pytest.mark.parametrize(
    ('model_name', 'hint'),
    [
        ('gpt-4oo', " (did you mean 'gpt-4o'?)"),
        ('claude-opus-5', " (did you mean 'anthropic:claude-opus-5'?)"),
        ('gpt-4o', ''),
        ('my-own-model', ''),
    ],
)
async def test_the_error_of_an_unknown_name_has_a_suggestion(model_name: str, hint: str, stream: bool) -> None:
    server = Server({'error': {'message': 'No such model.', 'code': 'model_not_found'}}, status=404)
    model = OpenAIModel(model_name, provider=OpenAIProvider(api_key='key', http_client=server.client()))
    agent = Agent(model)
    with pytest.raises(NotFoundError) as caught:
        await (run_stream(agent) if stream else agent.run('Hello'))
    assert str(caught.value) == f'{model_name} answered 404 (model_not_found): No such model.{hint}'
    assert str(pickle.loads(pickle.dumps(caught.value))) == caught.value.message == str(caught.value)


async def run_stream(agent: Agent[None, str]) -> None:
    async with agent.run_stream('Hello') as result:
        await result.get_output()
