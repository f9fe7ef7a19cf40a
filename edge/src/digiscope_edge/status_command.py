"""`digiscope-edge status` and `outbox`: what another terminal sees, from the outbox and the agent's own account."""

from pathlib import Path
from typing import Any

import click
import msgspec

from digiscope_edge.adapters.state_dir_lock import is_running
from digiscope_edge.bootstrap import STATUS_FILE, device_clocks, open_outbox
from digiscope_edge.captures import HeldCapture
from digiscope_edge.settings import AgentSettings
from digiscope_edge.state_report import AgentStatus, read_status
from digiscope_shared.lesions import DISCLAIMER

# Several heartbeats missed: the process is there and its loop isn't.
STALE_S = 10.0
EXIT_NOT_RUNNING = 3


def show_status(settings: AgentSettings, *, as_json: bool) -> int:
    """Print the status; return the exit code."""
    state_dir = Path(settings.state_dir)
    running = is_running(state_dir)
    outbox = open_outbox(settings)
    load, memory, status = outbox.load(), outbox.config(), read_status(state_dir / STATUS_FILE)
    fields: dict[str, Any] = {
        "device_id": settings.device_id,
        "running": running,
        "responding": running and status is not None and _age_s(status) < STALE_S,
        "connected": running and status is not None and status.connected,
        "link_detail": status.link_detail if running and status else "",
        "outbox": msgspec.to_builtins(load) | {"orphans": outbox.orphans()},
        "readings_waiting": len(outbox.readings(after=0, limit=1_000_000)),
        "config_version": memory.applied.version if memory.applied else 0,
        "config_refused": f"{memory.refused_version}: {memory.refused_detail}" if memory.refused_version else "",
        "model_digest": status.device_state.model_digest if status else "",
        "camera": msgspec.to_builtins(status.device_state.camera) if running and status else None,
        "fleet_known": bool(settings.trusted_keys_file),
        "disclaimer": DISCLAIMER,
    }
    click.echo(msgspec.json.encode(fields).decode() if as_json else _text(fields))
    return 0 if running else EXIT_NOT_RUNNING


def list_outbox(settings: AgentSettings, *, show_all: bool, as_json: bool) -> None:
    outbox = open_outbox(settings)
    captures = outbox.newer_than(0) if show_all else outbox.held()
    for capture in captures:
        fields = _capture_fields(capture)
        click.echo(
            msgspec.json.encode(fields).decode() if as_json else "  ".join(str(value) for value in fields.values())
        )
    if not as_json:
        click.echo(f"{len(captures)} captures ({DISCLAIMER})")


def discard_captures(settings: AgentSettings, capture_ids: tuple[str, ...]) -> int:
    outbox = open_outbox(settings)
    kept = 0
    for capture_id in capture_ids:
        discarded = outbox.discard(capture_id)
        kept += not discarded
        click.echo(f"{capture_id}: {'discarded' if discarded else 'kept: neither rejected nor unreadable'}")
    return 1 if kept else 0


def _age_s(status: AgentStatus) -> float:
    return device_clocks().monotonic_s() - status.written_at_s


def _capture_fields(capture: HeldCapture) -> dict[str, Any]:
    attributes = capture.attributes
    return {
        "sequence": attributes.sequence,
        "capture_id": attributes.capture_id,
        "state": capture.state,
        "image": capture.image,
        "image_bytes": attributes.image_bytes,
        "captured_at": attributes.captured_at,
        "reason": capture.reason,
        "detail": capture.detail,
    }


def _text(fields: dict[str, Any]) -> str:
    load = fields["outbox"]
    agent = "runs" if fields["responding"] else "runs, but doesn't respond" if fields["running"] else "isn't running"
    camera = fields["camera"] or {"state": "unknown", "detail": ""}
    lines = {
        "device": fields["device_id"],
        "agent": agent,
        "link": "connected" if fields["connected"] else f"not connected {fields['link_detail']}",
        "outbox": f"{load['captures']} captures, {load['held_bytes']} bytes{', FULL' if load['full'] else ''}",
        "attention": f"{load['rejected']} rejected, {load['unreadable']} unreadable, {load['orphans']} orphans",
        "readings": f"{fields['readings_waiting']} wait",
        "camera": f"{camera['state']} {camera.get('detail', '')}".strip(),
        "config": f"version {fields['config_version']}" + (f", refused {r}" if (r := fields["config_refused"]) else ""),
        "fleet": "known: obeys what it signed"
        if fields["fleet_known"]
        else "unknown: OBEYS ANY CONFIG (local use only)",
        "model": fields["model_digest"] or "none: no preliminary results",
    }
    return "\n".join([*(f"{name:<10} {value}" for name, value in lines.items()), DISCLAIMER])
