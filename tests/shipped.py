"""The configuration that is shipped with the program."""

from pathlib import Path

SHIPPED = Path(__file__).parents[1] / "config.toml"
