"""Enrolling, renewing and revoking: each act changes the register, the list, the broker and the audit log, in order.

The audit line comes before what it allows leaves the house: an act without its line never counts as done.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from digiscope_cloud.audit_log.entries import Act, AuditEntry, AuditLog
from digiscope_cloud.identity import certificates, device_package, fleet_folder
from digiscope_cloud.identity.certificates import Role
from digiscope_cloud.identity.device_package import DevicePackage
from digiscope_cloud.identity.fleet_folder import FleetFolder
from digiscope_cloud.identity.ports import BrokerGate
from digiscope_cloud.identity.register import IssuedCertificate, check_name
from digiscope_shared.errors import SettingsError

_ACT_OF_ISSUE: Final = {False: Act.ENROLLED, True: Act.ROTATED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A package to hand over, and what it holds."""

    certificate: IssuedCertificate
    package: bytes


class FleetAuthority:
    """One operator's hands on one fleet folder."""

    def __init__(self, folder: FleetFolder, *, audit_log: AuditLog, actor: str, now: Callable[[], datetime]) -> None:
        self._folder = folder
        self._audit_log = audit_log
        self._actor = actor
        self._now = now

    def enroll(self, name: str, role: Role, *, hosts: Sequence[str] = ()) -> Issued:
        """Make key and certificate for a new name; SettingsError where it has one that holds: that's `rotate`."""
        key = certificates.new_key()
        return self._issue(name, role, key.public_key(), key_pem=certificates.key_pem(key), hosts=hosts, renews=False)

    def sign_request(self, name: str, request_pem: bytes, *, renews: bool = False) -> Issued:
        """Certify a key that was made on the device and never left it."""
        key = certificates.key_of_request(request_pem, expected_name=name)
        return self._issue(name, Role.DEVICE, key, renews=renews)

    def rotate(self, name: str, role: Role, *, hosts: Sequence[str] = ()) -> Issued:
        """Make a new key and certificate beside the old, which holds until it expires or `revoke_superseded`."""
        key = certificates.new_key()
        return self._issue(name, role, key.public_key(), key_pem=certificates.key_pem(key), hosts=hosts, renews=True)

    def revoke(self, name: str, gate: BrokerGate | None) -> list[IssuedCertificate]:
        """Revoke all that the name holds and show it out; SettingsError where it holds nothing."""
        return self._revoke(name, gate, spare_newest=False)

    def revoke_superseded(self, name: str, gate: BrokerGate | None) -> list[IssuedCertificate]:
        """Revoke all but the newest: the end of a rotation. A device that dials with the newest comes back at once."""
        return self._revoke(name, gate, spare_newest=True)

    def certificates(self) -> list[IssuedCertificate]:
        return list(self._folder.register().issued)

    def _issue(
        self,
        name: str,
        role: Role,
        key: ec.EllipticCurvePublicKey,
        *,
        renews: bool,
        key_pem: bytes = b"",
        hosts: Sequence[str] = (),
    ) -> Issued:
        check_name(name, role)
        now = self._now()
        with self._folder.locked() as register:
            _check_renewal(name, role, register.holding(name, now), renews=renews)
            certificate = certificates.issue(
                self._folder.authority(),
                name=name,
                role=role,
                key=key,
                now=now,
                validity=self._validity(role),
                hosts=hosts,
            )
            issued = _registered(name, role, certificate)
            self._folder.save(register.with_issued(issued), now)
        self._note(_ACT_OF_ISSUE[renews], issued)
        return Issued(certificate=issued, package=device_package.pack(self._package(name, certificate, key_pem), now))

    def _revoke(self, name: str, gate: BrokerGate | None, *, spare_newest: bool) -> list[IssuedCertificate]:
        now = self._now()
        with self._folder.locked() as register:
            holding = register.holding(name, now)
            doomed = holding[:-1] if spare_newest else holding
            # Asked again, for instance because the broker was away: what is on the list already is enforced again.
            if not doomed and (spare_newest or not any(each.name == name for each in register.issued)):
                raise SettingsError(f"{name} holds no certificate that could be revoked")
            self._folder.save(register.with_revoked((each.serial for each in doomed), now), now)
        for each in doomed:
            self._note(Act.REVOKED, each)
        self.enforce(gate, name)
        return doomed

    def enforce(self, gate: BrokerGate | None, name: str) -> None:
        """Bring the list to the broker, then end the connection that stands; TransientError: do it again."""
        if gate is not None:
            gate.refuse(self._folder.read(fleet_folder.REVOCATION_LIST))
            # In this order: a device that is shown out dials again at once and must find the new list.
            gate.cut_off(name)

    def _validity(self, role: Role) -> timedelta:
        settings = self._folder.settings()
        return timedelta(days=settings.device_valid_days if role is Role.DEVICE else settings.service_valid_days)

    def _package(self, name: str, certificate: x509.Certificate, key_pem: bytes) -> DevicePackage:
        broker = self._folder.settings().broker
        return DevicePackage(
            device_id=name,
            broker_host=broker.host,
            broker_port=broker.port,
            ca_pem=self._folder.read(fleet_folder.CA_CERTIFICATE),
            certificate_pem=certificates.certificate_pem(certificate),
            trusted_keys=self._folder.read(fleet_folder.TRUSTED_KEYS),
            key_pem=key_pem,
        )

    def _note(self, act: Act, certificate: IssuedCertificate) -> None:
        detail = {
            "serial": certificate.serial,
            "role": str(certificate.role),
            "not_after": certificate.not_after.isoformat(),
        }
        self._audit_log.append(AuditEntry(act=act, subject=certificate.name, actor=self._actor, detail=detail))


def _check_renewal(name: str, role: Role, holding: list[IssuedCertificate], *, renews: bool) -> None:
    if holding and not renews:
        raise SettingsError(f"{name} is enrolled until {holding[-1].not_after:%Y-%m-%d}; `rotate` renews it")
    if renews and any(each.role is not role for each in holding):
        raise SettingsError(f"{name} is a {holding[-1].role}, not a {role}; revoke it first")


def _registered(name: str, role: Role, certificate: x509.Certificate) -> IssuedCertificate:
    return IssuedCertificate(
        name=name,
        role=role,
        serial=f"{certificate.serial_number:x}",
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )
