"""A replication package of a finished run, and what its master command does."""

from tradelift.pipeline.packaging.assembling import Package, package
from tradelift.pipeline.packaging.replication import Replication, replicate

__all__ = ["Package", "Replication", "package", "replicate"]
