"""Writes `man/` and `completions/` anew: `python -m pyconsul.tools.docs [FOLDER]`, the project's folder by default."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from pyconsul.tools.docs.files import files


def main(argv: Sequence[str] | None = None) -> int:
    """Write what has changed, remove what is no longer made, and say so."""
    words = sys.argv[1:] if argv is None else list(argv)
    root = Path(words[0]) if words else Path.cwd()
    if not (root / "pyproject.toml").is_file():
        print(f"{root} is not the project's folder: it has no pyproject.toml", file=sys.stderr)
        return 1
    made = {root / name: text for name, text in files().items()}
    old = {path for folder in ("man", "completions") for path in (root / folder).glob("*") if path.is_file()}
    for path in sorted(old - made.keys()):
        path.unlink()
        print(f"removed {path.relative_to(root)}")
    for path, text in made.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(root)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
