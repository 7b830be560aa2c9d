"""The engine in a browser tab: a model folder and the server's page as a site of static files.

`build_site` writes a folder that any web server can serve. The page's scripts are those of the server's page;
what answers them is the package ``web/`` of the checkout, built into ``assets/``.
"""

from voiceprint.web.model_files import LEAST_COSINE, Weights, write_model_files
from voiceprint.web.site import Site, build_site

__all__ = ["LEAST_COSINE", "Site", "Weights", "build_site", "write_model_files"]
