"""Shadows for people and machines, on standard output."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table

from digiscope_cloud.fleet.desired import is_behind
from digiscope_cloud.fleet.reported import ReportedState
from digiscope_shared.lesions import DISCLAIMER
from digiscope_shared.messages import DesiredConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """Both halves of one device."""

    device_id: str
    desired: DesiredConfig | None
    reported: ReportedState | None

    @property
    def config_status(self) -> str:
        """Say where the device is with the desired config: `none`, `unheard`, `refused`, `pending` or `applied`."""
        if self.desired is None:
            return "none"
        if self.reported is None:
            return "unheard"
        if is_behind(self.reported.state, self.desired):
            return "pending"
        return "applied" if self.reported.state.config_version >= self.desired.version else "refused"


def show_desired(device_id: str, desired: DesiredConfig, *, as_json: bool) -> None:
    if as_json:
        _show_json({"device_id": device_id, "desired": desired})
    else:
        click.echo(f"{device_id}: version {desired.version} is desired and was sent")


def show_shadow(shadow: Shadow, *, as_json: bool) -> None:
    if as_json:
        _show_json(_machine_readable(shadow))
        return
    table = Table("", "desired", "reported", title=f"{shadow.device_id}: config {shadow.config_status}")
    for name, desired, reported in _rows(shadow):
        table.add_row(name, desired, reported)
    _show(table)


def show_devices(shadows: Sequence[Shadow], *, as_json: bool) -> None:
    if as_json:
        _show_json([_machine_readable(shadow) for shadow in shadows])
        return
    table = Table("device", "lifecycle", "heard", "config", "outbox", "camera")
    for shadow in shadows:
        state = shadow.reported.state if shadow.reported else None
        table.add_row(
            shadow.device_id,
            str(state.lifecycle) if state else "unheard",
            shadow.reported.received_at[:19] if shadow.reported else "",
            shadow.config_status,
            str(state.outbox_captures) + (" full" if state.outbox_full else "") if state else "",
            state.camera.state if state and state.camera else "",
        )
    _show(table)


def _rows(shadow: Shadow) -> list[tuple[str, str, str]]:
    desired, state = shadow.desired, shadow.reported.state if shadow.reported else None
    rows = [
        ("version", str(desired.version) if desired else "", str(state.config_version) if state else ""),
        ("model", desired.model_digest[:12] if desired else "", state.model_digest[:12] if state else ""),
    ]
    rows += [(key, repr(value), "") for key, value in _flat(desired.config if desired else {})]
    if state is not None and state.config_refused is not None:
        rows.append(("refused", f"version {state.config_refused.version}", state.config_refused.detail))
    if state is not None and shadow.reported is not None:
        rows.append(("lifecycle", "", f"{state.lifecycle}, heard {shadow.reported.received_at[:19]}"))
    return rows


def _flat(config: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for key, value in config.items():
        rows += _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else [(prefix + key, value)]
    return rows


def _machine_readable(shadow: Shadow) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(shadow)
    return {**fields, "config_status": shadow.config_status}


def _show_json(value: Any) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(value)).decode())


def _show(table: Table) -> None:
    table.caption = DISCLAIMER
    Console().print(table)
