"""Check the types in the documentation: `python -m tests.docs_types` (a step of `make typecheck`).

The snippets of a page become one module, in which each line has its number in the page, and pyright checks all modules
at once, as strictly as the package, with the programs of `examples/`. Snippets that do not run are checked too, unless
a package that they import is not installed here.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from tests.test_docs import ROOT, WITH_PYTHON, Snippet, name_of, script_of, snippets_of

RULES = {
    'typeCheckingMode': 'strict',
    'pythonVersion': '3.11',
    'enableTypeIgnoreComments': False,
    # A page shows one thing in several ways: a later snippet may define or import a name again.
    'reportRedeclaration': False,
    'reportDuplicateImport': False,
    # An import in a snippet may be there for the reader's next step; a name may be assigned only to show the call.
    'reportUnusedImport': False,
    'reportUnusedVariable': False,
    'reportUnusedExpression': False,
}


def module_of(page: Path) -> str:
    """Return the snippets of a page as one module."""
    snippets = [snippet for snippet in snippets_of(page) if snippet.kind != 'console']
    return script_of([snippet for snippet in snippets if snippet.runs or _can_be_imported(snippet)])


def check() -> list[str]:
    """Return the errors, each with its page and line."""
    with tempfile.TemporaryDirectory() as folder:
        pages: dict[str, Path] = {}
        for number, page in enumerate(WITH_PYTHON):
            file = Path(folder, f'page_{number}_{page.stem.replace("-", "_")}.py')
            file.write_text(module_of(page), encoding='utf-8')
            pages[str(file)] = page
        for program in sorted((ROOT / 'examples').glob('*.py')):
            file = Path(folder, program.name)
            file.write_text(program.read_text(encoding='utf-8'), encoding='utf-8')
            pages[str(file)] = program
        config = Path(folder, 'pyrightconfig.json')
        config.write_text(json.dumps({**RULES, 'include': ['.'], 'extraPaths': [str(ROOT)]}), encoding='utf-8')
        command = [sys.executable, '-m', 'pyright', '-p', str(config), '--pythonpath', sys.executable, '--outputjson']
        run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        if run.returncode > 1:
            raise SystemExit(f'pyright failed: {run.stdout}{run.stderr}')
        return [_describe(problem, pages) for problem in json.loads(run.stdout)['generalDiagnostics']]


def _can_be_imported(snippet: Snippet) -> bool:
    names = {
        line.split()[1].partition('.')[0] for line in snippet.code.splitlines() if line.startswith(('import ', 'from '))
    }
    return all(find_spec(name) for name in names)


def _describe(problem: dict[str, object], pages: dict[str, Path]) -> str:
    match problem:
        case {'file': str() as file, 'message': message, 'range': {'start': {'line': int() as line}}}:
            return f'{name_of(pages[file])}:{line + 1}: {message} ({problem.get("rule", "")})'
        case _:
            return str(problem)


if __name__ == '__main__':
    errors = check()
    print(*errors, f'{len(WITH_PYTHON)} pages, {len(errors)} errors', sep='\n')
    sys.exit(bool(errors))
