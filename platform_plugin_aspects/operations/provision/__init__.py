"""Provisioning, for ``aspects_provision``: the plugin and its boards get all that they need in other systems."""
