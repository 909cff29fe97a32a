"""The content engine side by side with `rclone mount`: see docs/performance.md."""
