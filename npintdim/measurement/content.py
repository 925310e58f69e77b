"""What data, objective and kinds of one's own were in a run: part of its identity, whatever their names."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from npintdim.data.own import content as content_of_file
from npintdim.data.own import content_at, is_file
from npintdim.files import canonical, read_json
from npintdim.measurement.custom import Name, own
from npintdim.measurement.digest import Digest
from npintdim.measurement.records import load_record, theta_of, write_record
from npintdim.measurement.runs import RunSpec
from npintdim.specs import own_kinds
from npintdim.typing import Spec

UNREADABLE = (OSError, KeyError, TypeError, ValueError, AttributeError)  # told where a record is read


def content_of(data: str, model: Spec, *others: Spec | None, pretrained: Spec | None = None) -> Spec | None:
    """{"data": sha256, "pretrained": that of what θ_0 learnt, "objective": ..., "kinds": ...} of a run.

    What is one's own, or None. Data that a function returns are made once for it, in this process; where that
    fails its source is what counts. A warning names what may change without its digest.
    """
    content: Spec = {}
    unseen: list[str] = []
    if Name(data).own and not Name(data).none:
        thing = Name(data).thing()
        try:
            thing = thing() if callable(thing) else thing
        except Exception:  # where the data are may be known to the workers only
            unseen.append(f"what {data} returns, it cannot be called here")
        content["data"] = Digest(unseen).of(thing)
    elif is_file(data):
        content["data"] = content_of_file(data)
    if before := content_before(data, pretrained):
        content["pretrained"] = before
    if name := own(model):
        content["objective"] = Digest(unseen).of(Name(name).thing())
    if kinds := sorted(set(own_kinds([model, *others, pretrained])), key=lambda cls: cls.__qualname__):
        content["kinds"] = Digest(unseen).of(kinds)
    if unseen:
        warnings.warn(
            f"not seen: {', '.join(dict.fromkeys(unseen))}. When that changes, measure in another folder: "
            "the old runs would count",
            stacklevel=3,
        )
    return content or None


def content_before(data: str, pretrained: Spec | None) -> str | None:
    """sha256 of a pre-trained θ_0's file, or of the data that it learnt; None where no file is one's own."""
    if pretrained and (base := pretrained.get("file")):
        return content_at(Path(base))
    before = str((pretrained or {}).get("data", data))
    return content_of_file(before) if pretrained and is_file(before) else None


def because(runs: Path, specs: Sequence[RunSpec]) -> str:
    """Which of the specs have a record, which only one of other content, and whose; "" if nothing changed."""
    wanted = {canonical(spec.spec() | {"content": None}): spec for spec in specs if spec.content}
    changed: set[str] = set()
    for path in runs.glob("*.json") if wanted else ():
        with suppress(*UNREADABLE):
            old = dict(read_json(path)["spec"])
            if spec := wanted.get(canonical(old | {"content": None})):
                before, now = old.get("content") or {}, spec.content or {}
                changed |= {named_by(spec, part) for part in now if before.get(part) != now[part]}
    kept = sum((runs / f"{spec.key}.json").exists() for spec in specs)
    if not changed or kept == len(specs):
        return ""
    return (
        f"kept {kept}, new {len(specs) - kept}, because {' and '.join(sorted(changed))} changed "
        "since the old runs"
    )


def find_renamed(runs: Path, specs: Sequence[RunSpec]) -> None:
    """Copy the records of runs whose data or pre-trained θ_0 had other names then, and the same content."""
    wanted = {unnamed(spec.spec()): spec for spec in specs if spec.content}
    wanted = {what: spec for what, spec in wanted.items() if not (runs / f"{spec.key}.json").exists()}
    for path in runs.glob("*.json") if wanted else ():
        with suppress(*UNREADABLE):
            if (spec := wanted.get(unnamed(read_json(path)["spec"]))) is None:
                continue
            old, record = load_record(path)
            if record["status"] != "failed":
                theta = theta_of(runs, old, record) if record["status"] == "finished" and old.d else None
                write_record(runs, spec, record | {"spec": spec.spec()}, theta)


def unnamed(spec: Spec) -> bytes:
    """The spec of a run without the paths of its files, whose content it has; what is done to data stays."""
    spec = dict(spec)
    own, pretrained = spec.get("content") or {}, dict(spec.get("pretrained") or {})
    if "data" in own and is_file(spec["data"]):
        spec["data"] = "".join(spec["data"].partition("+")[1:])
    if "pretrained" in own and "file" in pretrained:
        spec["pretrained"] = {"file": ""}
    elif "pretrained" in own and "data" in pretrained:
        spec["pretrained"] = pretrained | {"data": "".join(pretrained["data"].partition("+")[1:])}
    return canonical(spec)


def named_by(spec: RunSpec, part: str) -> str:
    """What a part of the content belongs to."""
    if part == "kinds":
        named = own_kinds([spec.model, spec.T, spec.optimizer, spec.pretrained])
        return " and ".join(sorted({cls.__name__ for cls in named}))
    if part == "pretrained":
        return spec.base or Name(spec.before().data).label
    return Name(spec.own if part == "objective" else spec.data).label
