"""Fetch mermaid, which draws the documentation's diagrams, from npm, and verify its hash.

Usage: python tools/mermaid.py TARGET      (npm has to be there: it comes with Node.js)
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VERSION = "11.17.2"
SHA256 = "6ad2f42c3fc26bbf9e45cbb6d11898972573ea52b33a5f4ff51952899f950ffd"  # of npm's archive
FILE = "package/dist/mermaid.min.js"


def main() -> None:
    """Writes one file: the bundled library, which a browser loads."""
    npm = shutil.which("npm")
    if not npm:
        sys.exit("The diagrams need npm, which comes with Node.js.")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", "--silent", f"mermaid@{VERSION}"]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        (archive,) = Path(folder).iterdir()
        if hashlib.sha256(archive.read_bytes()).hexdigest() != SHA256:
            sys.exit(
                f"mermaid {VERSION} is not the one that was looked at: its hash is another one."
            )
        with tarfile.open(archive) as package:
            content = package.extractfile(FILE)
            Path(sys.argv[1]).write_bytes(content.read() if content else b"")


if __name__ == "__main__":
    main()
