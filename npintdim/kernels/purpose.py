"""The numbers that keep streams apart, for every kernel and `npintdim.rng` (docs/random.md, section 2)."""

from enum import IntEnum


class Purpose(IntEnum):
    """What a stream is for. Append only: a number is part of every file. From 2³¹ on they are yours."""

    THETA_0 = 1  # lane = parameter, in the order of theta
    DENSE = 2  # lane = column
    SPARSE_GAP = 3  # lane = column
    SPARSE_SIGN = 4  # lane = column
    FF_B = 5
    FF_PI = 6
    FF_G = 7
    FF_S = 8
    BATCHES = 9  # lane = epoch
    SPLIT = 10
    SHUFFLE = 11
    BOOTSTRAP = 12
    CHECK = 13
    NOISE = 14  # lane = step
    ONEHOT = 15
    ONEHOT_SIGN = 16
    ORTHONORMAL = 17  # lane = column
    COORDINATES = 18
    ADAPTER = 19  # lane = factor, in the order of the trained vector
    EPISODES = 20  # lane = step
