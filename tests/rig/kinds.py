"""The engines that a host of the rig may run."""

from __future__ import annotations

from dataclasses import dataclass

from tests.rig import images

INIT = """
mount -o remount,rw /sys 2>/dev/null
grep -o ' /sys/fs/cgroup[^ ]*' /proc/mounts | while read m; do mount -o remount,bind,rw $m; done
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
  mkdir -p /sys/fs/cgroup/init; xargs -rn1 < /sys/fs/cgroup/cgroup.procs > /sys/fs/cgroup/init/cgroup.procs
  sed 's/ / +/g;s/^/+/' < /sys/fs/cgroup/cgroup.controllers > /sys/fs/cgroup/cgroup.subtree_control
fi
mount --make-rshared /
cat > /usr/local/bin/start-engine <<'X'
#!/bin/sh
rm -f /var/run/docker.pid /run/docker/containerd/*.pid /rig/docker.sock
setsid %s >>/var/log/engine.log 2>&1 </dev/null &
echo $! > /run/engine.pid
X
cat > /usr/local/bin/to-port <<'X'
#!/bin/sh
read port; exec busybox nc 127.0.0.1 "$port"
X
chmod +x /usr/local/bin/*; start-engine
exec socat -t 60 UNIX-LISTEN:/rig/loopback.sock,fork,mode=666 EXEC:to-port
"""
"""What a host runs first. The shared folder, closed to all but its owner, holds two sockets: the engine's, and one that
leads to any port of the host's loopback."""


@dataclass(frozen=True)
class Kind:
    """An engine: the image of its host, the command that starts it, and the folder of its data."""

    recipe: images.Recipe
    engine: str
    data: str = "/var/lib/docker"

    @property
    def init(self) -> str:
        """The shell script that is the host's first program."""
        return INIT % self.engine


DOCKERD = "dockerd -H unix:///var/run/docker.sock -H unix:///rig/docker.sock -G $(stat -c %g /rig) --live-restore"
PODMAN = """sh -c '
  (until chmod 666 /rig/docker.sock; do sleep 0.02; done) 2>/dev/null &
  exec podman system service --time=0 unix:///rig/docker.sock'"""
DEFAULT = "docker-28.5"
KINDS = {
    DEFAULT: Kind(images.HOST, DOCKERD),
    "docker-20.10": Kind(images.OLD_HOST, DOCKERD),
    "podman-5.8": Kind(images.PODMAN_HOST, PODMAN, "/var/lib/containers"),
}
"""By the name that a test asks for; the newer two are what Debian's testing has, so their versions move."""
