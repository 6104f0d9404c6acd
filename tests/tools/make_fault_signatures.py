"""`python -m tests.tools.make_fault_signatures`: write `spec/conformance/faults.json`."""

from __future__ import annotations

import json

from tests import ROOT
from tests.support.faults.fault_signatures import all_faulty_results, document

FILE = ROOT / "spec" / "conformance" / "faults.json"


def text_of(content: dict) -> str:
    """The content with one line per case."""
    faults = []
    for fault in content["faults"]:
        cases = ",\n".join(
            f"  {json.dumps(case)}: {json.dumps(blocks, separators=(',', ':'))}"
            for case, blocks in fault["cases"].items()
        )
        head = f'"name": {json.dumps(fault["name"])}, "what": {json.dumps(fault["what"])}'
        faults.append(f'{{{head}, "cases": {{\n{cases}}}}}')
    return f'{{"format": {json.dumps(content["format"])}, "faults": [\n' + ",\n".join(faults) + "]}\n"


if __name__ == "__main__":
    FILE.write_text(text_of(document(all_faulty_results())), encoding="utf-8")
