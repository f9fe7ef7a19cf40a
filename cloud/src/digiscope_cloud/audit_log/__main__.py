"""`digiscope-cloud audit-log`: is the log whole, and what does it say?"""

import json
import sys
from pathlib import Path

import click
import msgspec

from digiscope_cloud.audit_log import chain
from digiscope_cloud.audit_log.file_audit_log import raw_lines
from digiscope_shared.errors import SettingsError

EXAMPLES = """
\b
Examples:
  digiscope-cloud audit-log verify fleet/audit.jsonl
  digiscope-cloud audit-log verify fleet/audit.jsonl --head 41:9f86d0…   # a head that was kept elsewhere
  digiscope-cloud audit-log show fleet/audit.jsonl --act revoked

Exit codes: 0 whole, 1 something was changed, reordered or is missing, 2 bad usage.
"""
_FILE = click.argument("file", type=click.Path(path_type=Path))


@click.group(name="audit-log", epilog=EXAMPLES)
def audit_log() -> None:
    """Check and read the append-only log of what was accepted, refused, promoted, revoked and reviewed."""


@audit_log.command(epilog=EXAMPLES)
@_FILE
@click.option("--head", "head_text", help="A head printed earlier: finds lines that were cut off at the end.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def verify(file: Path, head_text: str | None, *, as_json: bool) -> None:
    """Name every line that was changed, reordered, repeated or is missing."""
    try:
        expected = chain.parse_head(head_text) if head_text else None
        findings, head = chain.verify(raw_lines(file), expected_head=expected)
    except (ValueError, SettingsError) as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        click.echo(json.dumps({"head": str(head), "findings": msgspec.to_builtins(findings)}, indent=2))
    else:
        for finding in findings:
            click.echo(f"{file}:{finding.line}: {finding.what}")
        verdict = f"{len(findings)} found" if findings else f"whole, {head.sequence} lines"
        click.echo(f"{file}: {verdict}. Head, to keep elsewhere: {head}")
    sys.exit(1 if findings else 0)


@audit_log.command(epilog=EXAMPLES)
@_FILE
@click.option("--act", help="Only this act, such as `revoked`.")
@click.option("--subject", help="Only this device, capture or model.")
@click.option("--json", "as_json", is_flag=True, help="The lines as they are.")
def show(file: Path, act: str | None, subject: str | None, *, as_json: bool) -> None:
    """Print what was done, oldest first. It doesn't check the chain: `verify` does."""
    try:
        for raw in raw_lines(file):
            line = msgspec.json.decode(raw, type=chain.SealedLine)
            if (act and line.act != act) or (subject and line.subject != subject):
                continue
            detail = " ".join(f"{name}={value}" for name, value in line.detail.items())
            click.echo(
                raw.decode() if as_json else f"{line.at}  {line.act:<10} {line.subject}  by {line.actor}  {detail}"
            )
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        click.echo(f"{file}: a line can't be read: {error}. Run `digiscope-cloud audit-log verify`", err=True)
        sys.exit(1)
