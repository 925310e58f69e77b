"""The CUDA twins without a GPU: the kernels compiled for the processor, the rest on the CuPy stand-in."""

from dataclasses import replace
from types import SimpleNamespace

import gpu_standin
import pytest
from cuda_engine_checks import *  # noqa: F403
from cuda_on_host import COMPILER, twins_on_host
from cuda_twin_checks import *  # noqa: F403
from twin_checks import *  # noqa: F403

pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C++ compiler to run the kernels with")


@pytest.fixture(scope="module", params=["first thread first", "last thread first"])
def gpu(request):
    with twins_on_host(backwards=request.param == "last thread first") as twins:
        yield SimpleNamespace(
            backend=lambda dtype: replace(gpu_standin.standin_backend(dtype), kernels=twins),
            cupy=gpu_standin, kernels=twins, send=gpu_standin.asarray, host=lambda a: a.get(), threads=(),
        )  # fmt: skip


@pytest.fixture
def twin(gpu):
    return gpu
