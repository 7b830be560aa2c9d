"""Everything here shares one browser and one site."""

from page_fixtures import driver, microphone, started_browser
from site_fixtures import library, served_site, site, tab

__all__ = ["driver", "library", "microphone", "served_site", "site", "started_browser", "tab"]
