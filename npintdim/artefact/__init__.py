"""What is kept of a trained network: two seeds and θ_d in one small file, in as few bits as they need.

Read `fileformat` (the bytes), `decode` (from a header back to network and P or T, and to θ, to the bit),
`compress` (the network), `coding/` (numbers as a few levels and a range coder),
`mdl/` (description length and the bound that it proves).
"""
