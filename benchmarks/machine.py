"""What a run took place on."""

from __future__ import annotations

import platform
from pathlib import Path

import onnxruntime
import openvino

_FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")


def describe(threads: int) -> dict[str, str]:
    """Return the processor, its features that matter here, the threads and the versions."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    has = fields.get("flags", "").split()
    cores = sum(line.startswith("processor") for line in lines)
    total = int(Path("/proc/meminfo").read_text(encoding="ascii").split()[1]) // 2**20
    return {
        "processor": f"{fields.get('model name', platform.machine())} (family {fields.get('cpu family')}, "
        f"model {fields.get('model')}), {cores} cores, {total} GiB",
        "features": ", ".join(name for name in _FEATURES if name in has),
        "threads": f"{threads} for every contender",
        "system": f"{platform.system()} {platform.release().split('-')[0]}, Python {platform.python_version()}",
        "engines": f"onnxruntime {onnxruntime.__version__}, openvino {openvino.__version__.split('-')[0]}",
    }
