"""A figure that is a cell's last value is drawn on the page, as in a notebook: a scraper of sphinx-gallery."""

from sphinx_gallery.scrapers import figure_rst


def show(block, block_vars, gallery_conf):
    """The picture of the last value; once, since it stays there for the next cells."""
    figure = block_vars["example_globals"].get("___")
    if not hasattr(figure, "_repr_png_") or hasattr(figure, "stands_on_the_page"):
        return ""
    figure.stands_on_the_page = True
    path = next(block_vars["image_path_iterator"])
    figure.savefig(path, dpi=150)
    return figure_rst([path], gallery_conf["src_dir"], figure.axes[0].get_title())
