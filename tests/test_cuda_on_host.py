"""The CUDA twins without a GPU: the kernels compiled for the processor, the rest on the CuPy stand-in."""

import importlib
import sys
from types import SimpleNamespace

import cuda_on_host
import gpu_standin
import pytest
from cuda_twin_checks import *  # noqa: F403

from npintdim import kernels

pytestmark = pytest.mark.skipif(
    cuda_on_host.COMPILER is None, reason="no C++ compiler to run the kernels with"
)


@pytest.fixture(scope="module", params=["first thread first", "last thread first"])
def gpu(request):
    before = {n: m for n, m in sys.modules.items() if n.startswith(("cupy", "npintdim.kernels.cuda"))}
    for name in before:
        del sys.modules[name]
    gpu_standin.RawModule = cuda_on_host.RawModule
    sys.modules["cupy"] = gpu_standin
    cuda_on_host.order["backwards"] = request.param == "last thread first"
    twins = importlib.import_module("npintdim.kernels.cuda")
    yield SimpleNamespace(cupy=gpu_standin, kernels=twins, send=gpu_standin.asarray, host=lambda a: a.get())
    for name in [n for n in sys.modules if n.startswith(("cupy", "npintdim.kernels.cuda"))]:
        del sys.modules[name]
    del gpu_standin.RawModule, kernels.cuda
    sys.modules.update(before)
