"""The snippets of vLLM's page, on a tiny model in the place of the one that they name."""

from __future__ import annotations

from pathlib import Path

from tests.local.test_docs import ROOT, check_page
from tests.local.vllm_library import make_taught


def test_the_snippets_of_the_page_run_and_print_what_it_shows(tmp_path: Path) -> None:
    taught = make_taught(tmp_path / 'taught')
    check_page(ROOT / 'docs' / 'vendors' / 'vllm.md', taught, tmp_path)
