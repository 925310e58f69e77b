"""The measurement of d_int: which runs to train, in which order, and what is said about them.

Read `recipes` (every number that decides the outcome), `search` (which d comes next) and `adaptive` (that, run), then
`rates` and `tuning` (learning rates), and `measure`, which joins them. `measurement` is what it returns, `report` what
it leaves on disk, `reload` reads that back.
"""
