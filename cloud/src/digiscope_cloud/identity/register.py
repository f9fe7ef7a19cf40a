"""What was issued, to whom, and how it stands: pure rules over a list that the fleet's folder keeps."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from digiscope_cloud.identity.certificates import Revocation, Role
from digiscope_shared.errors import SettingsError
from digiscope_shared.mqtt_topics import is_device_id

# The last third of its life: time enough for a device that is reached once a month.
RENEW_AFTER: Final = 2 / 3
# What the broker's ACL and password file know as something else than a device; replicas of the bridge have numbers.
RESERVED_NAMES: Final = frozenset({"bridge", "broker", "fleet", "worker", "clinic", "root", "admin"})
RESERVED_START: Final = "bridge-"


class Standing(StrEnum):
    """How a certificate stands now; `renew` still holds, but not for long."""

    VALID = "valid"
    RENEW = "renew"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedCertificate:
    """`serial` in hexadecimal, as OpenSSL prints it; times in UTC."""

    name: str
    role: Role
    serial: str
    not_before: datetime
    not_after: datetime
    revoked_at: datetime | None = None

    def standing(self, now: datetime) -> Standing:
        if self.revoked_at is not None:
            return Standing.REVOKED
        if now >= self.not_after:
            return Standing.EXPIRED
        due = self.not_before + (self.not_after - self.not_before) * RENEW_AFTER
        return Standing.RENEW if now >= due else Standing.VALID

    def holds(self, now: datetime) -> bool:
        return self.standing(now) in (Standing.VALID, Standing.RENEW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """Everything that this authority ever issued; `crl_number` counts the revocation lists."""

    issued: tuple[IssuedCertificate, ...] = ()
    crl_number: int = 0

    def holding(self, name: str, now: datetime) -> list[IssuedCertificate]:
        """Return a name's certificates that hold, newest last."""
        return [each for each in self.issued if each.name == name and each.holds(now)]

    def with_issued(self, certificate: IssuedCertificate) -> "Register":
        return replace(self, issued=(*self.issued, certificate))

    def with_revoked(self, serials: Iterable[str], now: datetime) -> "Register":
        """Mark as revoked; what was revoked before keeps its time."""
        gone = frozenset(serials)
        issued = tuple(
            replace(each, revoked_at=now) if each.serial in gone and each.revoked_at is None else each
            for each in self.issued
        )
        return replace(self, issued=issued, crl_number=self.crl_number + 1)

    def revocations(self, now: datetime, kept_for: timedelta = timedelta(days=1)) -> list[Revocation]:
        """Return what a list must name: the revoked that would not have expired by themselves."""
        return [
            Revocation(serial=int(each.serial, 16), revoked_at=each.revoked_at)
            for each in self.issued
            if each.revoked_at is not None and now < each.not_after + kept_for
        ]


def check_name(name: str, role: Role) -> None:
    """Raise SettingsError where a certificate in this name would be taken for something else."""
    if not is_device_id(name):
        raise SettingsError(f"{name!r} is no name: 1 to 63 of a-z, 0-9, '.', '_', '-', starting with a letter or digit")
    if role is Role.DEVICE and (name in RESERVED_NAMES or name.startswith(RESERVED_START)):
        raise SettingsError(f"{name!r} is the name of a service: a device of that name would get its rights")
