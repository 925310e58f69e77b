"""The recipes of docs/many-machines.md for experiment trackers, against modules of the same interface."""

import re
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import npintdim as nid
from npintdim.measurement.events import RunFinished
from npintdim.measurement.recipes import fully_connected

PAGE = Path(__file__).parents[1] / "docs" / "many-machines.md"
RECIPE = nid.Recipe("digits", fully_connected(64, 12, 10), (20, 40), seeds=1, direct_seeds=1, epochs=2)


def tracked(folder, tracker):
    """What the page's `log` of a tracker does while a measurement of 3 runs is made."""
    (code,) = re.findall(rf"^```python\n(import {tracker}\n.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    assert len(list(filter(str.strip, code.splitlines()))) <= 10
    names = {"RunFinished": RunFinished}
    exec(code, names)
    return nid.measure(RECIPE, folder, backend=nid.get_backend("numpy"), jobs=1, callbacks=[names["log"]])


def curves(m):
    return [[(e["epoch"], e["loss"], e["test"]) for e in record["epochs"]] for record in m.records]


def test_mlflow_gets_every_run_with_its_curve(tmp_path, monkeypatch):
    runs = []

    @contextmanager
    def start_run(run_name=None):
        runs.append(SimpleNamespace(name=run_name, params={}, metrics=[]))
        yield

    monkeypatch.setitem(
        sys.modules,
        "mlflow",
        SimpleNamespace(
            start_run=start_run,
            log_params=lambda params: runs[-1].params.update(params),
            log_metrics=lambda metrics, step: runs[-1].metrics.append((step, *metrics.values())),
        ),
    )
    m = tracked(tmp_path, "mlflow")
    assert [run.name for run in runs] == ["direct, seed 0", "d = 20, seed 0", "d = 40, seed 0"]
    assert [run.params["d"] for run in runs] == [None, 20, 40]
    assert [run.metrics for run in runs] == curves(m)


def test_weights_and_biases_gets_every_run_with_its_curve(tmp_path, monkeypatch):
    runs = []

    class Run:
        def __init__(self, project, name, config, reinit):
            self.name, self.config, self.metrics, self.open = name, config, [], True
            runs.append(self)

        def log(self, data, step):
            self.metrics.append((step, *data.values()))

        def finish(self):
            self.open = False

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=Run))
    m = tracked(tmp_path, "wandb")
    assert [run.config for run in runs] == [record["spec"] for record in m.records]
    assert [run.metrics for run in runs] == curves(m)
    assert not any(run.open for run in runs)


def test_the_page_names_every_event():
    from npintdim.measurement import events

    known = {kind.__name__ for kind in get_args(events.Event)}
    told = set(re.findall(r"^\| `(\w+)` \|", PAGE.read_text("utf-8"), re.M))
    assert told == known
