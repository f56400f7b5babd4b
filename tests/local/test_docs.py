"""The snippets of the engines' pages, with a tiny model in place of the one that they name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.local.adapters import save_adapter, save_mlx_adapter
from tests.local.engines import Engine, on
from tests.test_docs import ROOT, expected_outputs, script_of, snippets_of, without_trailing_spaces

NAMES = {'llamacpp': 'Qwen3-0.6B-GGUF'}
"""The name of the model in the page of an engine, if it is not Qwen3-0.6B."""


@on('transformers', 'mlx', 'llamacpp', 'vllm')
def test_the_snippets_of_the_page_print_the_output_that_it_shows(
    engine: Engine, trained_path: Path, tmp_path: Path
) -> None:
    name = engine.system.removesuffix('-local')
    page = ROOT / 'docs' / 'vendors' / f'{name}.md'
    folder = tmp_path / 'Qwen' / NAMES.get(name, 'Qwen3-0.6B')
    shutil.copytree(trained_path, folder)
    engine.prepare(folder)
    if name in ('transformers', 'vllm'):
        save_adapter(trained_path, tmp_path / 'acme' / 'sql-lora')
    if name == 'mlx':
        save_mlx_adapter(trained_path, tmp_path / 'acme' / 'sql-lora', seed=1, keys=['self_attn.q_proj'])
    script = script_of([snippet for snippet in snippets_of(page) if snippet.kind == 'python'])
    program, results = tmp_path / 'page.py', tmp_path / 'written.json'
    program.write_text(script, encoding='utf-8')
    run = subprocess.run(
        [sys.executable, '-P', str(ROOT / 'tests' / 'docs_run.py'), str(program), str(results)],
        cwd=tmp_path,
        env={
            **os.environ,
            'PYTHONPATH': os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')]),
            'OMP_NUM_THREADS': '1',
            'HF_HUB_OFFLINE': '1',
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    written = json.loads(results.read_text(encoding='utf-8'))
    assert {int(line): without_trailing_spaces(text) for line, text in written.items()} == expected_outputs(script)
