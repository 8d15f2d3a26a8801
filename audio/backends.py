"""What stands in the way of a backend: its package, or the weights it needs."""

from __future__ import annotations


class MissingBackendError(ImportError):
    """A backend's package is not installed; the message holds the line that installs it."""


class ModelMissingError(RuntimeError):
    """The weights of a backend are neither here nor to be had; the message says where they were looked for."""
