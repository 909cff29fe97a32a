"""Files that coursefs writes itself: readings, and link pages for what has no file."""

from coursefs.pages.beside import beside_url, with_links
from coursefs.pages.documents import document, link_page

__all__ = ["beside_url", "document", "link_page", "with_links"]
