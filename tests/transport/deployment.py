"""The deployment's own files, run on a real Mosquitto with their paths and ports moved here."""

import os
import subprocess
from pathlib import Path

from rig import Mosquitto, free_port

DEPLOY = Path(__file__).parents[2] / "deploy"
FOLDER = DEPLOY / "mosquitto"


def moved(text, moves):
    """Return a configuration with its paths and ports replaced, each of which must be there."""
    for ours, here in moves.items():
        assert ours in text, ours
        text = text.replace(ours, here)
    return text


class DeployedMosquitto(Mosquitto):
    """Runs `deploy/mosquitto`; with certificates, its encrypted listeners too."""

    def __init__(self, folder, passwords, certificates=None):
        super().__init__(folder, free_port())
        config = moved(
            (FOLDER / "mosquitto.conf").read_text(),
            {
                "listener 1883 127.0.0.1": f"listener {self.port} 127.0.0.1",
                "/etc/mosquitto/passwords": str(passwords),
                "/etc/mosquitto/acl": str(FOLDER / "acl"),
                "/var/lib/mosquitto/": f"{folder}/",
            },
        )
        if certificates is not None:
            self.password_port, self.certificate_port = free_port(), free_port()
            config += moved(
                (FOLDER / "mosquitto-tls.conf").read_text(),
                {
                    "listener 8883": f"listener {self.password_port} 127.0.0.1",
                    "listener 8884": f"listener {self.certificate_port} 127.0.0.1",
                    "/etc/mosquitto/certs/broker.": f"{certificates}/broker.lan.",
                    "/etc/mosquitto/certs/ca.crt": f"{certificates}/ca.crt",
                },
            )
        if os.geteuid() == 0:
            config += "user root\n"
        (self.folder / "mosquitto.conf").write_text(config)


def make_passwords(file, *users):
    """Return new passwords by user, made by the deployment's script."""
    made = subprocess.run(
        [FOLDER / "make-passwords", file, *users], check=True, capture_output=True, text=True
    )
    return dict(line.split() for line in made.stdout.splitlines())


def make_certificate(folder, *arguments):
    """Run the deployment's script; return what it did."""
    script = DEPLOY / "certificates" / "make-certificates"
    return subprocess.run([script, folder, *arguments], capture_output=True, text=True, check=False)
