/** The contract as a document: every case, and how it stands on every backend. */
import { type Case, driverContract } from "../../src/testing/index.js";
import type { Backend } from "./backends.js";

const HEAD = `# The contract of a driver

Every case is run on every backend by \`test/conformance/contract.test.ts\`, through the public API, on a real server. The suite is
exported as \`stowage/testing\`: whoever writes a driver can run it.

\`yes\`: kept. \`refused\`: the provider does not have it; the case checks that the call says so, or what else is true
there. \`n/a\`: nothing to check. A number: the server breaks the promise; the note says how that is known, and the
case checks what is true instead.

Written by \`npx vitest run test/conformance/contract.test.ts -u\`; the test fails when it is out of date.
`;

export function contractTable(backends: readonly Backend[]): string {
  const notes: string[] = [];
  const columns = backends.map((backend) => {
    const cases = driverContract({ ...backend, open: () => Promise.reject(new Error("not run")) });
    return cases.map((one) => cell(one, backend, notes));
  });
  const plain = driverContract({ name: "", open: () => Promise.reject(new Error("not run")) });
  const rows = plain.map(({ id, title }, i) =>
    row([id, title.replaceAll("|", "\\|"), ...columns.map((cells) => cells[i]!)]),
  );
  const names = backends.map(({ name }) => name);
  const lines = [row(["id", "what is promised", ...names]), row(["id", "", ...names].map(() => "---")), ...rows];
  return [HEAD, ...lines, "", "## Exceptions", "", ...notes, ""].join("\n");
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

function cell({ id, skip, lacking, exception }: Case, { name }: Backend, notes: string[]): string {
  if (skip !== undefined) return "n/a";
  if (!exception) return lacking ? "refused" : "yes";
  notes.push(`${notes.length + 1}. ${id} on ${name}: ${exception.reason} (${exception.evidence}).`);
  return `(${notes.length})`;
}
