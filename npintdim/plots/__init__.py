"""Pictures, one a file; needs matplotlib, opens no window. Titles, computed from data, say what was found."""

from npintdim.plots.compression import compression_figure, files_of
from npintdim.plots.curve import curve_figure
from npintdim.plots.map import map_figure
from npintdim.plots.methods import methods_figure
from npintdim.plots.nets import nets_figure
from npintdim.plots.phase import phase_figure
from npintdim.plots.several import several_figure
from npintdim.plots.style import BLUE, GREEN, GREY, ORANGE, check_looks, new_figure, nice_ticks, picture, save
from npintdim.plots.timeline import spans_of, timeline_figure
from npintdim.plots.toy import toy_figure

__all__ = [
    "BLUE", "GREEN", "GREY", "ORANGE", "check_looks", "compression_figure", "curve_figure", "files_of",
    "map_figure", "methods_figure", "nets_figure", "new_figure", "nice_ticks", "phase_figure", "picture",
    "save", "several_figure", "spans_of", "timeline_figure", "toy_figure",
]  # fmt: skip
