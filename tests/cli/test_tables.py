from engine.cli.tables import listing


def test_nested_things_are_listed_in_indented_lines():
    value = {
        "name": "guild:1",
        "none": None,
        "empty": [],
        "state": {"on": True, "by": [{"a": 1, "b": "x"}, 2, []]},
    }
    assert (
        "\n".join(listing(value))
        == """\
name: guild:1
none:
empty: []
state:
  on: true
  by:
    - a: 1
      b: x
    - 2
    - """
    )
