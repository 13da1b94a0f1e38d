"""Runs the Python that tests send, one JSON line each, and answers with the value of `result`."""
import datetime
import decimal
import json
import sys
import traceback

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet

MODULES = {"datetime": datetime, "decimal": decimal, "np": np, "pd": pd, "pa": pa, "json": json}

for line in sys.stdin:
    try:
        scope = {**MODULES, **json.loads(line)}
        exec(scope["code"], scope)
        answer = {"result": scope.get("result")}
    except Exception as error:
        answer = {"error": repr(error), "trace": traceback.format_exc()}
    print(json.dumps(answer, default=repr), flush=True)
