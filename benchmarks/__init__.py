"""npintdim beside PyTorch, SciPy and its own plain text: `python -m benchmarks`.

`rows.py` says what is compared with what and what is required; `cases/` holds what is timed, `torch_side.py` the
same mathematics in PyTorch; `duel.py` runs the cases of a row against each other, one process each (`worker.py`);
`report.py` keeps the numbers in measured.json and writes the tables into docs/performance.md.
"""
