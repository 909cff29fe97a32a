"""An embedded sample server of Open edX, written from knowledge of the platform, not from what coursefs sends."""
