"""Makes the media files of the demo courses; run by `scripts/make-demo-courses`."""
