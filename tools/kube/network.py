"""Sets up the cluster's network on this machine: two bridges, and a firewall that isolates it."""

import json
import shutil
import subprocess
from pathlib import Path

from tools.kube.progress import ToolError

NODE_ADDRESS = "10.245.0.1"
"""Address of the node, of the API server, and of servers that tests run for pods."""
NODE_BRIDGE = "fs0"
POD_BRIDGE = "fs-pods0"
POD_CIDR = "10.244.0.0/24"
POD_GATEWAY = "10.244.0.1/24"
DNS_ADDRESS = "10.96.0.10"

# Pods can reach this machine and each other only; nothing outside this machine can reach the cluster.
FIREWALL = f"""
table inet finscribe
delete table inet finscribe
table inet finscribe {{
  chain from_outside {{
    type filter hook prerouting priority raw; policy accept;
    iifname {{ "lo", "{NODE_BRIDGE}", "{POD_BRIDGE}" }} accept
    ip daddr {{ {NODE_ADDRESS}, {POD_CIDR}, 10.96.0.0/16 }} drop
  }}
  chain to_outside {{
    type filter hook forward priority filter; policy accept;
    iifname "{POD_BRIDGE}" oifname != {{ "{NODE_BRIDGE}", "{POD_BRIDGE}" }} reject
    ip saddr {{ {POD_CIDR}, 10.96.0.0/16 }} oifname != {{ "{NODE_BRIDGE}", "{POD_BRIDGE}" }} reject
  }}
}}
"""
# The firewall, and the tables that kube-proxy does not remove when it ends.
TABLES = (("inet", "finscribe"), ("ip", "kube-proxy"), ("ip6", "kube-proxy"))
SYSCTLS = (
    "net.ipv4.ip_forward=1",
    "net.bridge.bridge-nf-call-iptables=1",
    "vm.overcommit_memory=1",
    "fs.inotify.max_user_instances=8192",
)


def create_network() -> None:
    """Create bridges, routes and firewall; those that exist are kept."""
    for bridge, address in ((NODE_BRIDGE, f"{NODE_ADDRESS}/32"), (POD_BRIDGE, POD_GATEWAY)):
        if not _exists(bridge):
            _ip("link", "add", bridge, "type", "bridge")
            _ip("address", "add", address, "dev", bridge)
            _ip("link", "set", bridge, "up")
    # Keeps packets to a service address that kube-proxy does not know off the outside interface.
    _ip("route", "replace", "10.96.0.0/16", "dev", NODE_BRIDGE)
    if shutil.which("modprobe"):
        # A kernel module on most machines; without it pods can't reach each other by service address.
        subprocess.run(["modprobe", "br_netfilter"], capture_output=True, check=False)
    subprocess.run(["sysctl", "--quiet", "--write", *SYSCTLS], check=True)
    subprocess.run(["nft", "--file", "-"], input=FIREWALL, text=True, check=True)


def remove_network() -> None:
    """Remove what `create_network`, the CNI plugins and kube-proxy created."""
    if _exists(POD_BRIDGE):
        shown = subprocess.run(
            ["ip", "-json", "link", "show", "master", POD_BRIDGE], capture_output=True, text=True, check=True
        ).stdout
        for link in json.loads(shown or "[]"):
            _delete(link["ifname"])
    for bridge in (POD_BRIDGE, NODE_BRIDGE):
        _delete(bridge)
    for family, table in TABLES:
        subprocess.run(["nft", "delete", "table", family, table], capture_output=True, check=False)


def cni_config(state: Path) -> str:
    """Configuration of the CNI plugins; no masquerade, because pods may not reach other machines."""
    ipam = {
        "type": "host-local",
        "ranges": [[{"subnet": POD_CIDR}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": str(state / "cni-addresses"),
    }
    bridge = {
        "type": "bridge",
        "bridge": POD_BRIDGE,
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": ipam,
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return json.dumps({"cniVersion": "1.0.0", "name": "finscribe", "plugins": [bridge, portmap]}, indent=1)


def _exists(link: str) -> bool:
    return Path(f"/sys/class/net/{link}").exists()


def _delete(link: str) -> None:
    """Delete a link if it exists: a pod's link can disappear at any moment, with its network namespace."""
    command = ["ip", "link", "delete", link]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and _exists(link):
        raise ToolError(f"{' '.join(command)}: {done.stderr.strip()}")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
