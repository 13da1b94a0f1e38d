"""Keeps the bucket of XComs in order, once a week: checks rows, sweeps in shards, writes a report.

Set in the environment of the workers:
  XCOM_BASE      the base path, s3://lake@bucket/xcom
  XCOM_DATABASE  the metadata database, by a login that may only read; tasks of Airflow 3 do not get Airflow's own
  XCOM_REPORT    where the report goes, s3://lake@bucket/reports/xcom.html
  STOWAGE        the command, if it is not `stowage` on the PATH: "node /opt/stowage/dist/cli/main.js"
"""

from __future__ import annotations

import os
import shlex
import subprocess
from datetime import datetime, timezone

from airflow.sdk import dag, task

SHARDS = 4


def stowage(*args: str) -> None:
    """Runs the command; its output goes to the task's log, and a failure fails the task."""
    env = {**os.environ, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": os.environ["XCOM_DATABASE"]}
    command = shlex.split(os.environ.get("STOWAGE", "stowage"))
    done = subprocess.run([*command, *args], env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    print(done.stdout)
    done.check_returncode()


@dag(schedule="0 4 * * 0", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), catchup=False, max_active_runs=1)
def xcom_upkeep():
    @task
    def fsck() -> None:
        # Without a path: objects without a reference are what the sweep is for, not a reason to fail.
        stowage("fsck", "--database")

    # A row without its object may mean the wrong database or bucket: then nothing is swept.
    @task
    def sweep(shard: int) -> None:
        base = os.environ["XCOM_BASE"]
        stowage("sweep", base, "--database", "--trash", f"{base}-trash", "--shard", f"{shard}/{SHARDS}")

    @task(trigger_rule="all_done")
    def report() -> None:
        stowage("report", os.environ["XCOM_BASE"], "--out", os.environ["XCOM_REPORT"], "--database")

    fsck() >> sweep.expand(shard=list(range(1, SHARDS + 1))) >> report()


xcom_upkeep()
