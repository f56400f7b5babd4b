"""A process that ends while an engine is open: its threads end first, and the exit status is the program's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.local.engines import Engine, on
from tests.test_docs import ROOT

PROGRAM = """
import sys

from pydantic_llm import Agent
from {module} import {name} as EngineModel

model = EngineModel(sys.argv[1], max_new_tokens=3)
print(len(Agent(model).run_sync('Say hi.').output) > 0, flush=True)
raise SystemExit('stopped')
"""


@on('transformers', 'mlx', 'llamacpp')
def test_a_process_ends_with_its_own_status(engine: Engine, trained_path: Path) -> None:
    module = engine.model_class.__module__.removesuffix('.model')
    program = PROGRAM.format(module=module, name=engine.model_class.__name__)
    for _ in range(1 if engine.system == 'transformers' else 3):  # MLX 0.32 aborted in one of two processes
        run = subprocess.run(
            [sys.executable, '-c', program, str(engine.prepare(trained_path))],
            cwd=ROOT,
            env={**os.environ, 'OMP_NUM_THREADS': '1', 'HF_HUB_OFFLINE': '1'},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert run.stdout == 'True\n', run.stderr
        assert run.returncode == 1
        assert run.stderr.splitlines()[-1] == 'stopped'
