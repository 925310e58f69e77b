"""`python -m npintdim` is the command `npintdim`."""

from __future__ import annotations

import sys

from npintdim.cli import main

if __name__ == "__main__":
    sys.exit(main())
