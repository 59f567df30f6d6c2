import tomllib

import pytest

from engine.config.lines import Lines, Path

TEXT = '''\
# a comment with [site] in it
top = 1
[site]  # the header
id = "x"
dotted.inner = 2
"quoted key" = """
[asset]
id = 3
"""
many = [
  [1],
  [2],
]

[[asset]]
id = "first"
"name" = "\u2028"
[ocpp.tls]
cert = "a"
[[asset]]
id = "second"
  [asset.sub]
  deep = { inline = 1 }
  [[asset.part]]
  n = 1
  [[asset.part]]
  n = 2
[ocpp]
listen = "y"
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 2),
        (("site",), 3),
        (("site", "id"), 4),
        (("site", "dotted", "inner"), 5),
        (("site", "quoted key"), 6),
        (("site", "many"), 10),
        (("asset", 0), 15),
        (("asset", 0, "id"), 16),
        (("asset", 0, "name"), 17),
        (("ocpp",), 18),
        (("ocpp", "tls", "cert"), 19),
        (("asset", 1), 20),
        (("asset", 1, "id"), 21),
        (("asset", 1, "sub", "deep"), 23),
        (("asset", 1, "sub", "deep", "inline"), 23),
        (("asset", 1, "part", 0, "n"), 25),
        (("asset", 1, "part", 1, "n"), 27),
        (("ocpp", "listen"), 29),
        (("asset",), 15),
        (("asset", 1, "absent"), 20),
        (("absent",), None),
        ((), None),
    ],
)
def test_a_key_is_found_on_its_line(path: Path, line: int | None) -> None:
    """Tables in any order, arrays, long texts and comments do not confuse the count."""
    tomllib.loads(TEXT)
    assert Lines(TEXT).of(path) == line


def test_windows_line_ends_count_once() -> None:
    """A file with CR LF has the lines that an editor shows."""
    assert Lines("a = 1\r\n\r\n[b]\r\nc = 2\r\n").of(("b", "c")) == 4
