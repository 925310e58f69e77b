"""The pages of the reference: every public name once, by what it is for."""

from pathlib import Path

import npintdim
import npintdim.testing

GROUPS = {
    "Landscapes and subspaces": "Landscape SubspaceObjective L2 Parametrisation ParametrisedObjective "
    "Subspace Composed EvolutionStrategy Episodes Batch Examples Dataset Evaluation load_dataset",
    "Projections": "Projection SeededProjection make_projection projection_from_spec",
    "Adapters": "Adapter make_adapter",
    "Networks": "Model ParamLayout mlp lenet untied_lenet fc_lenet fctied_lenet squeezenet model_from_spec Layer ParameterFree "
    "Linear Conv2D LocallyConnected2D MaxPool2D AveragePool2D GlobalAveragePool Fire ReLU Tanh Sigmoid GELU LayerNorm ChannelNorm "
    "Standardise Dropout Flatten Unflatten Loss CrossEntropy MSE "
    "Initializer HeNormal Zeros register",
    "Training": "train TrainConfig Run Record Optimizer Adam AdamW SGD Backend get_backend",
    "Measurement": "measure Measurement d_int DInt Recipe recipe_for objective_recipe RunSpec RateSearch Score sweep "
    "load_measurement",
    "The toy problem": "ToyProblem expected_share",
    "Compression": "CompressedModel",
    "Checks": "dot_test adjoint_matrix_check gradient_check check_pullback CheckError",
    "Random numbers": "Stream Purpose",
}


def entry(name: str, module: str) -> str:
    """What autodoc is told of a name."""
    thing = getattr(__import__(module, fromlist=["_"]), name)
    kind = "class" if isinstance(thing, type) else "function" if callable(thing) else "data"
    if kind == "class" and issubclass(thing, BaseException):
        kind = "exception"
    return f".. auto{kind}:: {module}.{name}\n"


def page(title: str, names: list[str], module: str) -> str:
    """A table of the names, and each of them."""
    table = "".join(f"   {name}\n" for name in names)
    top = f"{title}\n{'=' * len(title)}\n\n.. currentmodule:: {module}\n\n.. autosummary::\n\n{table}\n"
    return top + "\n".join(entry(name, module) for name in names)


def write(folder: Path) -> None:
    """One page a group, and `api.rst` with all of them."""
    grouped = [name for names in GROUPS.values() for name in names.split()]
    public = [name for name in npintdim.__all__ if name != "__version__"]
    if sorted(grouped) != sorted(public):
        raise SystemExit(f"docs/site/reference.py and npintdim.__all__ differ: {set(grouped) ^ set(public)}")
    pages = {title: page(title, names.split(), "npintdim") for title, names in GROUPS.items()}
    pages["Testing kit"] = page(
        "Testing kit", [name for name in npintdim.testing.__all__ if name not in public], "npintdim.testing"
    )
    entries = ""
    for title, text in pages.items():
        stem = title.lower().replace(" ", "-")
        (folder / f"{stem}.rst").write_text(text, encoding="utf-8")
        entries += f"   {stem}\n"
    intro = "Everything public, by what it is for. ``import npintdim as nid``.\n"
    toc = f".. toctree::\n   :maxdepth: 2\n\n{entries}"
    (folder / "api.rst").write_text(f"API\n===\n\n{intro}\n{toc}", encoding="utf-8")
