"""A SLURM of its own on this machine: two virtual nodes and two partitions, without systemd, cgroups or a database."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from side_by_side import free_ports

INSTALL = "apt-get install --no-install-recommends slurm-wlm munge"
NODES = ("near", "far")
CPUS = 4


def lacking() -> str:
    """Why it cannot be started here, or ''."""
    if os.geteuid():
        return "the daemons are started as root"
    absent = [name for name in ("slurmctld", "slurmd", "munged", "sbatch", "runuser") if not shutil.which(name)]
    return f"there is no {absent[0]}: {INSTALL}" if absent else ""


def until(true: Callable[[], object], what: str, seconds: float = 180):
    """Wait for what is true; its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(0.3)
    raise AssertionError(f"{what}: not within {seconds:.0f} s")


class Cluster:
    """Started in a folder; every process is ended by the number in its own file."""

    def __init__(self, root: Path):
        self.root, self.conf = root, root / "slurm.conf"
        self._ports = dict(zip(("ctld", *NODES), free_ports(1 + len(NODES)), strict=True))

    def start(self) -> None:
        """Returns when all nodes are idle."""
        for name in ("run", "log", "state", "munge"):
            (self.root / name).mkdir(parents=True)
        self._munge()
        self.conf.write_text(self._config())
        os.environ["SLURM_CONF"] = str(self.conf)
        subprocess.run(["slurmctld"], check=True)
        for node in NODES:
            self.begin(node)
        until(lambda: self.said("sinfo", "-h", "-N", "-o", "%T").split().count("idle") >= len(NODES), "idle nodes", 60)

    def begin(self, node: str) -> None:
        """Start the daemon of a node."""
        subprocess.run(["slurmd", "-N", node], check=True)

    def fail(self, node: str) -> None:
        """End the daemon of a node as a crash would; what runs there goes on."""
        os.kill(int((self.root / "run" / f"slurmd-{node}.pid").read_text()), signal.SIGKILL)

    def stop(self) -> None:
        """End everything."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self.said("scancel", "--user=root")
            until(lambda: not self.said("squeue", "-h").split(), "an empty queue", 60)
        for path in (self.root / "run").glob("*.pid"):
            with contextlib.suppress(OSError, ValueError):
                os.kill(int(path.read_text()), signal.SIGTERM)
        time.sleep(1)
        os.environ.pop("SLURM_CONF", None)

    def said(self, *words: str) -> str:
        """What a command prints."""
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout

    def _munge(self) -> None:
        place, run = self.root / "munge", self.root / "run"
        (place / "key").write_bytes(os.urandom(1024))
        for path in (place, place / "key"):
            shutil.chown(path, "munge", "munge")
        place.chmod(0o755)
        (place / "key").chmod(0o400)
        words = ["runuser", "-u", "munge", "--", "munged", "--force", f"--key-file={place}/key"]
        words += [f"--socket={place}/socket", f"--pid-file={place}/pid", f"--log-file={place}/log"]
        subprocess.run([*words, f"--seed-file={place}/seed"], check=True)
        (run / "munged.pid").symlink_to(place / "pid")

    def _config(self) -> str:
        root, host = self.root, socket.gethostname().partition(".")[0]
        each = f"NodeHostname={host} NodeAddr=127.0.0.1 CPUs={CPUS} RealMemory=4000"
        nodes = [f"NodeName={node} {each} Port={self._ports[node]}" for node in NODES]
        return "\n".join([
            "ClusterName=loopback",
            "SlurmctldHost=localhost(127.0.0.1)",
            f"SlurmctldPort={self._ports['ctld']}",
            "AuthType=auth/munge",
            f"AuthInfo=socket={root}/munge/socket,cred_expire=5",  # what is requeued waits as long
            "CredType=cred/munge",
            "SlurmUser=root",
            f"SlurmctldPidFile={root}/run/slurmctld.pid",
            f"SlurmctldLogFile={root}/log/slurmctld.log",
            f"StateSaveLocation={root}/state",
            f"SlurmdPidFile={root}/run/slurmd-%n.pid",
            f"SlurmdLogFile={root}/log/slurmd-%n.log",
            f"SlurmdSpoolDir={root}/state/slurmd-%n",
            "SlurmdParameters=config_overrides",
            "ProctrackType=proctrack/linuxproc",
            "TaskPlugin=task/none",
            "MpiDefault=none",
            "SwitchType=switch/none",
            "AccountingStorageType=accounting_storage/none",
            "JobCompType=jobcomp/filetxt",
            f"JobCompLoc={root}/log/ended.txt",
            "SelectType=select/cons_tres",
            "SelectTypeParameters=CR_Core",
            "SchedulerType=sched/backfill",
            "SchedulerParameters=sched_min_interval=100000,bf_interval=1,batch_sched_delay=0",
            "PreemptType=preempt/partition_prio",
            "PreemptMode=REQUEUE",
            "JobRequeue=1",
            "ReturnToService=2",
            "KillWait=30",
            "MinJobAge=3600",
            "InactiveLimit=0",
            "SlurmctldTimeout=30",
            "SlurmdTimeout=15",
            *nodes,
            "PartitionName=low Nodes=ALL Default=YES State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=20",
            "PartitionName=high Nodes=ALL State=UP PriorityTier=10 PreemptMode=OFF",
            "",
        ])  # fmt: skip
