"""The site: the repository's Markdown, the examples as a gallery, the reference from docstrings. `make docs`."""

import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import npintdim

project, author, copyright = "npintdim", "the npintdim authors", "the npintdim authors"
version = release = npintdim.__version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "extensions.docstrings",
    "extensions.formulas",
    "extensions.sources",
    "extensions.columns",
    "extensions.commands",
    "extensions.numbers",
]
include_patterns = ["*.rst", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/*.md", "docs/walkthrough/*.md", "explore/*.rst",
                    "reference/*.rst", "gallery/*.rst", "gallery/notebooks/*.rst"]  # fmt: skip
exclude_patterns = ["gallery/sg_execution_times.rst", "gallery/notebooks/sg_execution_times.rst"]

# ---- Markdown as on the code host ----
myst_enable_extensions = ["dollarmath", "html_image"]
myst_heading_anchors = 4
myst_dmath_double_inline = True

# ---- the look ----
html_theme = "furo"
html_title = "npintdim"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_favicon = "static/favicon.svg"
html_show_sourcelink = False
html_show_sphinx = False
html_copy_source = False
pygments_style, pygments_dark_style = "a11y-high-contrast-light", "a11y-high-contrast-dark"
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True

# ---- the gallery ----
sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_signature": False,
    "write_computation_times": False,
    "copyfile_regex": "",
    "image_scrapers": ("matplotlib", "extensions.pictures.show"),
    "ignore_repr_types": r"matplotlib",
    "remove_config_comments": True,
}
warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")

# ---- the reference ----
autosummary_generate = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
numpydoc_xref_param_type = False
nitpick_ignore_regex = [
    ("py:.*", r"(numpy|enum|collections|typing|abc|argparse|object)\b.*"),
    (
        "py:class",
        r"npintdim\.engine\.layers\..*\.(Elementwise|Noisy|Norm|Pool2D)",
    ),  # what layers share, not public
]
