"""A small disk, where this system lets one be mounted."""

import os
import subprocess


class Disk:
    """A filesystem in memory, of which a file leaves as much as is wanted.

    Args:
      folder: an empty one.
      size: bytes.

    Raises:
      OSError: where it may not be mounted.
    """

    def __init__(self, folder, size):
        self.folder = folder
        options = ("-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder)
        try:
            subprocess.run(["mount", *options], check=True, capture_output=True)
        except subprocess.CalledProcessError as error:
            raise OSError(error.stderr) from error

    def leave(self, size):
        """Fills the disk, but for so many bytes."""
        facts = os.statvfs(self.folder)
        with (self.folder / "filler").open("wb") as file:
            free = facts.f_bavail * facts.f_frsize - size
            os.posix_fallocate(file.fileno(), 0, max(1, free))

    def empty(self):
        """Takes away what `leave` has filled it with."""
        (self.folder / "filler").unlink()

    def close(self):
        """Takes the disk away, with all that is on it."""
        subprocess.run(["umount", self.folder], check=True)
