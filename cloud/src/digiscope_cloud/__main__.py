"""`digiscope-cloud`: one command for each process and tool; a subcommand imports only what it needs."""

from importlib import import_module
from typing import Final

import click

# Subcommand to "module:command" and what the list of commands says of it. A module is imported when its command runs,
# and its extra must be installed then; listing imports none, for one of them is TensorFlow.
COMMANDS: Final = {
    "bridge": ("bridge.__main__:bridge", "Carry messages between MQTT and Google Cloud."),
    "worker": ("worker.__main__:worker", "Analyse captures."),
    "fleet": ("fleet.__main__:fleet", "Configure and enroll devices, see what they report."),
    "provision": ("fleet.provision_command:provision", "Create topics, subscriptions, dead letters and bucket."),
    "dead-letters": ("dead_letters.__main__:dead_letters", "Look at what failed; replay or drop it."),
    "trace": ("trace.__main__:trace", "Say where a capture is, and who holds it."),
    "audit-log": ("audit_log.__main__:audit_log", "Check and read the log of who did what."),
    "drill": ("drill.__main__:drill", "Prove that nothing is lost: run the system through faults."),
    "local": ("local.__main__:local", "Run the whole of DigiScope on this machine."),
    "inspect": ("vision.inspect_command:inspect_image", "Say all that DigiScope sees in one picture."),
    "segment": ("vision.segment_command:segment", "Write the lesion's mask of each picture."),
    "train": ("learning.train_command:train", "Train, calibrate, measure and pack a model."),
    "tune": ("learning.tune_command:tune", "Train again with better hyperparameters, until good enough."),
    "folds": ("learning.folds_command:folds", "Train and judge under five folds over lesions."),
    "evaluate": ("learning.evaluate_command:evaluate_command", "Measure a bundle on labelled images."),
    "audit": ("learning.audit_command:audit_command", "Look for held-out images that training has seen."),
    "models": ("learning.model_registry.__main__:models", "Keep bundles, and decide which one serves."),
    "report": ("learning.report.command:report", "Lay the paper's tables and figures beside ours."),
    "train-segmenter": ("learning.segmentation.command:train_segmenter", "Train the lesion segmenter."),
    "segmenter-table": ("learning.vision_tables.command:segmenter_table", "Compare served masks with the true ones."),
    "quality-table": ("learning.vision_tables.command:quality_table", "Count what the quality gate refuses."),
    "likeness-table": ("learning.vision_tables.command:likeness_table", "Count what is refused as no lesion."),
}


class LazyGroup(click.Group):
    """Resolves subcommands by name, https://click.palletsprojects.com/en/stable/complex/#lazily-loading-subcommands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS) if ctx else []

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module_name, _, attribute = COMMANDS[cmd_name][0].partition(":")
        try:
            command = getattr(import_module(f"digiscope_cloud.{module_name}"), attribute)
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
