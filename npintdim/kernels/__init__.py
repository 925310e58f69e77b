"""The hot loops, three times: plain NumPy (the definition), Numba twins, CUDA twins.

Each of ``reference``, ``numba_cpu`` and ``cuda`` has the same files with the same names and
signatures. ``Backend.kernels`` is one of the three. ``fused`` has compiled runs of layers, which their
layers define; ``conv_spectrum`` is the frequency domain for the first two; ``numba_cpu.machinery`` says what
compiled kernels are built of.
"""
