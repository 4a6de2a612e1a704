"""The transport of nodes that a robot must be able to lose."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ament_index_python.packages import get_package_share_directory

CHOICES = ("FASTDDS_BUILTIN_TRANSPORTS", "FASTRTPS_DEFAULT_PROFILES_FILE")
"""Environment variables by which a user chooses the transports of Fast DDS."""


def without_shared_memory(environment: Mapping[str, str], middleware: str) -> dict[str, str]:
    """The environment variables that have a participant of Fast DDS speak over UDP alone.

    A process that is killed while it holds the lock of a port in shared memory leaves whoever writes there waiting for
    ever (eProsima/Fast-DDS#5469): a gate that waits stops nothing, a driver that waits moves nothing.

    Empty where the user chose transports, named peers (which the profile below cannot), or has another `middleware`
    (the identifier of the RMW implementation).
    """
    if not middleware.startswith("rmw_fastrtps") or any(environment.get(name) for name in CHOICES):
        return {}
    localhost_only = environment.get("ROS_LOCALHOST_ONLY") == "1"
    if not localhost_only and environment.get("ROS_AUTOMATIC_DISCOVERY_RANGE") != "LOCALHOST":
        return {"FASTDDS_BUILTIN_TRANSPORTS": "UDPv4"}
    if environment.get("ROS_STATIC_PEERS"):
        return {}
    # rmw_fastrtps gives this range transports of its own, whatever Fast DDS was told; a profile has to stand in for it.
    profile = Path(get_package_share_directory("dvf_ros")) / "config" / "fastdds_localhost.xml"
    variables = {"FASTRTPS_DEFAULT_PROFILES_FILE": str(profile), "ROS_AUTOMATIC_DISCOVERY_RANGE": "SYSTEM_DEFAULT"}
    return variables | ({"ROS_LOCALHOST_ONLY": "0"} if localhost_only else {})
