"""Following a log that grows: its pieces, and the run that learns them."""

from tfadrec.training.following.folder_source import FolderSource
from tfadrec.training.following.follow import follow
from tfadrec.training.following.source import Source

__all__ = ["FolderSource", "Source", "follow"]
