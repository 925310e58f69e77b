"""Which files a data set consists of, what they must hash to, and where they can be had."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class File:
    """One file: name, length in bytes and sha256; and those of what it unpacks to, 0 and "" if untold."""

    name: str
    size: int
    sha256: str
    raw_size: int = 0
    raw_sha256: str = ""


@dataclass(frozen=True)
class Published:
    """A data set as published.

    Parameters
    ----------
    name : of the data set, of its folder and of its cache
    format : "idx" or "cifar"
    mirrors : addresses, each ending in "/", to be tried in this order
    files : "idx": training images, training labels, test images, test labels; "cifar": the archive
    torchvision : the folder in which torchvision keeps them, if any
    """

    name: str
    format: str
    mirrors: tuple[str, ...]
    files: tuple[File, ...]
    torchvision: str = ""


IDX_SIZES = {
    "train-images-idx3-ubyte.gz": 16 + 60_000 * 784,
    "train-labels-idx1-ubyte.gz": 8 + 60_000,
    "t10k-images-idx3-ubyte.gz": 16 + 10_000 * 784,
    "t10k-labels-idx1-ubyte.gz": 8 + 10_000,
}  # unpacked
IDX_NAMES = tuple(IDX_SIZES)


def idx_files(*rows: tuple[int, str, str]) -> tuple[File, ...]:
    """The four files of MNIST or of a look-alike; all use the same names and have the same sizes unpacked."""
    named = zip(IDX_SIZES.items(), rows, strict=True)
    return tuple(
        File(name, size, sha256, raw, raw_sha256) for (name, raw), (size, sha256, raw_sha256) in named
    )


MNIST = Published(
    "mnist", "idx",
    ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
    idx_files(
        (9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
         "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        (28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
         "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        (1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
         "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        (4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
         "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    ),
    "MNIST/raw",
)  # fmt: skip

FASHION_MNIST = Published(
    "fashion-mnist", "idx",
    (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ),
    idx_files(
        (26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84", ""),
        (29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", ""),
        (4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073", ""),
        (5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", ""),
    ),
    "FashionMNIST/raw",
)  # fmt: skip

KMNIST = Published(
    "kmnist", "idx",
    ("https://codh.rois.ac.jp/kmnist/dataset/kmnist/", "http://codh.rois.ac.jp/kmnist/dataset/kmnist/"),
    idx_files(
        (18_165_135, "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4", ""),
        (29_497, "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17", ""),
        (3_041_136, "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5", ""),
        (5_120, "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c", ""),
    ),
    "KMNIST/raw",
)  # fmt: skip

CIFAR10 = Published(
    "cifar10", "cifar",
    (
        "https://www.cs.toronto.edu/~kriz/",
        "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10/",
    ),
    (
        File("cifar-10-binary.tar.gz", 170_052_171,
             "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"),
    ),
)  # fmt: skip

REGISTRY = {source.name: source for source in (MNIST, FASHION_MNIST, KMNIST, CIFAR10)}
