# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# lit, CTest and pytest agree on the test cases of a JUnit report, but not on its totals, so the cases are counted.
"""Print ``passed failed skipped`` of a JUnit report."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree


def totals(path: str) -> tuple[int, int, int]:
    """Count the test cases of the report ``path``."""
    passed = failed = skipped = 0
    for case in ElementTree.parse(path).iter("testcase"):
        tags = {child.tag for child in case}
        if tags & {"failure", "error"} or case.get("status") == "fail":
            failed += 1
        elif "skipped" in tags or case.get("status") in ("notrun", "disabled"):
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


if __name__ == "__main__":
    print(*totals(sys.argv[1]))
