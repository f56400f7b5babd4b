"""Adapters (LoRA) that requests name: find them, and encode vLLM's options and its request for each.

https://docs.vllm.ai/en/latest/features/lora
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from ...exceptions import UserError
from ...json_types import Json
from ..local.adapters import ADAPTER_CONFIG
from .library import import_vllm

__all__ = ('find_adapters', 'make_adapter_options', 'make_requests')


def find_adapters(adapters: Mapping[str, str]) -> dict[str, Path]:
    """Return the folder of each adapter; those of the hub are downloaded. Raises `UserError` if one is not found."""
    if not adapters:
        return {}
    find = import_vllm('lora.utils').get_adapter_absolute_path
    folders = {name: Path(find(place)) for name, place in adapters.items()}
    for name, folder in folders.items():
        if not (folder / ADAPTER_CONFIG).is_file():
            raise UserError(
                f'adapters[{name!r}] {adapters[name]!r} was not found: give a name on the hub, or the path of a folder '
                f'with {ADAPTER_CONFIG}'
            )
    return folders


def make_adapter_options(folders: Mapping[str, Path]) -> Json:
    """Return the fields of `AsyncEngineArgs` with slots for these adapters, all of them in one batch.

    vLLM takes a few ranks only (`MaxLoRARanks` in vllm/config/lora.py), and its default is too low for many adapters.
    """
    if not folders:
        return {}
    highest = max(_read_rank(folder) for folder in folders.values())
    ranks = sorted(get_args(import_vllm('config.lora').MaxLoRARanks))
    rank = next((rank for rank in ranks if rank >= highest), highest)
    # On CPUs, requests without an adapter get the one in the last slot if they are in a batch with one: that slot stays
    # empty (vllm-project/vllm#48421).
    spare = 1 if import_vllm('platforms').current_platform.is_cpu() else 0
    return {'enable_lora': True, 'max_loras': len(folders) + spare, 'max_lora_rank': rank}


def make_requests(folders: Mapping[str, Path]) -> dict[str | None, Any]:
    """Return the `LoRARequest` of each adapter, by its name."""
    if not folders:
        return {}
    request = import_vllm('lora.request').LoRARequest
    return {
        name: request(lora_name=name, lora_int_id=number, lora_path=f'{folder}')
        for number, (name, folder) in enumerate(folders.items(), start=1)
    }


def _read_rank(folder: Path) -> int:
    """Return the rank of an adapter, the highest one if its layers have different ones."""
    config: Json = json.loads((folder / ADAPTER_CONFIG).read_text(encoding='utf-8'))
    by_layer: dict[str, int] = config.get('rank_pattern') or {}
    return max([config.get('r') or 1, *by_layer.values()])
