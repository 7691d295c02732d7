"""Defines how the run's pod of a FineTuneJob finds the addresses of names."""

from ipaddress import IPv4Address, ip_address
from typing import Annotated

from pydantic import Field

from finscribe_core.api.base import NAME_PATTERN, NO_SPACES, KubeModel, Rule, pattern

_HostName = Annotated[str, Field(pattern=NAME_PATTERN, max_length=253)]
_ADDRESS = pattern(r"^[0-9a-fA-F.:]{2,45}$", "an IP address")


def _is_address(text: str) -> bool:
    """Whether the text is an IP address as the API server parses one: not one of IPv4 in the form of IPv6."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return isinstance(address, IPv4Address) or address.ipv4_mapped is None


class HostAlias(KubeModel):
    """An entry of the pod's /etc/hosts."""

    ip: Annotated[str, Field(pattern=_ADDRESS, max_length=45)]
    """IP address."""
    hostnames: Annotated[list[_HostName], Field(min_length=1, max_length=16)]
    """Names of the address."""

    rules = (
        Rule(
            cel="isIP(self.ip)",
            check=lambda a: _is_address(a.ip),
            message="pod.hostAliases need a valid IP address as ip",
        ),
    )


class DnsOption(KubeModel):
    """An option of the pod's /etc/resolv.conf."""

    name: Annotated[str, Field(pattern=NO_SPACES, max_length=63)]
    """Its name, such as ndots."""
    value: Annotated[str, Field(pattern=NO_SPACES, max_length=63)] | None = None
    """Its value."""


class DnsConfig(KubeModel):
    """What is added to the pod's /etc/resolv.conf."""

    nameservers: (
        Annotated[list[Annotated[str, Field(pattern=_ADDRESS, max_length=45)]], Field(max_length=3)] | None
    ) = None
    """IP addresses of name servers."""
    searches: Annotated[list[_HostName], Field(max_length=32)] | None = None
    """Domains in which short names are searched."""
    options: Annotated[list[DnsOption], Field(max_length=16)] | None = None
    """Options of the resolver."""

    rules = (
        Rule(
            cel="!has(self.nameservers) || self.nameservers.all(n, isIP(n))",
            check=lambda c: all(_is_address(address) for address in c.nameservers or []),
            message="pod.dnsConfig.nameservers must be valid IP addresses",
        ),
    )
