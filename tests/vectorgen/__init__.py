"""The test vectors made again by slow routes that share nothing with the package: exact fractions, 40-digit
decimals, and the two modules written from the documentation pages. No NumPy, no npintdim.
"""
