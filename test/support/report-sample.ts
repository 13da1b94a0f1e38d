/** A store of XComs with ordinary and hostile names, written over some months. */
import { vi } from "vitest";
import { openStorage } from "../../src/index.js";
import { lineReferences, report, type StorageReport, withRetention, XComObjectStorageBackend } from "../../src/xcom.js";

const BASE = "memory://lake@bucket/xcom";
const DAY_MS = 86_400_000;
export const NOW = Date.UTC(2026, 2, 31, 4, 5);

/** Would run, break out of an attribute, turn what is beside them, or push it off the page. */
export const HOSTILE = {
  script: '<script>window.hacked=1</script><img src="/evil.png" onerror="window.hacked=1">',
  quotes: `"'><style>*{display:none}</style>`,
  rightToLeft: "עברית \u202etxt.exe\u2066",
  long: "x".repeat(800),
};

const DAGS = ["sales_daily", "ml_training", "billing", "web_events", "inventory", "emails", "fraud", "search_index"];
const TASKS = ["extract", "transform", "features", "load"];

/** Writes about 500 objects. Returns the references that rows would hold: some objects have none, some references none. */
async function filled(storage: ReturnType<typeof openStorage>, dags: readonly string[]): Promise<string[]> {
  const make = (path: Parameters<Parameters<typeof withRetention>[0]["backend"]>[0]) =>
    new XComObjectStorageBackend({
      storage,
      path,
      threshold: 0,
      compression: path.key.endsWith("week") ? "gzip" : null,
    });
  const xcom = withRetention({ path: BASE, backend: make, rules: [{ class: "week", key: "week*" }] });
  const references: string[] = [];
  let count = 0;
  for (let day = 120; day >= 0; day -= 2) {
    vi.setSystemTime(NOW - day * DAY_MS);
    for (const [i, dagId] of dags.entries()) {
      count += 1;
      const size = Math.floor(60_000 / (i + 1) ** 1.4) + ((count * 7919) % 4000);
      const owner = {
        dagId,
        runId: `scheduled__2026-${day}`,
        taskId: TASKS[(day / 2 + (count % 2) * i) % TASKS.length]!,
      };
      const stored = await xcom.storeValue(owner, count % 3 === 0 ? "week_value" : "return_value", "v".repeat(size));
      if (count % 5 !== 0) references.push(String(stored));
    }
  }
  vi.setSystemTime(NOW);
  return references;
}

/** A report with every section. `dags` replaces the ordinary names. */
export async function sampleReport(dags: readonly string[] = DAGS, options: object = {}): Promise<StorageReport> {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  const storage = openStorage({ connections: { lake: { type: "generic" } } });
  try {
    const references = await filled(storage, dags);
    await storage.write(`${BASE}/notes.txt`, "mine");
    const lost = `${BASE}/billing/run/task/write-00000000-0000-4000-8000-000000000000/return_value.json`;
    const sources = [lineReferences([...references, lost], "rows")];
    return await report({ storage, path: BASE, sources, days: { week: 14 }, ...options });
  } finally {
    await storage.close();
    vi.useRealTimers();
  }
}
