"""An embedded sample platform: `coursefs demo` and the tests speak to it over real sockets.

It is written from what is known of the platform, not from what coursefs sends: nothing here imports the rest of
coursefs, so that it can contradict it.
"""
