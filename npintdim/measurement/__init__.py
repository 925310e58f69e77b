"""The measurement of d_int: which runs to train, how they are trained and kept, and what is read off them.

Read `curves` and `estimate` (from performances to d_int and its interval), `search` (which d comes next),
`recipes` (every number that decides the outcome), `rates` (learning rates, searched), `measure`, which joins
them, `baseline` (the direct runs, judged), `measurement` (what is returned), `report` (what is left on disk,
and read back); and below them `runs`, `custom`, `content` and `digest` (one run as a function of its spec,
what is your own in it, and whether that changed), `work` (where it is done), `executors` and `cluster` (by
this process, by others, by other machines), `records` (on disk, once each), `claims` (who is at which run),
`sweep` (many runs), `events` (what happens meanwhile, also in words).
"""
