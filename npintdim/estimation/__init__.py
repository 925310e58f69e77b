"""From performances to d_int and its interval: pure statistics, no network and no disk.

Read `means` (runs by their d, and the paper's crossing), `localfit` (the curve of three numbers through them), then
`estimate` (`d_int`: both readings, and how far ours can be trusted).
"""
