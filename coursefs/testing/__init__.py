"""Conformance checks of the provider protocol, for the tests of packages that add a platform."""

from coursefs.testing.conformance import Checked, MemoryVault, Nonconforming, check_platform, check_provider

__all__ = ["Checked", "MemoryVault", "Nonconforming", "check_platform", "check_provider"]
