"""HTML files that coursefs writes itself: readings, and link pages for items without a file."""

from coursefs.pages.cleaning import beside_url, with_links
from coursefs.pages.documents import document, link_page

__all__ = ["beside_url", "document", "link_page", "with_links"]
