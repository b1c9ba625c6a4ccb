"""How often as long as promised things may take: more than 1 only where others keep the machine busy."""

import os

PATIENCE = float(os.environ.get("FAULT_PATIENCE", "1"))
