"""SqueezeNet on ImageNet, for whoever has the images, and on CIFAR-10 enlarged, which two cores can do."""

import math

from npintdim.engine.optimizers import SGD, Step
from npintdim.measurement.recipes import Recipe, adam
from npintdim.reproduce.cases import Cases, MeasuredCase
from npintdim.typing import Spec


def net(side: int, classes: int) -> Spec:
    """SqueezeNet v1.0 for such images."""
    return {"architecture": "squeezenet", "in_shape": [3, side, side], "classes": classes}


BATCH = 128
STEPS = math.ceil(1_281_167 / BATCH)  # of an epoch
HALVED = SGD(0.01, schedule=Step(every=7 * STEPS, factor=0.5)).spec()  # as the authors did
IMAGENET = Recipe(
    data="imagenet/+side=256+crop=224+mean", model=net(224, 1000), d=(50_000, 100_000, 200_000, 500_000),
    projection={"kind": "fastfood"}, direct_optimizer=HALVED, optimizer=HALVED,
    seeds=1, direct_seeds=1, epochs=35, batch_size=BATCH, fraction=0.9,
)  # fmt: skip
ENLARGED = Recipe(
    data="cifar10-jpeg/+crop=64+mean", model=net(64, 10), d=(50_000,),
    projection={"kind": "fastfood"}, direct_optimizer=adam(3e-4),
    optimizer=adam(1e-3),  # at 5e-3 the loss stayed at log 10
    seeds=1, direct_seeds=1, epochs=10, batch_size=BATCH, fraction=0.9,
)  # fmt: skip
SHORTER = {"limit_train": 2_000, "epochs": 3}
PUBLISHED = "> 500,000"

# A step takes 0.11 core-seconds an example of 224×224, and 0.008 of 64×64; an evaluation a third of it.
SQUEEZENETS = (
    Cases(
        "squeezenet",
        "ImageNet, SqueezeNet v1.0; --data FOLDER/+side=256+crop=224+mean, "
        "FOLDER with train/CLASS/*.jpg and test/CLASS/*.jpg",
        "5 runs of 35 epochs: 280 core-days, 1.6 a run and epoch",
        "5 runs, 9 core-hours, most of it evaluation",
        (MeasuredCase("SqueezeNet, ImageNet", IMAGENET, {None: PUBLISHED},
              "35 epochs, momentum 0.9, the middle of each image, no dropout; "
              "authors: direct .5491, 50k .138, 100k .239, 200k .285, 500k .318"),),
        SHORTER,
    ),
    Cases(
        "squeezenet-cifar10",
        "SqueezeNet v1.0 on CIFAR-10 enlarged to 64×64, which the paper has not; "
        "--data FOLDER/+crop=64+mean",
        "2 runs, 3 core-hours", "2 runs, 6 core-minutes",
        (MeasuredCase("SqueezeNet, CIFAR-10 at 64×64", ENLARGED, {None: "–"},
              "10 epochs, Adam, not searched; no dropout"),),
        SHORTER,
    ),
)  # fmt: skip
