"""One response in a batch of Transformers or MLX: penalties, bias, broken constraints, shared samplers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from pydantic_llm.exceptions import ModelAPIError
from pydantic_llm.models.local import Job, Prompt, Sampling
from pydantic_llm.models.local.token_decoder import TokenDecoder
from pydantic_llm.models.transformers.choose import choose
from pydantic_llm.models.transformers.rows import Row
from tests.local.engines import Engine, on

LOGITS = [2.0, 1.0, 0.5, 0.0, -1.0, -3.0]


def make_job(sampling: Sampling, prompt: Sequence[int] = (1, 2), matcher: Any = None) -> Job:
    return Job(
        Prompt(prompt), sampling=sampling, max_tokens=100, decoder=TokenDecoder(lambda tokens: ''), matcher=matcher
    )


class Broken:
    """A constraint that breaks."""

    def restart(self, tokens: Sequence[int]) -> None:
        pass

    def compute_mask(self) -> Any:
        raise RuntimeError('out of fuel')


# ---------------------------------------------------------------------- Transformers


def make_row(sampling: Sampling, prompt: Sequence[int] = (1, 2), written: Sequence[int] = ()) -> Row:
    row = Row(make_job(sampling, prompt))
    row.tokens.extend(written)
    return row


async def test_penalties_change_the_likeliest_token() -> None:
    logits = torch.tensor([LOGITS])
    assert choose(logits.clone(), [make_row(Sampling())]) == [0]
    assert choose(logits.clone(), [make_row(Sampling(presence_penalty=1.5), written=[0])]) == [1]
    assert choose(logits.clone(), [make_row(Sampling(frequency_penalty=0.6), written=[0, 0])]) == [1]
    assert choose(logits.clone(), [make_row(Sampling(repetition_penalty=5.0), prompt=[0, 1])]) == [2]
    assert choose(logits.clone(), [make_row(Sampling(logit_bias={4: 9.0}))]) == [4]


async def test_settings_of_one_row_do_not_change_another() -> None:
    rows = [
        make_row(Sampling()),
        make_row(Sampling(temperature=1.0, top_k=1)),
        make_row(Sampling(logit_bias={5: 99.0})),
        make_row(Sampling()),
    ]
    assert choose(torch.tensor([LOGITS]).repeat(4, 1), rows) == [0, 0, 5, 0]


# ---------------------------------------------------------------------- MLX


@pytest.fixture
def adjust(engine: Engine) -> Callable[..., list[float]]:
    """Return MLX's logits of the token after those that were written."""
    import mlx.core as mx

    from pydantic_llm.models.mlx.rows import Row as MLXRow

    def adjust(job: Job, written: Sequence[int] = ()) -> list[float]:
        row = MLXRow(job)
        tokens, logits = [*job.prompt.tokens], mx.array([LOGITS])
        adjusted = row.adjust_logits(mx.array(tokens), logits)
        for token in written:
            tokens.append(token)
            adjusted = row.adjust_logits(mx.array(tokens), logits)
        assert logits.tolist() == [LOGITS]
        values: list[float] = adjusted[0].tolist()
        return values

    return adjust


@on('mlx')
async def test_penalties_change_logits_by_their_values(adjust: Callable[..., list[float]]) -> None:
    assert adjust(make_job(Sampling(presence_penalty=1.5))) == LOGITS
    assert adjust(make_job(Sampling(presence_penalty=1.5)), [0, 0, 3]) == [0.5, 1.0, 0.5, -1.5, -1.0, -3.0]
    assert adjust(make_job(Sampling(frequency_penalty=0.5)), [0, 0, 3]) == [1.0, 1.0, 0.5, -0.5, -1.0, -3.0]
    assert adjust(make_job(Sampling(repetition_penalty=2.0), [1, 5]), [0]) == [1.0, 0.5, 0.5, 0.0, -1.0, -6.0]
    assert adjust(make_job(Sampling(logit_bias={4: 9.0, 0: -1.0}))) == [1.0, 1.0, 0.5, 0.0, 8.0, -3.0]
    assert adjust(make_job(Sampling(logit_bias={4: 9.0})), [4, 4]) == [2.0, 1.0, 0.5, 0.0, 8.0, -3.0]


@on('mlx')
async def test_a_constraint_that_breaks_fails_its_own_job_only(adjust: Callable[..., list[float]]) -> None:
    job = make_job(Sampling(), [1], Broken())
    assert adjust(job) == LOGITS
    assert isinstance(job.error, ModelAPIError)
    assert 'out of fuel' in f'{job.error}'


@on('mlx')
async def test_equal_settings_share_a_sampler_and_seeds_do_not(engine: Engine) -> None:
    from pydantic_llm.models.mlx.choose import Samplers

    samplers = Samplers()
    warm = Sampling(temperature=0.7, top_p=0.9)
    assert samplers.get(Sampling()) is None
    assert samplers.get(warm) is samplers.get(Sampling(temperature=0.7, top_p=0.9, presence_penalty=1.0))
    assert samplers.get(warm) is not samplers.get(Sampling(temperature=0.8, top_p=0.9))
    seeded = Sampling(temperature=0.7, seed=1)
    assert samplers.get(seeded) is not samplers.get(seeded)


@on('mlx')
async def test_the_number_of_shared_samplers_is_limited(engine: Engine) -> None:
    from pydantic_llm.models.mlx.choose import Samplers

    samplers = Samplers()
    for number in range(500):
        samplers.get(Sampling(temperature=1 + number))
    assert len(samplers._shared) <= 64
