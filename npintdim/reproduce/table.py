"""The whole of the paper's table: what it says, what we found, what that cost. `docs/results.md` shows it."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True)
class Found:
    """An objective, the paper's d_int90 and ours.

    Parameters
    ----------
    what : is measured
    D : number of all parameters
    read : how d_int90 is read off
    paper : its number, None where we know of none
    ours : d_int90 and its 95 % interval, infinite where an end is open;
        None where it was not run, or gave no number
    runs, seconds : of training, for all rows of one `record` together; one process, one thread
    record : file in docs/records/ from which ours follows; "" where only the page has it
    differs : what was done otherwise, or what the whole would take
    """

    what: str
    D: int
    read: str
    paper: float | None
    ours: tuple[float, float, float] | None
    runs: int = 0
    seconds: float = 0.0
    record: str = ""
    differs: str = ""

    @property
    def cost(self) -> str:
        """Runs and minutes."""
        return f"{self.runs} runs, {self.seconds / 60:.0f} min" if self.runs else "–"

    @property
    def cells(self) -> dict[str, str]:
        """A line of the table, by its columns."""
        paper = "–" if self.paper is None else f"{self.paper:,.0f}"
        ours = "–" if self.ours is None else said(*self.ours)
        return {
            "": self.what, "D": f"{self.D:,}", "read at": self.read, "paper": paper, "ours": ours,
            "cost": self.cost,
            "what differs": self.differs,
        }  # fmt: skip


OWN, ABSOLUTE = "0.9 × baseline", "accuracy 0.9"
JPEG = "JPEG of quality 75, not bit for bit the published archive"
TABLE = (
    Found("toy", 1_000, "loss 0", 10, (10, 10, 10), differs="least squares in 100 subspaces at each d"),
    Found("MNIST FC", 199_210, OWN, None, (509, 488, 532), 27, 222, differs="15 epochs, rate searched"),
    Found("MNIST FC", 199_210, ABSOLUTE, 750, (681, 645, 735), 27, 222),
    Found("MNIST LeNet", 44_426, OWN, 275, (213, 204, 224), 34, 236, differs="10 epochs, rate searched"),
    Found("MNIST LeNet", 44_426, ABSOLUTE, 290, (247, 235, 261), 34, 236),
    Found("MNIST FC, shuffled pixels", 199_210, ABSOLUTE, 750, (678, 642, 730), 60, 340),
    Found("MNIST LeNet, shuffled pixels", 44_426, ABSOLUTE, 1_400, (2_013, 1_729, 2_599), 60, 340),
    Found("CIFAR-10 LeNet", 62_006, OWN, 2_900, (5_474, 3_400, 8_665), 19, 779, "cifar10-lenet-l2",
          f"{JPEG}; 30 epochs, both rates searched (.0032 at d = 6000), L2 1e-4; "
          "our baseline .620, theirs .584 after 100"),
    Found("CIFAR-10 LeNet", 62_006, "accuracy 0.5256", 2_900, (3_883, 2_166, 5_645), 19, 779,
          "cifar10-lenet-l2", f"{JPEG}; the same runs at 0.9 × the authors' baseline"),
    Found("CIFAR-10 LeNet, no L2", 62_006, OWN, None, (5_574, 4_185, 7_618), 19, 802, "cifar10-lenet",
          f"{JPEG}; 30 epochs, both rates searched (.0032 at d = 6000)"),
    Found("CIFAR-10 FC", 656_810, OWN, 9_000, (7_372, 4_874, 9_722), 18, 1_150, "cifar10-fc",
          f"{JPEG}; the authors' notebook 5,000 and 5,750; "
          "20 epochs, both rates searched (.009 at d = 8000), no L2"),
    Found("CIFAR-10 FC", 656_810, "accuracy 0.45", 5_500, (4_360, -inf, 5_901), 18, 1_150, "cifar10-fc",
          JPEG),
    Found("CIFAR-10 FC, L2 1e-4", 656_810, OWN, 7_000, (12_562, 9_969, 15_352), 18, 717,
          "cifar10-fc-l2-1e-4", f"{JPEG}; the same, rates searched again"),
    Found("CIFAR-10 FC, L2 1e-3", 656_810, OWN, 25_000, (46_836, 30_484, inf), 17, 1_009,
          "cifar10-fc-l2-1e-3", f"{JPEG}; the same (.003 at d = 8000)"),
    Found("MNIST softmax regression", 7_850, OWN, None, (517, 497, 544), 26, 175),
    Found("SqueezeNet, ImageNet", 1_248_424, OWN, 500_000, None,
          differs="the paper's is a lower bound (direct .5491; 50k .138, 100k .239, 200k .285, 500k .318); "
          "14 s a step of 128 images: 56 core-days a run of 35 epochs"),
    Found("SqueezeNet, CIFAR-10 at 64×64", 740_554, OWN, None, None, 2, 4_392, "squeezenet-cifar10-short",
          f"{JPEG}; 4 epochs of 3,000 images, far from flat: no d can be read; "
          "the minutes are those of cores shared by fifteen, alone 3 a run"),
    Found("InvertedPendulum", 541, OWN, 4, (9, 6, 16), 84, 3_760, "inverted-pendulum",
          "one output, the paper's 562 numbers have two; 8 pairs, 100 generations; a mean is the share of "
          "ten runs that solve it, and half of them do from d = 5 on; the cores were shared by ten"),
    Found("InvertedPendulum, two outputs", 562, OWN, 4, (10, 7.51, inf), 63, 2_959, "inverted-pendulum-562",
          "the second is the log of the action's noise, in units of 0.1; the same otherwise; "
          "at d = 8, 12 and 16 nine, nine and ten of ten runs solve it"),
    Found("CartPole", 562, OWN, 25, (9, 7, 15), 95, 4_793, "cartpole",
          "the authors' with DQN; evolution strategies of 4 pairs, 100 generations; a mean is the share of "
          "ten runs that solve it; the cores were shared by ten: alone 10 s a run"),
    Found("Humanoid", 166_673, OWN, 700, None,
          differs="19 runs, 850 core-hours; its beginning is in evolution-strategies.md"),
    Found("Pong", 1_005_974, OWN, 6_000, None,
          differs="19 runs, 570 core-hours; its beginning is in evolution-strategies.md"),
    Found("FCTied-LeNet", 193_370, OWN, 400, (370, 351, 392), 18, 5_945, "fctied-lenet",
          "10 epochs, both rates searched (.021 at d = 450); no L2; the cores were shared"),
    Found("FCTied-LeNet", 193_370, ABSOLUTE, 425, (451, 426, 482), 18, 5_945, "fctied-lenet"),
    Found("Untied-LeNet", 286_334, OWN, 450, (401, 361, 448), 20, 2_477, "untied-lenet",
          "10 epochs, both rates searched (0.027 at d = 400); no L2; "
          "the cores were shared by ten: alone 40 s a run"),
    Found("Untied-LeNet", 286_334, ABSOLUTE, 600, (511, 462, 572), 20, 2_477, "untied-lenet"),
    Found("FC-LeNet", 3_640_574, OWN, 1_400, (812, 733, 909), 21, 8_691, "fc-lenet",
          "10 epochs, both rates searched (0.18 at d = 1000); no L2; "
          "the cores were shared by ten: alone 60 s a run"),
    Found("FC-LeNet", 3_640_574, ABSOLUTE, 2_000, (1_216, 1_089, 1_443), 21, 8_691, "fc-lenet"),
    Found("MNIST, 100 % shuffled labels", 959_610, "accuracy 0.89", 190_000, (103_006, 92_000, 107_432),
          5, 3_675, "shuffled-labels-100",
          "150 epochs at a rate that falls from 1e-3 (direct 3e-4), the authors' 500 at 1e-4; "
          "one run at each of four d"),
    Found("MNIST, 50 % shuffled labels", 959_610, "accuracy 0.89", 130_000, (83_976, 76_000, 88_000),
          6, 7_874, "shuffled-labels-50", "as above; one run at each of five d; the cores were shared"),
    Found("MNIST, 10 % shuffled labels", 959_610, "accuracy 0.89", 90_000, (17_162, 16_401, 17_887),
          6, 1_357, "shuffled-labels-10",
          "60 epochs at such a rate, of which more would lower d; one run at each of five d; "
          "at 0.9 it is above 24,000"),
)  # fmt: skip


def said(d: float, low: float, high: float) -> str:
    """A number with its interval, where it has one; an end beyond all d that were tried is open."""
    if low == -inf or high == inf:
        return f"{d:,.0f} ({low:,.0f} or more)" if high == inf else f"{d:,.0f} ({high:,.0f} or less)"
    return f"{d:,.0f} ({low:,.0f} to {high:,.0f})" if low < high else f"{d:,.0f}"
