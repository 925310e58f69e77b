"""The picture of accuracy against trained numbers says what its runs say."""

import numpy as np
import pytest

from npintdim.plots import methods_figure
from npintdim.plots.methods import first_above, height, noise

pytest.importorskip("matplotlib", reason="plots need matplotlib")
FAMILIES = {
    "subspaces": {"Fastfood": {50: [0.5, 0.6], 100: [0.85, 0.87]}, "one-hot": {100: [0.91, 0.93]}},
    "LoRA": {"LoRA": {1_594: [0.94]}},
}
METHODS = {label: runs for family in FAMILIES.values() for label, runs in family.items()}


def test_points_are_the_means_at_their_counts():
    axes = methods_figure(FAMILIES, [0.98, 0.99], "a task").axes[0]
    assert [c.get_label() for c in axes.containers] == ["Fastfood", "one-hot", "LoRA"]
    for container, runs in zip(axes.containers, METHODS.values(), strict=True):
        x, y = container.lines[0].get_data()
        np.testing.assert_allclose(x, sorted(runs), rtol=0.05)
        np.testing.assert_allclose(1 - np.exp(-y), [np.mean(runs[d]) for d in sorted(runs)])
    assert axes.get_xscale() == "log"


def test_bars_are_the_interval_of_the_family():
    """σ² of Fastfood and one-hot together: (.005/.45 + .0002/.14 + .0002/.08)/3, t of 3 degrees is 3.182."""
    sigma = np.sqrt((0.005 / 0.45 + 0.0002 / 0.14 + 0.0002 / 0.08) / 3)
    assert noise([*FAMILIES["subspaces"].values()]) == pytest.approx(3.18245 * sigma, rel=1e-5)
    axes = methods_figure(FAMILIES, [0.98, 0.99], "a task").axes[0]
    half = 3.18245 * sigma * np.sqrt(0.45 / 2)
    (low, high) = axes.containers[0].lines[2][0].get_segments()[0][:, 1]
    np.testing.assert_allclose((low, high), height([0.55 - half, 0.55 + half]), rtol=1e-5)
    assert noise([METHODS["LoRA"]]) == 0


def test_the_title_names_those_with_the_fewest_numbers():
    assert (
        first_above(METHODS, 0.88, 0.9)
        == "90 % of direct training with the fewest numbers tried, 100: one-hot"
    )
    both = "90 % of direct training with the fewest numbers tried, 100: Fastfood, one-hot"
    assert first_above(METHODS, 0.86, 0.9) == both
    assert first_above(METHODS, 0.95, 0.95) == "None reaches 95 % of direct training"
    figure = methods_figure(FAMILIES, [0.98, 0.98], "a task")
    title = figure.get_suptitle().replace("\n", " ")
    assert title.startswith("90 % of direct training") and "a task; bars: 95 % intervals" in title
    assert "0.882" in " ".join(t.get_text() for t in figure.axes[0].texts)


def test_one_run_a_point_has_no_bars():
    figure = methods_figure({"LoRA": {"LoRA": {1_594: [0.94]}}}, [0.98], "a task")
    assert "one run a point" in figure.get_suptitle()


@pytest.mark.parametrize(
    "families", [{}, {"a": {}}, {"a": {"x": {}}}, {"a": {name: {1: [0.5]} for name in "wxyz"}}]
)
def test_no_method_or_too_many_are_refused(families):
    with pytest.raises(ValueError, match="1 to 6 of 1 to 3 methods with runs are needed"):
        methods_figure(families, [0.9], "a task")
