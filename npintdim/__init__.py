"""npintdim (being built)."""
