"""`digiscope-cloud`: one command for each process and tool; a subcommand imports only what it needs."""

from importlib import import_module
from typing import Final

import click

# Subcommand to "module:command". A module is imported when its command runs, and its extra must be installed then.
COMMANDS: Final = {
    "audit-log": "digiscope_cloud.audit_log.__main__:audit_log",
    "bridge": "digiscope_cloud.bridge.__main__:bridge",
    "worker": "digiscope_cloud.worker.__main__:worker",
    "fleet": "digiscope_cloud.fleet.__main__:fleet",
    "provision": "digiscope_cloud.fleet.provision_command:provision",
    "drill": "digiscope_cloud.drill.__main__:drill",
    "local": "digiscope_cloud.local.__main__:local",
    "train": "digiscope_cloud.learning.train_command:train",
    "evaluate": "digiscope_cloud.learning.evaluate_command:evaluate_command",
    "audit": "digiscope_cloud.learning.audit_command:audit_command",
    "models": "digiscope_cloud.learning.model_registry.__main__:models",
    "report": "digiscope_cloud.learning.report.command:report",
    "tune": "digiscope_cloud.learning.tune_command:tune",
    "train-segmenter": "digiscope_cloud.learning.segmentation.command:train_segmenter",
    "segment": "digiscope_cloud.vision.segment_command:segment",
    "quality-table": "digiscope_cloud.learning.vision_tables.command:quality_table",
    "likeness-table": "digiscope_cloud.learning.vision_tables.command:likeness_table",
    "segmenter-table": "digiscope_cloud.learning.vision_tables.command:segmenter_table",
    "inspect": "digiscope_cloud.vision.inspect_command:inspect_image",
}


class LazyGroup(click.Group):
    """Resolves subcommands by name, https://click.palletsprojects.com/en/stable/complex/#lazily-loading-subcommands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS) if ctx else []

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module_name, _, attribute = COMMANDS[cmd_name].partition(":")
        try:
            command = getattr(import_module(module_name), attribute)
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("digiscope_cloud"):
                raise
            ctx.fail(f"{cmd_name} needs the package {error.name!r}: install digiscope-cloud with the right extra")
        assert isinstance(command, click.Command)
        return command


@click.group(cls=LazyGroup)
@click.version_option(package_name="digiscope-cloud")
def main() -> None:
    """DigiScope's cloud side. Research use only, not a diagnosis."""


if __name__ == "__main__":
    main()
