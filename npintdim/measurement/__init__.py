"""The measurement of d_int: which runs to train, how they are trained and kept, and what is read off them.

Read `means`, `localfit` and `estimate` (from performances to d_int and its interval), `recipes` (every number that decides the
outcome), `search` and `informative` (which d comes next), `adaptive` (that, run), `rates` and `tuning` (learning rates), `measure`,
which joins them, `measurement` (what it returns), `report` (what it leaves on disk), `reload` (reads that back); and below them
`runs` (one run as a function of its spec), `work` (where it is done), `executors` and `cluster` (here, in processes, on other
machines), `records` and `claims` (on disk, once each), `sweep` (many runs), `events` (what happens meanwhile).
"""
