import { Dag, DagRegistry, serveDags, type TaskHandlerArgs } from "apache-airflow-ts-sdk";
import { withObjectStorage } from "stowage/airflow";

interface Extracted {
  orders: { id: number; customer: string; amount: number }[];
  taken: Date;
}

/** Reads 1.2 MB that a Python task left in object storage; what it returns is large as well. */
async function summarize({ client }: TaskHandlerArgs) {
  const extracted = await client.getXCom<Extracted>({ key: "return_value", taskId: "extract" });
  if (!extracted) throw new Error("there is nothing to summarize");
  const { orders, taken } = extracted;
  console.log(`SUMMARIZE ${orders.length} orders, taken ${taken.toISOString()}`);
  const amounts = new Map<string, number[]>();
  for (const { customer, amount } of orders) amounts.set(customer, [...(amounts.get(customer) ?? []), amount]);
  const customers = [...amounts].map(([name, each]) => ({ name, amount: each.reduce((a, b) => a + b, 0), each }));
  return { customers, orders: orders.length, taken };
}

const dag = new Dag("large_xcoms");
dag.task("summarize", withObjectStorage(summarize));
await serveDags(new DagRegistry(dag));
