#!/usr/bin/env bash
# Write poetry.lock anew. Through pip's index, which may be a mirror that Poetry's own client cannot talk to; the lock names none.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet 'poetry>=2,<3'
cp "$top/pyproject.toml" "$top/README.md" "$work/"
index=$("$work/venv/bin/python" -c 'import os; from pip._internal.models.index import PyPI; print(os.environ.get("PIP_INDEX_URL", PyPI.simple_url))')
printf '\n[[tool.poetry.source]]\nname = "index"\nurl = "%s"\npriority = "primary"\n' "$index" >>"$work/pyproject.toml"
(cd "$work" && venv/bin/poetry lock)
"$work/venv/bin/python" - "$work/poetry.lock" "$top" <<'PY'
import re, sys
from pathlib import Path
from poetry.factory import Factory
lock, top = Path(sys.argv[1]), Path(sys.argv[2])
text = re.sub(r'\n\[package\.source\]\n(?:.+\n)+', "\n", lock.read_text())
digest = Factory().create_poetry(top).locker._get_content_hash()
(top / "poetry.lock").write_text(re.sub(r'content-hash = ".*"', f'content-hash = "{digest}"', text))
PY
