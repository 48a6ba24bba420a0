"""The worker as a service of the system: launchd on macOS, systemd on Linux."""
