"""Find the file of a model: a path, or a repository of the Hugging Face Hub with files of the same model.

Start at `find_file`. The names of such files end with their quantization: `Qwen3-8B-Q4_K_M.gguf`.
https://huggingface.co/docs/hub/gguf
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ..._extras import import_extra
from ...exceptions import ModelConnectionError, UserError
from ..local.load_errors import describe_error, find_place_error
from ..local.loading import Source

__all__ = ('LlamaCppSource', 'find_file', 'pick_file')

DEFAULT_QUANTIZATIONS = ('Q4_K_M', 'Q8_0')
"""The quantizations to take if a repository has several, the best one first, as in llama.cpp (common/download.cpp)."""

NOT_A_MODEL = re.compile(r'(^|/)(mmproj|imatrix|mtp)[^/]*$|imatrix', re.IGNORECASE)
"""Files that belong to a model: its encoder of images, and the data that it was quantized with."""

LATER_PART = re.compile(r'-(?!00001)\d{5}-of-\d{5}\.gguf$')
"""A part of a model in several files, but the first one, which llama.cpp loads the others with."""

PART = re.compile(r'-\d{5}-of-(\d{5})\.gguf$')
"""The end of the name of such a part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LlamaCppSource(Source):
    """The model to load, and the options of llama.cpp for it."""

    filename: str | None = None
    """The name of the file in a repository or folder, or a pattern for it."""
    revision: str | None = None
    """The branch, tag or commit of the repository."""
    adapter: str | None = None
    """The path of an adapter (LoRA) in a GGUF file."""
    adapter_scale: float = 1.0
    adapters: Mapping[str, str] = field(default_factory=dict[str, str])
    """The paths of the adapters that requests can name."""
    n_ctx: int | None = None
    """The size of the memory of all responses, in tokens."""
    n_gpu_layers: int = -1
    n_threads: int | None = None
    model_kwargs: Mapping[str, Any] | None = None
    """More fields of `llama_model_params`."""
    context_kwargs: Mapping[str, Any] | None = None
    """More fields of `llama_context_params`."""


def find_file(source: LlamaCppSource) -> str:
    """Return the path of the model's file, after a download if needed.

    Raises `UserError` if there is no such file or more than one, `ModelConnectionError` if the hub cannot be reached.
    """
    path = Path(source.name).expanduser()
    if path.is_file():
        if source.filename is not None and path.name != source.filename:
            raise UserError(f'filename is {source.filename!r}, and {source.name!r} is a file: give one of them')
        return str(path)
    if path.is_dir():
        names = sorted(found.relative_to(path).as_posix() for found in path.rglob('*.gguf'))
        return str(path / pick_file(names, source.filename, where=source.name))
    name, _, quantization = source.name.partition(':')
    pattern = source.filename or (f'*{quantization}*' if quantization else None)
    if path.suffix == '.gguf' or not re.fullmatch(r'[\w.-]+/[\w.-]+', name):
        raise UserError(
            f'{source.name!r} cannot be loaded: give a name on the hub or the path of a folder or file in the format '
            'GGUF'
        )
    return _download(source, name, pattern)


def pick_file(names: Sequence[str], pattern: str | None, *, where: str) -> str:
    """Return the name of the file to load: the one that matches `pattern`, the only one, or that of a usual size."""
    models = [name for name in names if not NOT_A_MODEL.search(name) and not LATER_PART.search(name)]
    if pattern is not None:
        found = [name for name in names if name == pattern] or [name for name in models if _matches(name, pattern)]
    else:
        by_tag = [[name for name in models if tag in name.upper()] for tag in DEFAULT_QUANTIZATIONS]
        found = models if len(models) == 1 else by_tag[0] or by_tag[1]
    if len(found) == 1:
        return found[0]
    if not models:
        raise UserError(
            f'{where!r} cannot be loaded: give a name on the hub or the path of a folder with a .gguf file of a model'
        )
    what = f'no file {pattern!r}' if pattern and not found else 'several files'
    raise UserError(f'{where!r} cannot be loaded: it has {what}: give filename= one of {", ".join(found or models)}')


def _matches(name: str, pattern: str) -> bool:
    lowered, base = pattern.lower(), name.rpartition('/')[2]
    return fnmatchcase(name.lower(), lowered) or fnmatchcase(base.lower(), lowered)


def _download(source: LlamaCppSource, name: str, pattern: str | None) -> str:
    """Return the path of a file of a repository, from the cache of the hub's library if it is there."""
    hub = import_extra('huggingface_hub', extra='llamacpp', what='A model of the hub')
    errors = import_extra('huggingface_hub.errors', extra='llamacpp', what='A model of the hub')
    try:
        names = [file for file in hub.list_repo_files(name, revision=source.revision) if file.endswith('.gguf')]
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError):
        raise
    except Exception as error:  # noqa: BLE001 -- the library's errors of a connection are those of its HTTP client
        return _find_cached(hub, source, name, pattern, error)
    file = pick_file(names, pattern, where=source.name)
    parts = PART.sub(r'-*-of-\1.gguf', file)
    return str(Path(hub.snapshot_download(name, revision=source.revision, allow_patterns=[parts])) / file)


def _find_cached(hub: Any, source: LlamaCppSource, name: str, pattern: str | None, error: Exception) -> str:
    """Return the path of a file that was downloaded before. Raises the translated `error` if it was not."""
    try:
        folder = Path(hub.snapshot_download(name, revision=source.revision, local_files_only=True))
    except Exception:  # noqa: BLE001 -- it is not there
        message = f'{source.name!r} is not on this machine, and the hub cannot be reached: {describe_error(error)}'
        outage = ModelConnectionError(source.name, message, provider_name='llamacpp-local')
        raise find_place_error(source.name, 'llamacpp-local', error) or outage from error
    names = sorted(found.relative_to(folder).as_posix() for found in folder.rglob('*.gguf'))
    return str(folder / pick_file(names, pattern, where=source.name))
