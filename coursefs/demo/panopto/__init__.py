"""A sample Panopto server: its API, its sign-in, its pages for media, and the host that these redirect to.

Written from the platform's own API description and from what its users report: listings are partial and have pages
until one is empty, every endpoint counts its requests, media want a cookie, and a download is good for one GET.
"""
