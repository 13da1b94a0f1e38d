"""A large value goes from a Python task to a TypeScript task and back."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.sdk import dag, task


@dag(schedule=None)
def large_xcoms():
    @task
    def extract():
        orders = [{"id": i, "customer": f"customer {i % 97}", "amount": i * 1.25} for i in range(20_000)]
        return {"orders": orders, "taken": datetime(2026, 11, 21, tzinfo=timezone.utc)}

    @task.stub(queue="typescript")
    def summarize(extracted): ...

    @task
    def report(summary):
        top = max(summary["customers"], key=lambda customer: customer["amount"])
        print(f"REPORT {len(summary['customers'])} customers, {summary['orders']} orders of {summary['taken']:%Y-%m-%d}")
        print(f"REPORT {top['name']} is first with {top['amount']:.2f}")
        return top

    report(summarize(extract()))


large_xcoms()
