"""What was accepted and what was answered, on disk; imports neither paho nor mlx."""
