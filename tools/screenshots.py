"""Pictures of report.html for the pages: light, dark, and on a phone.

    python tools/screenshots.py [FOLDER]    # docs/assets unless another one is named

Needs Chromium (Debian's package `chromium`), Pillow, and for names in all scripts Debian's
fonts-noto-core, fonts-noto-cjk and fonts-noto-color-emoji. `make screenshots` brings Pillow.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageChops

TOP = Path(__file__).parents[1]
REPORT = Path("report.html")
LARGEST = 200_000  # bytes of one picture
SHOTS = {
    "report-light.png": (1200, 2800, False),
    "report-dark.png": (1200, 2800, True),
    "report-phone.png": (390, 5000, False),
}
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *(
        "--hide-scrollbars",
        "--virtual-time-budget=20000",
        "--run-all-compositor-stages-before-draw",
    ),
)


def main() -> None:
    """Writes to the folder. Ends if a picture is too large for a page."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else TOP / "docs" / "assets"
    folder.mkdir(parents=True, exist_ok=True)
    for name, (width, height, dark) in SHOTS.items():
        shoot(folder / name, width, height, dark)
        size = (folder / name).stat().st_size
        print(f"{folder / name}: {size // 1000} KB")
        if size > LARGEST:
            sys.exit(f"{name} is larger than {LARGEST // 1000} KB.")


def shoot(picture: Path, width: int, height: int, dark: bool) -> None:
    """One picture of the page, cut where the page ends.

    A window of Chromium is at least 500 pixels wide, so a phone is a frame inside a page.
    """
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None or not REPORT.exists():
        sys.exit("It needs Chromium (Debian: chromium), and report.html (make report).")
    with tempfile.TemporaryDirectory(prefix="streak-pictures-") as scratch:
        frame = Path(scratch, "frame.html")
        source = REPORT.resolve().as_uri()
        frame.write_text(
            f'<body style="margin:0"><iframe src="{source}" width="{width}" height="{height}"'
            ' style="border:0;display:block"></iframe>'
        )
        flags = [*FLAGS, f"--user-data-dir={scratch}/profile", f"--screenshot={picture.resolve()}"]
        flags += [f"--window-size={max(width, 500)},{height}", "--allow-file-access-from-files"]
        flags += ["--blink-settings=preferredColorScheme=0"] if dark else []
        subprocess.run([browser, *flags, frame.as_uri()], check=True, capture_output=True)
    lighter(picture, width)


def lighter(picture: Path, width: int) -> None:
    """The picture, cut to the page and reduced to 128 colors, which is all that it has."""
    with Image.open(picture) as shot:
        page = shot.convert("RGB").crop((0, 0, width, shot.height))
    ground = Image.new("RGB", page.size, page.getpixel((width - 1, page.height - 1)))
    _, _, _, bottom = ImageChops.difference(page, ground).getbbox() or (0, 0, 0, page.height)
    page = page.crop((0, 0, width, min(bottom + 24, page.height)))
    page.quantize(128, dither=Image.Dither.NONE).save(picture, optimize=True)


if __name__ == "__main__":
    main()
