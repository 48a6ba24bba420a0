"""A small supervisor that keeps launchd's rules for one job, where there is no launchd.

From launchd.plist(5): with KeepAlive a job that ends is started again, but no sooner than
ThrottleInterval seconds after its last start; asked to stop, it gets SIGTERM, and SIGKILL when
ExitTimeOut seconds have passed. UserName is left out: the tests run as whoever runs them.
"""

import plistlib
import signal
import subprocess
import threading
import time
from pathlib import Path

KNOWN_KEYS = {
    "Label",
    "ProgramArguments",
    "WorkingDirectory",
    "EnvironmentVariables",
    "StandardOutPath",
    "StandardErrorPath",
    "ExitTimeOut",
    "KeepAlive",
    "RunAtLoad",
    "ThrottleInterval",
    "ProcessType",
    "SoftResourceLimits",
    "HardResourceLimits",
    "Umask",
    "UserName",
}


class Launchd:
    """Runs the job of a property list until it is unloaded."""

    def __init__(self, property_list, *, environment, throttle_s=None):
        self.job = plistlib.loads(property_list)
        assert set(self.job) <= KNOWN_KEYS, set(self.job) - KNOWN_KEYS
        self.throttle_s = self.job["ThrottleInterval"] if throttle_s is None else throttle_s
        # What launchd gives a job of its own, and what the tests must add to find themselves.
        self.environment = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
        self.environment |= self.job["EnvironmentVariables"] | environment
        self.starts = []
        self.exits = []
        self.killed = False
        self._unloading = threading.Event()
        self._changed = threading.Condition()
        self._process = None
        self._keeper = threading.Thread(target=self._keep_alive, daemon=True)

    def load(self):
        assert self.job["RunAtLoad"]
        self._keeper.start()
        return self

    def unload(self):
        """What `launchctl bootout` does; returns the last exit status."""
        self._unloading.set()
        with self._changed:
            process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(self.job["ExitTimeOut"])
            except subprocess.TimeoutExpired:
                self.killed = True
                process.kill()
        self._keeper.join(10)
        return self.exits[-1]

    @property
    def pid(self):
        with self._changed:
            return self._process.pid

    def wait_for_start(self, number, timeout_s=30):
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.starts) >= number, timeout_s)

    def _keep_alive(self):
        while not self._unloading.is_set():
            if self.starts:
                left_s = self.starts[-1] + self.throttle_s - time.monotonic()
                if self._unloading.wait(max(0.0, left_s)):
                    return
            process = self._start()
            status = process.wait()
            self.exits.append(status)
            if not self.job["KeepAlive"]:
                return

    def _start(self):
        with Path(self.job["StandardErrorPath"]).open("ab") as console:
            process = subprocess.Popen(
                self.job["ProgramArguments"],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env=self.environment,
                cwd=self.job["WorkingDirectory"],
                umask=self.job["Umask"],
            )
        with self._changed:
            self._process = process
            self.starts.append(time.monotonic())
            self._changed.notify_all()
        return process
