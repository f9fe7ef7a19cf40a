"""`digiscope-edge`: the agent, and what another terminal may ask of it."""

# ruff: noqa: PLC0415 (a subcommand imports only what it needs: `status` loads neither OpenCV nor a model)

import sys
from pathlib import Path
from typing import Any, Final

import click

from digiscope_edge.settings import DEFAULT_FILE, AgentSettings, load_settings
from digiscope_shared import logs
from digiscope_shared.errors import DigiScopeError, SettingsError
from digiscope_shared.lesions import DISCLAIMER

EXIT_CODES: Final = """
\b
Exit codes:
  0  done
  1  failed: an image was refused or rejected, or not answered in time
  2  usage, settings or model bundle: the message says what to mend
  3  the broker was not reached
  4  another agent uses this device id or this state directory
"""
EXIT_FAILED, EXIT_SETTINGS, EXIT_UNREACHABLE, EXIT_TAKEN = 1, 2, 3, 4


class Cli(click.Group):
    """Errors that a person can mend end in one line and an exit code, not in a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        from digiscope_edge.adapters.state_dir_lock import StateDirTakenError

        try:
            return super().invoke(ctx)
        except StateDirTakenError as error:
            click.echo(f"digiscope-edge: {error}", err=True)
            sys.exit(EXIT_TAKEN)
        except DigiScopeError as error:
            click.echo(f"digiscope-edge: {error}", err=True)
            sys.exit(EXIT_SETTINGS)


@click.group(cls=Cli, epilog=EXIT_CODES)
@click.version_option(package_name="digiscope-edge")
@click.option(
    "--settings",
    "settings_path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=DEFAULT_FILE,
    show_default=True,
    envvar="DIGISCOPE_EDGE_SETTINGS",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="Default: info, and on a terminal, where the table tells the rest, warning.",
)
@click.pass_context
def main(ctx: click.Context, settings_path: Path, log_level: str | None) -> None:
    """DigiScope's device agent. Research use only, not a diagnosis."""
    ctx.obj = settings_path
    on_terminal = sys.stdout.isatty() and sys.stderr.isatty()
    logs.configure(level=log_level or ("warning" if on_terminal else "info"))


def settings_of(ctx: click.Context) -> AgentSettings:
    assert isinstance(ctx.obj, Path)
    return load_settings(ctx.obj)


@main.command(epilog=EXIT_CODES)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--exit-when-answered", is_flag=True, help="End when every given file is answered.")
@click.option("--deadline", "deadline_s", type=float, default=None, help="With --exit-when-answered, seconds to wait.")
@click.option("--journal", type=click.Path(path_type=Path, dir_okay=False), help="Append every event, as JSON lines.")
@click.pass_context
def run(
    ctx: click.Context,
    files: tuple[Path, ...],
    *,
    exit_when_answered: bool,
    deadline_s: float | None,
    journal: Path | None,
) -> None:
    """Run the agent: camera, outbox, uplink, terminal.

    \b
    Examples:
      digiscope-edge --settings edge.yaml run
      digiscope-edge --settings edge.yaml run *.jpg --exit-when-answered --deadline 60
    """
    from digiscope_edge.run_command import run_agent

    settings = settings_of(ctx)
    sys.exit(run_agent(settings, files, exit_when_answered=exit_when_answered, deadline_s=deadline_s, journal=journal))


@main.command(epilog=EXIT_CODES)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--subject", default="", help="The patient's pseudonym; never a name.")
@click.option("--lesion", default="", help="The lesion's pseudonym.")
@click.option("--site", default="", help="Where on the body.")
@click.option("--age", type=int, default=None)
@click.option("--sex", type=click.Choice(["male", "female", "other", "unknown"]), default=None)
@click.option("--frame-width-mm", type=float, default=None, help="What the optics show from left to right.")
@click.option("--wait", "wait_s", type=float, default=0.0, help="Seconds to wait for the results.")
@click.pass_context
def capture(ctx: click.Context, /, files: tuple[Path, ...], wait_s: float, **details: Any) -> None:
    """Put images into the outbox, or with no FILE ask the running agent's camera for one.

    Works with and without a running agent; without one, the captures wait for it.

    \b
    Examples:
      digiscope-edge capture left-arm.jpg --subject S-17 --lesion L-2 --site forearm
      digiscope-edge capture
    """
    from digiscope_edge.capture_command import ask_camera, capture_files

    settings = settings_of(ctx)
    if not files:
        sys.exit(ask_camera(settings))
    given = {name: value for name, value in details.items() if value is not None}
    sys.exit(capture_files(settings, files, given, wait_s=wait_s))


@main.command()
@click.option("--source", default="", help="Camera number, URL or video file; default: the settings' camera.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Who may look: it shows patients.")
@click.option("--port", type=int, default=8090, show_default=True)
@click.pass_context
def preview(ctx: click.Context, source: str, host: str, port: int) -> None:
    """Show the camera in a browser, with the lesion's outline and what to do better.

    \b
    Examples:
      digiscope-edge preview
      digiscope-edge preview --source http://phone:8080/video
    A local camera belongs to one process at a time: stop the agent, or preview a stream.
    """
    from digiscope_edge.camera_settings import CameraSettings
    from digiscope_edge.preview_command import show_preview

    sys.exit(show_preview(CameraSettings(source=source) if source else settings_of(ctx).camera, host, port))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def status(ctx: click.Context, *, as_json: bool) -> None:
    """Show outbox, connection, camera, config and model; exit code 3 where no agent runs."""
    from digiscope_edge.status_command import show_status

    sys.exit(show_status(settings_of(ctx), as_json=as_json))


@main.command(epilog=EXIT_CODES)
@click.argument("capture_id")
@click.option("--journal", type=click.Path(path_type=Path, dir_okay=False), help="What `run --journal` wrote: when.")
@click.option("--json", "as_json", is_flag=True, help="For `digiscope-cloud trace --device-account`: JSON lines.")
@click.pass_context
def trace(ctx: click.Context, capture_id: str, *, journal: Path | None, as_json: bool) -> None:
    """Say how far a capture is, who holds it, and what comes next; exit code 1 where it isn't known.

    \b
    Examples:
      digiscope-edge trace 019a2b3c-…
      digiscope-edge trace 019a2b3c-… --journal agent.jsonl --json > account.jsonl
    """
    from digiscope_edge.trace_command import trace_capture

    sys.exit(trace_capture(settings_of(ctx), capture_id, journal=journal, as_json=as_json))


@main.group()
def outbox() -> None:
    """Look at what waits for the cloud."""


@outbox.command("list")
@click.option("--all", "show_all", is_flag=True, help="Stored and answered captures too.")
@click.option("--json", "as_json", is_flag=True, help="For machines: one JSON object a line.")
@click.pass_context
def list_captures(ctx: click.Context, *, show_all: bool, as_json: bool) -> None:
    """List captures whose image is still on this device."""
    from digiscope_edge.status_command import list_outbox

    list_outbox(settings_of(ctx), show_all=show_all, as_json=as_json)


@outbox.command()
@click.argument("capture_ids", nargs=-1, required=True)
@click.confirmation_option(prompt="Delete the only copy that this device knows of?")
@click.pass_context
def discard(ctx: click.Context, capture_ids: tuple[str, ...]) -> None:
    """Delete the images of rejected or unreadable captures for good."""
    from digiscope_edge.status_command import discard_captures

    sys.exit(discard_captures(settings_of(ctx), capture_ids))


_FOLDER = click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_FILE.parent,
    show_default=True,
    help="Where key, certificate and settings lie; the files go to whom it belongs.",
)


@main.command("enroll-request")
@click.argument("device_id")
@_FOLDER
def enroll_request(device_id: str, folder: Path) -> None:
    """Make a key that never leaves this device, and a request for its certificate.

    \b
    Example:
      digiscope-edge enroll-request clinic-08
      # there: digiscope-cloud fleet sign-request clinic-08 clinic-08.csr --out clinic-08.tar
    """
    from digiscope_edge.enrolment import make_request

    click.echo(f"{make_request(device_id, folder)}: have it signed; then `digiscope-edge enroll PACKAGE` here")


@main.command()
@click.argument("package", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@_FOLDER
def enroll(package: Path, folder: Path) -> None:
    """Install the package of `digiscope-cloud fleet enroll`, the first time or to renew.

    \b
    Example:
      digiscope-edge enroll clinic-07.tar && shred -u clinic-07.tar
    """
    from digiscope_edge.enrolment import SETTINGS, install

    device_id, is_new = install(package, folder)
    done = "enrolled" if is_new else "keys renewed, in use from the next connection on"
    click.echo(f"{device_id}: {done}, see {folder / SETTINGS}")


@main.group()
def telemetry() -> None:
    """Carry a wearable's readings."""


@telemetry.command()
@click.option("--subject", required=True, help="The patient's pseudonym; never a name.")
@click.option("--metric", required=True, help="Such as heart-rate.")
@click.option("--value", required=True, type=float)
@click.option("--unit", required=True, help="A UCUM code, such as /min; https://ucum.org")
@click.option("--measured-at", default="", help="ISO 8601; now, where it is missing.")
@click.pass_context
def send(ctx: click.Context, /, **fields: Any) -> None:
    """Keep a reading for the running agent to send; it is on disk when this returns.

    \b
    Example:
      digiscope-edge telemetry send --subject S-17 --metric heart-rate --value 72 --unit /min
    """
    import msgspec

    from digiscope_edge.bootstrap import device_clocks, open_outbox
    from digiscope_shared.messages import TelemetryReading

    fields["measured_at"] = fields["measured_at"] or device_clocks().now_text()
    try:
        reading = msgspec.convert(fields, type=TelemetryReading)
    except msgspec.ValidationError as error:
        raise SettingsError(f"reading refused: {error}") from error
    kept = open_outbox(settings_of(ctx)).add_reading(reading)
    click.echo(f"reading {kept.sequence} kept ({DISCLAIMER})")


if __name__ == "__main__":
    main()
