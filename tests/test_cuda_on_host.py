"""The CUDA twins without a GPU: the kernels compiled for the processor, the rest on the CuPy stand-in."""

from dataclasses import replace

import pytest
from cuda_engine_checks import *  # noqa: F403
from cuda_on_host import COMPILER, twins_on_host
from cuda_twin_checks import *  # noqa: F403
from gpu_standin import standin_backend
from twin_checks import *  # noqa: F403

pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C++ compiler to run the kernels with")


@pytest.fixture(scope="module", params=["first thread first", "last thread first"])
def twin(request):
    with twins_on_host(backwards=request.param == "last thread first") as kernels:
        yield replace(standin_backend(), kernels=kernels)
