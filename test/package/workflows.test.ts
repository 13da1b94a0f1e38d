/** The files in .github are valid YAML, and name scripts and files that exist. */
import { access, readdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";

const ROOT = resolve(import.meta.dirname, "../..");
const WORKFLOWS = ".github/workflows";
const FORMS = ".github/ISSUE_TEMPLATE";

interface Step {
  uses?: string;
  run?: string;
}
interface Workflow {
  jobs: Record<string, { needs?: string; uses?: string; steps?: Step[]; "timeout-minutes"?: number }>;
}

async function yamlOf<T>(file: string): Promise<T> {
  return parse(await readFile(join(ROOT, file), "utf8"), { strict: true });
}

describe.each(await readdir(join(ROOT, WORKFLOWS)))("the workflow %s", async (name) => {
  const { jobs } = await yamlOf<Workflow>(`${WORKFLOWS}/${name}`);
  const steps = Object.values(jobs).flatMap((job) => job.steps ?? []);

  test("pins every action to a major version", () => {
    for (const { uses } of steps) if (uses !== undefined) expect(uses).toMatch(/^[\w-]+\/[\w-]+@v\d+$/);
  });
  test("calls scripts and files that exist", async () => {
    const { scripts } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
    const commands = steps.map(({ run = "" }) => run).join("\n");
    const called = [...commands.matchAll(/\bnpm (?:run ([\w:-]+)|(test)\b)/g)].map(([, script, own]) => script ?? own);
    expect(called.filter((script) => !(script! in scripts))).toEqual([]);
    const files = [...commands.matchAll(/\bnode ((?:scripts|test)\/[\w/.-]+)/g)].map(([, file]) => file!);
    for (const file of files) await access(join(ROOT, file));
  });
  test("needs and calls what exists, and every job that runs has a time limit", async () => {
    for (const { needs, uses, steps: own, "timeout-minutes": minutes } of Object.values(jobs)) {
      if (needs !== undefined) expect(Object.keys(jobs)).toContain(needs);
      if (uses !== undefined) await access(join(ROOT, uses));
      if (own) expect(minutes).toBeGreaterThan(0);
    }
  });
});

test.each(["bug.yml", "feature.yml"])(
  "the form %s has a name, a description, and fields with distinct ids",
  async (name) => {
    const form = await yamlOf<{ name: string; description: string; body: { type: string; id?: string }[] }>(
      `${FORMS}/${name}`,
    );
    expect(form).toMatchObject({ name: expect.any(String), description: expect.any(String) });
    const ids = form.body.filter(({ type }) => type !== "markdown").map(({ id }) => id);
    expect(ids).toEqual([...new Set(ids)]);
    expect(ids).not.toContain(undefined);
  },
);
