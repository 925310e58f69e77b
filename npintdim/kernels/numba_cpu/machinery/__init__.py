"""What compiled kernels are built of, from the lowest up; nothing in here has a twin.

`cache`    compiled code, kept on disk and sealed
`simd`     vectors of 16 numbers as values; sign bits, lookups, sums and butterflies of them
`share`    how a loop is compiled; loops whose items threads share, and how much work is worth a second thread
`tile`     the register tile: rows × columns sums of products at once; products of matrices by it
`taps`     sums over the taps of a convolution by that tile
`limits`   multiply-adds that never leave the registers, for `npintdim bench`
"""
