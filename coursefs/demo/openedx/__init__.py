"""An embedded sample server of Open edX, written from what is known of the platform, not from what coursefs sends."""
