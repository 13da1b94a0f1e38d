/** Which objects have no reference: both sides are sorted, and gone through once. */
import { candidateIn, keyIn } from "./candidates.js";
import type { Watched } from "./progress.js";
import { flat } from "./reference-keys.js";
import type { Batches } from "./sorted-lines.js";
import type { SweepReport } from "./sweep-report.js";

interface Comparison extends Watched {
  report: SweepReport;
  /** Keys that rows name elsewhere, sorted. */
  elsewhere?: Batches | undefined;
  signal: AbortSignal | undefined;
}

/** Takes the line of a candidate; to be awaited if it returns something. */
interface Orphans {
  add(line: string): Promise<void> | undefined;
}

/** Goes through candidates and references, both sorted, and adds the candidates without a reference to the orphans. */
export async function compare(
  candidates: Batches,
  references: Batches,
  orphans: Orphans,
  { report, elsewhere, onProgress, signal }: Comparison,
): Promise<void> {
  const keys = flat(references);
  let key = await keys.next();
  const others = elsewhere && flat(elsewhere);
  let other = await others?.next();
  for await (const lines of candidates) {
    signal?.throwIfAborted();
    for (const line of lines) {
      const below = keyIn(line);
      while (key !== undefined && key < below) {
        const next = keys.at();
        key = next === undefined ? await keys.next() : next;
      }
      if (key === below) report.referenced += 1;
      else {
        while (others && other !== undefined && other < below) other = others.at() ?? (await others.next());
        if (other === below) report.namedElsewhere += 1;
        report.orphaned += 1;
        report.bytes += candidateIn(line).size;
        const full = orphans.add(line);
        if (full) await full;
      }
    }
    const { referenced, orphaned, considered: total, bytes } = report;
    onProgress?.({ phase: "compare", count: referenced + orphaned, total, bytes });
  }
}
