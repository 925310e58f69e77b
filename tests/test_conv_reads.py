"""The convolution reads tiles past the end of an image, but nothing past the end of the last one."""

import sys

import pytest
from helpers import python

pytest.importorskip("numba")
POOR = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
CODE = """
import ctypes, mmap, sys
import numpy as np
from npintdim.kernels.numba_cpu.conv import conv2d_backward, conv2d_forward

PAGE, dtype = mmap.PAGESIZE, np.dtype(sys.argv[1])
memory = mmap.mmap(-1, 17 * PAGE)
start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.mprotect(ctypes.c_void_p(start + 16 * PAGE), ctypes.c_size_t(PAGE), 0) == 0  # whoever reads here is killed

def at_the_end(*shape):
    size = int(np.prod(shape))
    return np.frombuffer(memory, dtype, size, 16 * PAGE - dtype.itemsize * size).reshape(shape)

for n, c, h, w, o, k, s, p in (
    (1, 1, 3, 3, 2, 1, 1, 0), (5, 1, 2, 2, 9, 1, 1, 0), (4, 1, 3, 3, 12, 2, 1, 0), (2, 2, 9, 7, 8, 3, 1, 1),
    (2, 3, 8, 9, 8, 3, 2, 1), (3, 1, 5, 6, 2, 1, 2, 0), (1, 1, 3, 64, 8, 2, 1, 0), (2, 2, 2, 32, 9, 1, 1, 0),
):
    x = at_the_end(n, c, h, w)
    x[...] = 1
    W = np.ones((o, c, k, k), dtype)
    y = conv2d_forward(x, W, s, p)
    dy = at_the_end(*y.shape)
    conv2d_backward(x.copy(), W, dy, s, p, True)
    conv2d_backward(at_the_end(n, c, h, w), W, y, s, p, True)
print("read")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mprotect by way of libc")
@pytest.mark.parametrize(
    ("dtype", "environment"),
    [("float32", {}), pytest.param("float64", POOR, marks=pytest.mark.slow)],
    ids=["whole tiles", "a part of the lanes at a time"],
)
def test_nothing_is_read_beyond_the_last_image(dtype, environment):
    found = python("-c", CODE, dtype, env=environment, timeout=600)
    assert found.stdout == "read\n", (found.returncode, found.stderr[-500:])
