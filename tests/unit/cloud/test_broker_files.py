"""The local broker differs from the shipped configuration in ports, places and user, and in nothing else."""

import itertools

import pytest

from digiscope_cloud.local.broker_files import BrokerPorts, password_line, render
from digiscope_cloud.local.parts import find_broker_files
from digiscope_shared.errors import SettingsError

PORTS = BrokerPorts(tls=20001, plain=20002, websockets=20003)
PLACES = {
    option: f"/elsewhere/{option}"
    for option in ("password_file", "acl_file", "persistence_location", "cafile", "crlfile", "certfile", "keyfile")
}
REPLACED = {"listener", "user", *PLACES}


def shipped() -> str:
    return (find_broker_files() / "mosquitto.conf").read_text(encoding="utf-8")


def test_every_line_but_ports_places_and_user_stays_as_shipped() -> None:
    before = shipped().splitlines()
    after = render(shipped(), ports=PORTS, places=PLACES | {"user": "root"}).splitlines()
    assert len(after) == len(before)
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert {old.split()[0] for old, _ in changed} == REPLACED
    assert len(changed) == len(REPLACED) + 2  # three listeners
    assert all(old.split()[0] == new.split()[0] for old, new in changed)


def test_every_shipped_option_is_explained_where_it_first_comes() -> None:
    lines = shipped().splitlines()
    seen: set[str] = set()
    bare = []
    for above, line in itertools.pairwise(lines):
        option = line.split(" ")[0]
        if line and not line.startswith("#") and option not in seen and not above.startswith("# "):
            bare.append(line)
        seen.add(option)
    assert bare == []


@pytest.mark.parametrize(
    "conf", [shipped().replace("listener 8883\n", ""), shipped() + "user nobody\n"], ids=["missing", "twice"]
)
def test_a_line_that_is_missing_or_there_twice_is_an_error(conf: str) -> None:
    with pytest.raises(SettingsError, match="expected one line"):
        render(conf, ports=PORTS, places=PLACES | {"user": "root"})


def test_a_password_line_holds_no_password_and_a_salt_of_its_own() -> None:
    first, second = password_line("clinic", "secret"), password_line("clinic", "secret")
    assert first.startswith("clinic:$7$101$")
    assert "secret" not in first
    assert first != second
