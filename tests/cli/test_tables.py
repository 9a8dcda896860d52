import io

from rich.console import Console

from engine.cli.tables import Column, listing, table


def test_a_narrow_table_folds_prose_and_never_an_id():
    columns = [Column("GUILD", prose=True), Column("USER")]
    screen = Console(file=io.StringIO(), width=30)
    screen.print(table(columns, [["The Home of Board Gamers", "1446201857021181984"]]))
    lines = screen.file.getvalue().splitlines()
    assert sum("1446201857021181984" in line for line in lines) == 1
    assert len(lines) > 2
    assert "Gamers" in "".join(lines)


def test_names_cannot_command_a_terminal():
    screen = Console(file=io.StringIO(), width=60)
    screen.print(table([Column("GUILD")], [["\x1b[31mred\x07 \U0001f468\u200d\U0001f469 \x9b2J"]]))
    assert screen.file.getvalue().splitlines()[1].rstrip() == " [31mred  \U0001f468\u200d\U0001f469  2J"


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
