"""Install the wheel with each extra alone, and import what the extra is for: `python tools/try_extras.py [EXTRA ...]`.

Each extra gets an environment of its own in a temporary folder. Engines with large packages are tried only by name.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]

LARGE = frozenset({'transformers', 'vllm', 'mlx', 'sentence-transformers', 'llamacpp', 'ray'})
"""Extras that need gigabytes, or a compiler."""

USES = {
    'openai': 'from openai import AsyncOpenAI as C; from pydantic_llm.providers.openai import OpenAIProvider as P; '
    "P(openai_client=C(api_key='k'))",
    'anthropic': 'from anthropic import AsyncAnthropic as C; from pydantic_llm.providers.anthropic import '
    "AnthropicProvider as P; P(anthropic_client=C(api_key='k'))",
    'groq': 'from groq import AsyncGroq as C; from pydantic_llm.providers.groq import GroqProvider as P; '
    "P(groq_client=C(api_key='k'))",
    'mistral': 'from mistralai.client import Mistral as C; from pydantic_llm.providers.mistral import '
    "MistralProvider as P; P(mistral_client=C(api_key='k'))",
    'cohere': 'from cohere import AsyncClientV2 as C; from pydantic_llm.providers.cohere import CohereProvider as P; '
    "P(cohere_client=C('k'))",
    'bedrock': "from pydantic_llm.providers.bedrock import BedrockProvider as P; P(region_name='us-east-1').client",
    'google': 'import google.auth.transport.requests; from pydantic_llm.providers.google_gla import '
    "GoogleGLAProvider as P; P(api_key='k')",
    'huggingface': "from pydantic_llm.providers.huggingface import HuggingFaceProvider as P; P(api_key='k').client",
    'litellm': 'from pydantic_llm.providers.litellm import LiteLLMProvider as P; P()',
    'fast': 'from pydantic_llm.transport.aiohttp_client import AiohttpClient',
    'serve': 'from pydantic_llm.serve import create_app; from pydantic_llm.models import test; '
    'create_app(test.TestModel())',
    'cli': "from pydantic_llm.cli import main; main(['ask', '-m', 'test', 'hi'])",
    'prices': "from pydantic_llm.prices import find_model_prices; assert find_model_prices('openai', 'gpt-4o')",
    'redis': "from pydantic_llm.models.cached import RedisCache; RedisCache('redis://localhost')",
    'otel': "from pydantic_llm import Agent; print(Agent('test', instrument=True).run_sync('hi').output)",
    'mcp': 'import pydantic_llm.mcp',
    'testing': 'from pydantic_llm.testing import ModelSuite, WireSuite',
    'smolagents': 'import pydantic_llm.ext.smolagents',
    'langchain': 'import pydantic_llm.ext.langchain',
    'pydantic-ai': 'import pydantic_llm.ext.pydantic_ai',
    'parquet': 'import pyarrow.parquet, pydantic_llm.many',
    'all': 'import openai, anthropic, groq, mistralai, cohere, boto3, google.auth, huggingface_hub, aiohttp',
}
"""What each extra is for, as a program."""


def try_extra(extra: str, wheel: Path, folder: Path) -> str | None:
    """Install an extra and run its program. Return the last lines of its errors; `None` if it succeeded."""
    python = folder / extra / 'bin' / 'python'
    uv = shutil.which('uv')
    create = [uv, 'venv', '-q', folder / extra] if uv else [sys.executable, '-m', 'venv', folder / extra]
    install = [uv, 'pip', 'install', '-q', '--python', python] if uv else [python, '-m', 'pip', 'install', '-q']
    for command in (create, [*install, f'{wheel}[{extra}]'], [python, '-c', USES[extra]]):
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
        if done.returncode:
            return '\n'.join(done.stderr.splitlines()[-3:])
    return None


def main() -> None:
    extras = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']['optional-dependencies']
    if missing := extras.keys() - USES.keys() - LARGE:
        sys.exit(f'USES has no program for the extras {", ".join(sorted(missing))}')
    failed = False
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, '-m', 'build', '-w', '-o', folder, ROOT], capture_output=True, check=True)
        [wheel] = folder.glob('*.whl')
        for extra in sys.argv[1:] or [each for each in extras if each not in LARGE]:
            error = try_extra(extra, wheel, folder)
            failed = failed or error is not None
            print(f'{extra}: {"right" if error is None else error}', flush=True)
            shutil.rmtree(folder / extra, ignore_errors=True)
    sys.exit(failed)


if __name__ == '__main__':
    main()
