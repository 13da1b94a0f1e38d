"""Dags of the live test: Python and TypeScript tasks share large XComs on S3.

Each Python task checks what it gets by itself and fails when it is not what the TypeScript task sent.
"""

from __future__ import annotations

import datetime
import os
import uuid

from airflow.sdk import ObjectStoragePath, dag, task

QUEUE = "typescript"
BASE = os.environ["AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH"]
NOON = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.timezone.utc)


def rows(start):
    return [{"id": i, "name": f"row {i} ü", "value": i * 1.5} for i in range(start, start + 4500)]


@dag(schedule=None)
def live_mixed():
    @task
    def py_big():
        return {"kind": "big", "rows": rows(0), "when": NOON, "tags": {"b"}}

    @task
    def py_small():
        return {"kind": "small", "n": 7}

    @task
    def py_raw(ti=None):
        """Strings that look like references, and objects that are not what they should be."""
        bucket = BASE.split("@")[1].split("/")[0]
        mine = f"live_mixed/{ti.run_id}/py_raw/write-{uuid.uuid4()}"
        ti.xcom_push(key="prose", value=f"{BASE}/notes of today")
        ti.xcom_push(key="other_base", value=f"s3://minio@{bucket}/elsewhere/{mine}/k.json")
        ti.xcom_push(key="other_connection", value=f"s3://elsewhere@{bucket}/xcom/{mine}/k.json")
        ti.xcom_push(key="missing", value=f"{BASE}/{mine}/missing.json")
        task_folder = ObjectStoragePath(f"{BASE}/live_mixed/{ti.run_id}/py_big")
        [instance] = task_folder.iterdir()
        [theirs] = instance.iterdir()
        ti.xcom_push(key="foreign", value=str(theirs))
        for key in ("corrupt", "truncated"):
            ti.xcom_push(key=key, value={"pad": rows(0)})
            at = ObjectStoragePath(f"{BASE}/live_mixed/{ti.run_id}/py_raw/ti-{ti.id}/{key}.json.zip")
            stored = at.read_bytes()
            at.write_bytes(b"PK but nothing else" if key == "corrupt" else stored[: len(stored) // 2])

    @task.stub(queue=QUEUE)
    def ts_read(big, small): ...

    @task.stub(queue=QUEUE)
    def ts_write(): ...

    @task.stub(queue=QUEUE)
    def ts_options(): ...

    @task
    def py_check(read, written, optioned, ti=None):
        def pull(key):
            return ti.xcom_pull(task_ids="ts_write", key=key)

        assert read["big"] == {"kind": "big", "rows": 4500, "last": rows(4499)[0], "when": NOON, "tags": ["b"]}, read
        assert written["rows"] == rows(100), "the big value differs"
        assert written["when"] == NOON, written["when"]
        assert optioned == {"pad": "o" * 5000}, optioned
        assert pull("small") == {"n": 1}
        assert pull("date") == NOON, pull("date")
        assert pull("set") == {"x"} and type(pull("set")) is set
        assert pull("huge") == 2**70
        assert repr(pull("odd")) == "[nan, inf, -0.0]"
        assert pull("lookalike") == f"{BASE}/my notes"
        assert pull("a key/é") == "k" * 2000
        assert pull("nothing") is None

    @task
    def py_purge(ti=None):
        from airflow.sdk.execution_time.xcom import XCom

        XCom.delete(key="doomed", task_id="ts_write", dag_id=ti.dag_id, run_id=ti.run_id)

    big, small = py_big(), py_small()
    raw = py_raw()
    big >> raw
    read, written, optioned = ts_read(big, small), ts_write(), ts_options()
    raw >> read
    py_check(read, written, optioned) >> py_purge()


live_mixed()


@dag(schedule=None)
def live_mapped():
    @task
    def py_plain():
        return {"plain": "p" * 5000}

    @task
    def py_item(i):
        return {"i": i, "pad": "m" * 5000}

    @task.stub(queue=QUEUE)
    def ts_mapped(item): ...

    @task
    def py_sum(ti=None):
        results = list(ti.xcom_pull(task_ids="ts_mapped", map_indexes=[0, 1, 2]))
        assert [result["i"] for result in results] == [0, 10, 20], results
        assert all(result["plain"] == 5000 and len(result["pad"]) == 5000 for result in results), results

    plain = py_plain()
    mapped = ts_mapped.expand(item=py_item.expand(i=[0, 1, 2]))
    plain >> mapped >> py_sum()


live_mapped()


@dag(schedule=None)
def live_retry():
    @task.stub(queue=QUEUE, retries=1, retry_delay=datetime.timedelta(seconds=1))
    def ts_retry(): ...

    @task
    def py_after(value):
        assert value == {"attempt": 2, "pad": "r" * 5000}, value

    py_after(ts_retry())


live_retry()


@dag(schedule=None)
def live_abort():
    @task.stub(queue=QUEUE)
    def ts_abort(): ...

    ts_abort()


live_abort()


@dag(schedule=None)
def live_speed():
    @task.stub(queue=QUEUE)
    def ts_adapter(): ...

    ts_adapter()


live_speed()


@dag(schedule=None)
def live_inline():
    @task.stub(queue=QUEUE)
    def ts_inline(): ...

    ts_inline()


live_inline()
