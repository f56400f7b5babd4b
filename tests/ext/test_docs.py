"""The snippets of `docs/bridges.md`, with the frameworks and with the vendors' server of the other pages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from pydantic_llm.serve import LocalServer
from tests.docs_server import SCRIPT, environment, tool_calls, vendors
from tests.test_docs import (
    KEPT_VARIABLES,
    ROOT,
    Snippet,
    expected_outputs,
    script_of,
    snippets_of,
    without_trailing_spaces,
)

NEEDED = ('smolagents', 'langgraph', 'pydantic_ai', 'litellm')
MISSING = [name for name in NEEDED if find_spec(name) is None]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f'needs {MISSING}: `make test-bridges` installs them')

PAGE = ROOT / 'docs' / 'bridges.md'

SMOLAGENTS = {
    'New task:\nHow cold is it in Oslo?': [tool_calls(temperature='{"city": "Oslo"}')],
    'Observation:\n-3.0': [tool_calls(final_answer='{"answer": "It is -3 °C in Oslo."}')],
}
"""The prompts of smolagents' agents, and the responses to them."""


@pytest.mark.parametrize('snippet', snippets_of(PAGE), ids=lambda snippet: f'line {snippet.line}')
def test_a_snippet_of_a_bridge_prints_the_output_that_it_shows(
    snippet: Snippet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for prompt, responses in SMOLAGENTS.items():
        monkeypatch.setitem(SCRIPT, prompt, responses)
    script = script_of([snippet])
    program, results = tmp_path / 'page.py', tmp_path / 'outputs.json'
    program.write_text(script, encoding='utf-8')
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    with LocalServer(vendors()) as url:
        run = subprocess.run(
            [sys.executable, '-P', str(ROOT / 'tests' / 'docs_run.py'), str(program), str(results)],
            cwd=tmp_path,
            env={**kept, 'PYTHONPATH': str(ROOT), 'LITELLM_LOCAL_MODEL_COST_MAP': 'True', **environment(url)},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert run.returncode == 0, run.stderr
    outputs = json.loads(results.read_text(encoding='utf-8'))
    assert {int(line): without_trailing_spaces(text) for line, text in outputs.items()} == expected_outputs(script)
