"""A certificate authority for one local run, in place of the fleet's own."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from digiscope_cloud.identity import certificates
from digiscope_cloud.identity.certificates import Role
from digiscope_cloud.local.broker_files import write_private

VALID = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFiles:
    cert_file: Path
    key_file: Path


class LocalCa:
    """Signs the broker's and the devices' certificates; all files in `directory` have mode 600."""

    def __init__(self, directory: Path) -> None:
        now = datetime.now(UTC)
        self._directory = directory
        self._authority = certificates.new_authority("local", now)
        self.ca_file = directory / "ca.crt"
        self.crl_file = directory / "crl.pem"
        write_private(self.ca_file, certificates.certificate_pem(self._authority.certificate))
        nothing_revoked = certificates.revocation_list(self._authority, (), number=1, now=now)
        write_private(self.crl_file, certificates.certificate_pem(nothing_revoked))

    def issue_broker(self) -> CertificateFiles:
        """Issue the broker's certificate, for loopback."""
        return self._issue("broker", Role.BROKER, ("localhost", "127.0.0.1"))

    def issue_device(self, identity: str) -> CertificateFiles:
        """Issue a certificate whose common name is the identity that the broker takes."""
        return self._issue(identity, Role.DEVICE)

    def _issue(self, name: str, role: Role, hosts: tuple[str, ...] = ()) -> CertificateFiles:
        key = certificates.new_key()
        certificate = certificates.issue(
            self._authority,
            name=name,
            role=role,
            key=key.public_key(),
            now=datetime.now(UTC),
            validity=VALID,
            hosts=hosts,
        )
        files = CertificateFiles(cert_file=self._directory / f"{name}.crt", key_file=self._directory / f"{name}.key")
        write_private(files.cert_file, certificates.certificate_pem(certificate))
        write_private(files.key_file, certificates.key_pem(key))
        return files
