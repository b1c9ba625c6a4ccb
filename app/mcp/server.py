"""A forwarding address: ``python -m app.mcp.server`` is the stdio bridge of WAMCP."""

import sys
from pathlib import Path

if __name__ == "__main__":
    try:
        from wamcp.mcp.bridge import main
    except ModuleNotFoundError:
        sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))
        from wamcp.mcp.bridge import main
    sys.exit(main())
