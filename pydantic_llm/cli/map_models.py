"""`ModelRecipe` and `VLLMRecipe` build the model of a job, in this process or in others, which get no keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..models import Model
from .choice import build_model

__all__ = ('ModelRecipe', 'VLLMRecipe')


@dataclass(frozen=True, kw_only=True)
class ModelRecipe:
    """The names of models and the limits around them. Calling it builds the model; keys are those of the process."""

    names: Sequence[str]
    """The model, or several that share the requests."""
    base_url: str | None = None
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None

    def __call__(self) -> Model:
        models = [build_model(name, self.base_url) for name in self.names]
        if len(models) == 1:
            model = models[0]
        else:
            from ..models.router import RouterModel

            model = RouterModel(models)
        if self.requests_per_minute is None and self.tokens_per_minute is None:
            return model
        from ..models.limits import RateLimitedModel

        return RateLimitedModel(
            model, requests_per_minute=self.requests_per_minute, tokens_per_minute=self.tokens_per_minute
        )


@dataclass(frozen=True, kw_only=True)
class VLLMRecipe:
    """A model that vLLM runs on GPUs of a Ray cluster. Calling it builds the model, in a worker of the cluster.

    The fields are vLLM's: https://docs.vllm.ai/en/latest/serving/parallelism_scaling/
    """

    name: str
    """The name of a repository, or a folder that every node has."""
    tensor_parallel_size: int = 1
    """The number of GPUs that share the weights of one copy of the model."""

    def __call__(self) -> Model:
        from ..models.vllm import VLLMModel

        kwargs = {'tensor_parallel_size': self.tensor_parallel_size, 'distributed_executor_backend': 'ray'}
        return VLLMModel(self.name, model_kwargs=kwargs)
