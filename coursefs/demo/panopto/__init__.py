"""A sample Panopto server: its API, its sign-in, its media pages, and the media host that they redirect to.

Written from the platform's API description and from reports of its users: listings are incomplete and paged until an
empty page, every endpoint counts its requests, media pages need a cookie, and a download URL is valid for one GET.
"""
