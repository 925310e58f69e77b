"""What compiled kernels are built of, from the lowest up; nothing in here has a twin.

`cache`    compiled code, kept on disk and sealed
`jit`      how a loop is compiled
`simd`     vectors of 16 numbers as values
`lanes`    sign bits, lookups, sums and butterflies of such vectors
`tile`     the register tile: rows × columns sums of products at once
`gemm`     products of matrices by that tile
`share`    loops whose items threads share, and how much work is worth a second thread
`limits`   multiply-adds that never leave the registers, for `npintdim bench`
"""
