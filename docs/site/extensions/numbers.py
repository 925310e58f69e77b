"""The explorables' numbers are computed by npintdim while the site is built."""


def setup(app):
    return {"parallel_read_safe": True}
