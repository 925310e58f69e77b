"""Many training runs: each a function of its spec, each recorded once, in one process, many, or on many machines.

Read `runs` (the spec, and the function), `custom` (landscapes and data of your own in it), `records` (what is kept on
disk), `work` (one run, where it is done), `executors` (here or in processes) and `sweep`, which joins them. Beside
these stand `events` (for callbacks), `forecast` (how long it will take), `children` (how processes end), `claims` and
`cluster` (shared folder, Dask).
"""
