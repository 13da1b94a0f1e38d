"""Airflow's own XCom backend, driven by JSON lines: one request on stdin, one answer on stdout.

A value is given as a Python expression, so that every kind of value can be asked for. The expressions come from the
test beside this file and from nowhere else.
"""

from __future__ import annotations

import collections
import datetime
import decimal
import functools
import json
import os
import sys
import traceback
import uuid
import zoneinfo

import pendulum

from airflow.providers.common.io.xcom import backend
from airflow.sdk import ObjectStoragePath

Backend = backend.XComObjectStorageBackend
PREFIX = "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_"


class AnyOrder:
    """A list that Airflow makes of a set: its order is that of the hashes."""

    def __init__(self, items):
        self.items = items


NAMES = {
    "AnyOrder": AnyOrder,
    "collections": collections,
    "datetime": datetime,
    "decimal": decimal,
    "functools": functools,
    "nan": float("nan"),
    "inf": float("inf"),
    "ObjectStoragePath": ObjectStoragePath,
    "pendulum": pendulum,
    "uuid": uuid,
    "UTC": pendulum.timezone("UTC"),
    "zoneinfo": zoneinfo,
}


class Row:
    """What the backend gets of a row: its value."""

    def __init__(self, value):
        self.value = value
        self.key = "key"


def configure(path, threshold, compression, connections):
    settings = {"PATH": path, "THRESHOLD": str(threshold), "COMPRESSION": compression or ""}
    os.environ.update({PREFIX + name: value for name, value in settings.items()})
    os.environ.update({f"AIRFLOW_CONN_{name.upper()}": json.dumps(value) for name, value in connections.items()})
    for cached in (backend._get_base_path, backend._get_compression, backend._get_threshold):
        cached.cache_clear()


def store(value, owner, key):
    made = eval(value, NAMES)
    ids = {"dag_id": owner["dagId"], "run_id": owner["runId"], "task_id": owner["taskId"]}
    coordinate = coordinate_class()
    if coordinate is None:
        return Backend.serialize_value(made, key=key, map_index=-1, **ids)
    return Backend.store_value(coordinate(**ids, ti_id=owner.get("tiId")), key, made)


def coordinate_class():
    """The class of Airflow 3.4 that says whose a value is; None before."""
    try:
        from airflow.sdk.bases.xcom import XComCoordinate
    except ImportError:
        return None
    return XComCoordinate


def load(row, value):
    loaded = Backend.deserialize_value(Row(row))
    wanted = eval(value, NAMES)
    return {"equal": same(loaded, wanted), "repr": repr(loaded), "type": type(loaded).__name__}


def same(loaded, wanted):
    """Equal, of the same type, all the way down; nan is nan."""
    if isinstance(wanted, AnyOrder):
        return type(loaded) is list and sorted(map(repr, loaded)) == sorted(map(repr, wanted.items))
    if type(loaded) is not type(wanted):
        return False
    if isinstance(wanted, dict):
        return loaded.keys() == wanted.keys() and all(same(loaded[key], wanted[key]) for key in wanted)
    if isinstance(wanted, (list, tuple)):
        return len(loaded) == len(wanted) and all(map(same, loaded, wanted))
    return repr(loaded) == repr(wanted) or loaded == wanted


def purge(row):
    Backend.purge(Row(row))


def exists(path):
    return ObjectStoragePath(path).exists()


REQUESTS = {function.__name__: function for function in (configure, store, load, purge, exists)}


def answer(line):
    request = json.loads(line)
    try:
        return {"result": REQUESTS[request.pop("do")](**request)}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}


if __name__ == "__main__":
    # Airflow's own messages go to stdout unless they are kept away.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        print(json.dumps(answer(line)), file=answers, flush=True)
