"""Which hosts a webhook may reach."""

from __future__ import annotations

import ipaddress


def matches(host: str, allowed: str) -> bool:
    """Whether `host` is the allowed one, or lies below it when that is `*.example.com`."""
    return host == allowed or (allowed.startswith("*.") and host.endswith(allowed[1:]))


def public(address: str) -> bool:
    """Whether an IP address belongs to the internet at large, and not to this machine or its network."""
    found = ipaddress.ip_address(address.split("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        # an IPv4 address in the clothes of IPv6 reaches the same machine
        inner = found.ipv4_mapped or found.sixtofour
        if inner is None and found in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return public(str(inner))
    return found.is_global and not found.is_multicast
