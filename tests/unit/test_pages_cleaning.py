"""What may be in a page at all."""

from __future__ import annotations

import pytest

from coursefs.pages import beside_url
from coursefs.pages.cleaning import link_target, plain, safe, with_few_attributes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\r\nb\rc\td\n", "a\nb\nc\td\n"),
        ("a\x00b\x1bc\x7fd\x85e", "abcde"),
        ("zero\u200bwidth\ufeff\u2060", "zerowidth"),
        ("\u202eevil\u202c", "evil\u202c"),
        ("می\u200cخواهم 👩\u200d🎓", "می\u200cخواهم 👩\u200d🎓"),
        ("a\ud800b\uffffc", "abc"),
    ],
)
def test_plain(text: str, expected: str) -> None:
    assert plain(text) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.org/a?b=c#d", "https://example.org/a?b=c#d"),
        ("HTTP://example.org", "HTTP://example.org"),
        ("mailto:a@example.org", "mailto:a@example.org"),
        (" https://example.org/a b.pdf\n", "https://example.org/a%20b.pdf"),
        ("https://example.org/übung", "https://example.org/übung"),
        ("javascript:alert(1)", None),
        ("java\nscript:alert(1)", None),
        ("\x01javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("file:///etc/passwd", None),
        ("coursefs-beside:key", None),
        ("/learn/relative", None),
        ("//example.org/x", None),
        ("https:", None),
        ("http://[", None),
        ("", None),
        (None, None),
    ],
)
def test_link_target(url: str | None, expected: str | None) -> None:
    assert link_target(url) == expected


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p onclick='x()' style='color:red' id=p class=evil>a</p>", "<p>a</p>"),
        ("<script>alert(1)</script><style>p{}</style><p>a", "<p>a</p>"),
        ("<iframe src='https://x.org'></iframe><form><input><button>b</button></form>", "b"),
        ("<a href='javascript:x'>a</a>", '<a rel="noopener noreferrer">a</a>'),
        ("<a href='coursefs-beside:theirs'>a</a>", '<a rel="noopener noreferrer">a</a>'),
        ("<a href='coursefs-beside:ours'>a</a>", '<a href="coursefs-beside:ours" rel="noopener noreferrer">a</a>'),
        ("<img src='https://x.org/i.png' alt=i>", '<img alt="i">'),
        ("<img src='data:image/png,x' srcset='https://x.org/i.png 2x' alt=i>", '<img alt="i">'),
        ("<img src='coursefs-beside:theirs' alt=i>", '<img alt="i">'),
        ("<img src='coursefs-beside:ours' alt=i>", '<img src="coursefs-beside:ours" alt="i">'),
        ("<audio controls autoplay src='https://x.org'></audio>", '<audio controls=""></audio>'),
        ("<svg><script>x</script></svg><p>a</p>", "<p>a</p>"),
        ("<math><mtext><p>a</p></mtext></math>", None),
        ("<math href='javascript:x'><mi href='javascript:x'>x</mi></math>", "<math><mi>x</mi></math>"),
        ("<math><mtext><img src=x onerror=alert(1)></mtext></math>", None),
        ('<pre><code class="language-c++">x</code></pre>', '<pre><code class="language-c++">x</code></pre>'),
    ],
)
def test_safe(html: str, expected: str | None) -> None:
    cleaned = safe(html, beside={beside_url("ours")})
    if expected is not None:
        assert cleaned == expected
    assert "javascript" not in cleaned
    assert "onerror" not in cleaned


@pytest.mark.parametrize(
    "markup",
    [
        """<p a=1 b="x>y" c>hi</p>""",
        '<a href="u" ><b>',
        '<p a="un',
        "<x a = '1' b= c =d>",
        '<p a=""b="">a < b and <c d',
        "<p/><br/>",
    ],
)
def test_tags_of_few_attributes_stay(markup: str) -> None:
    assert with_few_attributes(markup) == markup


@pytest.mark.parametrize("between", [" ", "/", "\n ", ""])
def test_a_tag_keeps_its_first_500_attributes(between: str) -> None:
    attributes = [f'a{number}=">"' for number in range(503)]
    assert with_few_attributes(f"<p {between.join(attributes)}>x</p>") == f"<p {between.join(attributes[:500])}>x</p>"
