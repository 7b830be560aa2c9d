"""The documentation as Sphinx builds it: sphinx-build -W --keep-going docs site."""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.documentation.pages import write_pages  # noqa: E402

project = "voiceprint"
version = release = version_of("voiceprint-engine")
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "myst_parser"]
exclude_patterns = ["development/logs"]

# Pages are Markdown, so that they can also be read where the code is hosted.
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3  # links to headings are checked

# Docstrings are numpy's.
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_param = False  # types are words, such as "clip or iterable of clips", and not names to look up
napoleon_use_rtype = False
default_role = "py:obj"
suppress_warnings = ["ref.python"]  # several classes have a `shape`
add_module_names = False
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
maximum_signature_line_length = 90
toc_object_entries_show_parents = "hide"

# The theme of numpy, scipy and scikit-learn. All that it needs lies beside the pages.
html_theme = "pydata_sphinx_theme"
html_title = "voiceprint"
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": [],
    "footer_end": [],
}


def setup(app: object) -> None:
    """Write the pages that are made of the code before any page is read."""
    app.connect("config-inited", lambda app, config: write_pages(ROOT, Path(app.srcdir)))  # type: ignore[attr-defined]
