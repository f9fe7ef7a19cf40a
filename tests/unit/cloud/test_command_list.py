import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from digiscope_cloud.__main__ import COMMANDS, main


def test_the_list_names_every_command() -> None:
    listed = CliRunner().invoke(main, ["--help"]).output
    for name, (_, summary) in COMMANDS.items():
        assert name in listed
        assert summary.split()[0] in listed


def test_listing_imports_neither_tensorflow_nor_google_libraries() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from digiscope_cloud.__main__ import main;"
        "CliRunner().invoke(main, ['--help']); assert not {'tensorflow', 'cv2', 'google.cloud'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_is_where_the_table_says(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.help
