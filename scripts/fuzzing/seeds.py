"""The targets' names, and what the fuzzer begins with; nothing of coursefs, which is imported under its eyes."""

from __future__ import annotations

from collections.abc import Mapping

#: what a text may begin with, so that the fuzzer need not find it
SEEDS: Mapping[str, tuple[bytes, ...]] = {
    "cml": (b"<co-content><text>x $$a^2$$</text><list><li>y</li></list></co-content>", b"<p>&#65;</p>"),
    "html": (b'<a href="https://x.example">x</a><table><tr><td>1</td></tr></table>',),
    "formulas": (rb"\(a+b\) \[ \frac{1}{2} \]", b"$$x$$"),
    "coursera": (
        b'{"elements":[{"id":"a~b","courseId":"b"}],"linked":{"courses.v1":[{"id":"b"}]},"paging":{"next":"5"}}',
    ),
    "openedx": (
        b'{"root":"block-v1:a+b+c+type@course+block@course","blocks":{}}',
        b'{"results":[],"access_token":"x"}',
    ),
    "panopto": (
        b'{"Results":[{"Id":"x","Name":"y"}],"Delivery":{"PodcastStreams":[{"StreamUrl":"https://x.example"}]}}',
    ),
    "heads": (b'content-range: bytes 0-5/9\nretry-after: 5\nlast-modified: Thu, 01 Jan 2026 00:00:00 GMT\netag: "x"',),
    "settings": (b'[cache]\nmax_size = "20GiB"\n[accounts.x]\nprovider = "coursera"\n',),
    "cookies": (
        b".coursera.org\tTRUE\t/\tTRUE\t1999999999\tCAUTH\tx\n",
        b'[{"name":"CAUTH","value":"x","domain":".coursera.org","expirationDate":1999999999.5}]',
        b'{"cookies":[{"Name raw":"CAUTH","Content raw":"x","Host raw":"https://.coursera.org/"}]}',
        b"Cookie: a=b; CAUTH=x",
    ),
    "small": (b"20GiB", b"uid=5,cache_dir=/x", b"01 A title"),
    "mounts": (rb"a\040b",),
}
