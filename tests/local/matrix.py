"""The matrix of architectures: each family of models, in each way to generate text, compared with bare `generate`.

`python -m tests.local.matrix` prints the table, and `--write` puts it into the documentation.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from pydantic_llm.exceptions import LLMError, UserError
from pydantic_llm.messages import ModelRequest, ToolCallPart
from pydantic_llm.models import ModelRequestParameters
from pydantic_llm.models.local import Job, Prompt, Sampling
from pydantic_llm.models.local.isolation import IsolatingRunner
from pydantic_llm.models.local.token_decoder import TokenDecoder
from pydantic_llm.models.transformers import TransformersModel
from pydantic_llm.models.transformers.engine import TransformersBatching, TransformersEngine
from pydantic_llm.tools import ToolDefinition
from tests.local import tiny
from tests.local.families import FAMILIES, save_family

__all__ = ('COLUMNS', 'PAGE', 'find_row', 'make_table', 'run_family', 'write_page')

PAGE = Path(__file__).parents[2] / 'docs' / 'transformers-architectures.md'

COLUMNS = ('whole', 'streamed', 'batch', 'joining', 'pieces', 'isolation', 'prefix cache', 'tools')
"""The ways to generate text."""

TOKENS = 6
"""The number of tokens of each response."""

LENGTHS = (5, 2, 13, 9, 27, 3, 20, 7)
"""The lengths of the prompts, in tokens."""

PIECE = 6
"""The number of prompt tokens in one pass, for prompts in pieces."""

PREFIX = 34
"""The length of a prefix that prompts share, in tokens."""

QUESTIONS = ('one', 'a question with more words than the others have', 'two words', 'x')

LOOK = ToolDefinition('look', parameters_json_schema={'type': 'object', 'properties': {'n': {'type': 'boolean'}}})

RIGHT = 'right'


@dataclass
class Row:
    """The results of one family."""

    mode: str = ''
    """The way in which responses share passes."""
    refusal: str = ''
    """The sentence with which the model is refused."""
    cells: dict[str, str] = field(default_factory=dict[str, str])
    """`RIGHT`, or what is wrong, by column."""

    @property
    def faults(self) -> dict[str, str]:
        return {column: cell for column, cell in self.cells.items() if cell != RIGHT}


class Bench:
    """A loaded model of one family, and the tokens that bare `generate` gives."""

    def __init__(self, model: TransformersModel, engine: TransformersEngine) -> None:
        self.model = model
        self.engine = engine
        assert engine.loaded is not None, 'it was loaded'
        self.size = engine.loaded.vocabulary_size or 1
        self._generated: dict[tuple[int, ...], list[int]] = {}

    def make_tokens(self, length: int, seed: int = 0) -> list[int]:
        return [3 + (37 * (length + seed) + 11 * place + place * place) % (self.size - 3) for place in range(length)]

    def generate(self, tokens: Sequence[int]) -> list[int]:
        """Return the tokens of bare `generate`."""
        if (key := tuple(tokens)) not in self._generated:
            self._generated[key] = self._generate(tokens)
        return self._generated[key]

    def _generate(self, tokens: Sequence[int]) -> list[int]:
        ids = torch.tensor([list(tokens)])
        output = self.engine._model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=TOKENS,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=0,
        )
        found: list[int] = output[0][len(tokens) :].tolist()
        return found

    def make_runner(self, **options: Any) -> IsolatingRunner:
        """Return a runner with these options, of an engine with the same model."""
        engine = self.engine
        if options:
            engine = TransformersEngine(engine._source, TransformersBatching(batching='padded', **options))
            engine._model, engine.loaded = self.engine._model, self.engine.loaded
        loaded = self.engine.loaded
        assert loaded is not None, 'it was loaded'
        return IsolatingRunner(engine, loaded)


def make_job(tokens: Sequence[int]) -> Job:
    decoder = TokenDecoder(lambda tokens: '')
    return Job(Prompt(list(tokens)), sampling=Sampling(), max_tokens=TOKENS, decoder=decoder)


def run_jobs(runner: IsolatingRunner, jobs: Sequence[Job], *, steps_between: int = 0) -> None:
    """Run jobs at the same time. With `steps_between`, each one joins so many steps after the one before."""
    waiting, active, step = [*jobs], list[Job](), 0
    while waiting or not all(job.done for job in active):
        while waiting and sum(not job.done for job in active) < runner.slots:
            active.append(waiting.pop(0))
            runner.add(active[-1])
            if steps_between:
                break
        for _ in range(max(1, steps_between)):
            runner.step()
        step += 1
        assert step < 1000, 'the jobs do not end'


def compare(bench: Bench, runner: IsolatingRunner, prompts: Sequence[Sequence[int]], *, steps_between: int = 0) -> str:
    """Run prompts. Return `RIGHT`, or what is wrong."""
    jobs = [make_job(prompt) for prompt in prompts]
    run_jobs(runner, jobs, steps_between=steps_between)
    for job, prompt in zip(jobs, prompts, strict=True):
        if job.error is not None:
            return f'{job.error}'
        if job.tokens != (expected := bench.generate(prompt)):
            return f'{len(prompt)} tokens: {job.tokens}, not {expected}'
    return RIGHT


# ---------------------------------------------------------------------- the columns


def check_batch(bench: Bench) -> str:
    return compare(bench, bench.make_runner(), [bench.make_tokens(length) for length in LENGTHS])


def check_joining(bench: Bench) -> str:
    return compare(bench, bench.make_runner(), [bench.make_tokens(length) for length in LENGTHS], steps_between=2)


def check_pieces(bench: Bench) -> str:
    runner = bench.make_runner(prefill_tokens=PIECE)
    return compare(bench, runner, [bench.make_tokens(length) for length in LENGTHS], steps_between=1)


def check_isolation(bench: Bench) -> str:
    """A neighbour fails: its prompt has a token that the model does not have."""
    jobs = [make_job(bench.make_tokens(length)) for length in LENGTHS[:4]]
    broken = make_job([4, 10**6, 5])
    run_jobs(bench.make_runner(), [*jobs[:2], broken, *jobs[2:]])
    if broken.error is None:
        return 'a prompt with an unknown token does not fail'
    wrong = [job for job in jobs if job.error or job.tokens != bench.generate(job.prompt.tokens)]
    return RIGHT if not wrong else f'{len(wrong)} neighbours are wrong: {wrong[0].error or wrong[0].tokens}'


def check_prefixes(bench: Bench) -> str:
    """Prompts begin with the same tokens, and the first one with all of them came before."""
    prefix = bench.make_tokens(PREFIX)
    runner = bench.make_runner()
    prompts = [[*prefix, *bench.make_tokens(length, 1)] for length in (3, 1, 8)]
    first = compare(bench, runner, prompts[:1])
    return first if first != RIGHT else compare(bench, runner, [*prompts, bench.make_tokens(9)])


RUNNERS: Mapping[str, Callable[[Bench], str]] = {
    'batch': check_batch,
    'joining': check_joining,
    'pieces': check_pieces,
    'isolation': check_isolation,
    'prefix cache': check_prefixes,
}
"""The columns that are checked token by token, with a runner whose steps are made here."""


async def _check_texts(bench: Bench) -> dict[str, str]:
    """Return the cells of requests: whole, streamed, and with a tool call that is required."""
    settings: Any = {'max_tokens': TOKENS}
    model, tokenizer = bench.model, bench.engine.loaded.tokenizer.tokenizer  # type: ignore[union-attr]
    expected = [tiny.generate(bench.engine._model, tokenizer, question, TOKENS) for question in QUESTIONS]
    asked = [[ModelRequest.user_text_prompt(question)] for question in QUESTIONS]
    whole = await asyncio.gather(*(model.request(messages, settings) for messages in asked))
    cells = {'whole': _compare_texts([response.text or '' for response in whole], expected)}
    streamed: list[str] = []
    for messages in asked[:2]:
        async with model.request_stream(messages, settings) as stream:
            async for _ in stream:
                pass
            streamed.append(stream.get().text or '')
    cells['streamed'] = _compare_texts(streamed, expected[:2])
    required: Any = {'tool_choice': 'required', 'max_tokens': 64}
    called = await model.request(asked[0], required, ModelRequestParameters([LOOK]))
    args = [part.args_as_dict() for part in called.parts if isinstance(part, ToolCallPart)]
    is_call = len(args) == 1 and all(isinstance(value, bool) for value in args[0].values())
    return {**cells, 'tools': RIGHT if is_call else f'{called.parts}'}


def _compare_texts(texts: Sequence[str], expected: Sequence[str]) -> str:
    return RIGHT if [*texts] == [*expected] else f'{[*texts]}, not {[*expected]}'


# ---------------------------------------------------------------------- the table


async def run_family(folder: Path) -> Row:
    """Run a model in all ways."""
    model = TransformersModel(folder, torch_dtype='float32', batching='padded')
    try:
        try:
            loaded = await model.load()
        except UserError as error:
            return Row(refusal=f'{error}'.replace(f'{str(folder)!r}', 'the model'))
        engine = model.engine
        assert isinstance(engine, TransformersEngine)
        bench = Bench(model, engine)
        row = Row(mode=_find_mode(engine))
        try:
            row.cells |= await _check_texts(bench)
        except LLMError as error:
            row.cells |= dict.fromkeys(('whole', 'streamed', 'tools'), f'{error}')
        del loaded
        for column, check in RUNNERS.items():
            row.cells[column] = await asyncio.to_thread(check, bench)
        return row
    finally:
        await model.aclose()


def _find_mode(engine: TransformersEngine) -> str:
    limits = engine._limits
    assert limits is not None, 'they are tested at load time'
    if limits.slots == 1:
        return 'one at a time'
    if limits.rereads:
        return 'in turns, without a cache'
    return 'in a batch' if limits.can_merge else 'in turns'


def make_table(rows: Mapping[str, Row]) -> str:
    """Return the table in Markdown."""
    lines = [
        f'| family | models | responses run | {" | ".join(COLUMNS)} |',
        f'| --- | --- | --- | {" | ".join("---" for _ in COLUMNS)} |',
    ]
    for name, row in rows.items():
        cells = ['-'] * len(COLUMNS) if row.refusal else [row.cells[column] for column in COLUMNS]
        mode = f'refused: {row.refusal}' if row.refusal else row.mode
        lines.append(f'| {name} | {FAMILIES[name].models} | {mode} | {" | ".join(cells)} |')
    return '\n'.join(lines)


def write_page(table: str) -> None:
    """Put the table into the page, in place of the one that is there."""
    page = PAGE.read_text(encoding='utf-8')
    before, _, rest = page.partition('\n| family |')
    _, _, after = rest.partition('\n\n')
    PAGE.write_text(f'{before}\n{table}\n\n{after}', encoding='utf-8')


def find_row(table: str, name: str) -> str:
    """Return the line of a family in a table; empty if there is none."""
    return next((line for line in table.splitlines() if line.startswith(f'| {name} |')), '')


def main(names: Sequence[str]) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            rows[name] = asyncio.run(run_family(save_family(Path(folder), name)))
        print(name, rows[name].mode or rows[name].refusal, rows[name].faults or '', file=sys.stderr, flush=True)  # noqa: T201 -- progress
    return rows


if __name__ == '__main__':
    import logging

    logging.getLogger('pydantic_llm.local').setLevel(logging.CRITICAL)
    with suppress(KeyboardInterrupt):
        given = [name for name in sys.argv[1:] if not name.startswith('--')]
        found = main(given or [*FAMILIES])
        print(make_table(found))  # noqa: T201 -- a program
        if '--write' in sys.argv:
            write_page(make_table(found))
        sys.exit(any(row.faults for row in found.values()))
