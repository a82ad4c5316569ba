"""How Sphinx builds the site: `make docs`."""

import tradelift

project = "tradelift"
release = tradelift.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["images"]

html_theme = "furo"
html_title = f"tradelift {release}"
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False

default_role = "code"  # a name between single quotes is code
myst_heading_anchors = 3
napoleon_google_docstring = False
napoleon_use_rtype = False  # what a function returns is said in words; its type stands in the signature
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_member_order = "bysource"
