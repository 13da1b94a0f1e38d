/** The code blocks of a Markdown file, and what it takes to run one. */
import { execFile } from "node:child_process";
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import ts from "typescript";
import { ROOT } from "./installed.js";

/**
 * A block of code. A comment on the line before its fence may say `not run: why`, `continues` (the block before),
 * `file: path` where it shows a file that has tests of its own, or `other packages: why` where its imports are not
 * installed here, so that it is neither run nor type-checked.
 */
export interface Block {
  /** Where it begins: `README.md:5`. */
  where: string;
  language: "ts" | "js" | "sh";
  /** With the code of the blocks that it continues. */
  code: string;
  /** Why it is not run. */
  notRun: string | undefined;
  /** Whether its types are checked. */
  typed: boolean;
  /** The file that it shows. */
  file: string | undefined;
}

const FENCE = /^(?:<!-- *(.*?) *-->\n)?```(ts|js|sh)\n([\s\S]*?)^```$/gm;

/** The blocks of a file in ts, js or sh; those of other languages say what something looks like. */
export async function blocksOf(file: string): Promise<Block[]> {
  const text = await readFile(join(ROOT, file), "utf8");
  const blocks: Block[] = [];
  for (const match of text.matchAll(FENCE)) {
    const [whole, note = "", language, own = ""] = match;
    const line = text.slice(0, match.index + whole.indexOf("```")).split("\n").length;
    const before = note === "continues" ? (blocks.at(-1)?.code ?? "") : "";
    const [, kind, notRun] = /^(not run|other packages): (.+)$/.exec(note) ?? [];
    const shown = /^file: (\S+)$/.exec(note)?.[1];
    const where = `${file}:${line}`;
    blocks.push({
      where,
      language: language as Block["language"],
      code: before + own,
      notRun,
      typed: kind !== "other packages",
      file: shown,
    });
  }
  return blocks;
}

/** The languages of fences that look like code and would never be run, as their spelling is another. */
export async function otherFences(file: string): Promise<string[]> {
  const text = await readFile(join(ROOT, file), "utf8");
  const fences = [...text.matchAll(/^ *(?:```|~~~)(.+)$/gm)].map(([, info]) => info!);
  return fences.filter(
    (info) => /^(typescript|javascript|[mc]?[tj]sx?|bash|shell|console|sh)\b/.test(info) && !/^(ts|js|sh)$/.test(info),
  );
}

/** README.md and every page of docs and its folders. */
export async function documents(): Promise<string[]> {
  const pages = await readdir(join(ROOT, "docs"), { recursive: true });
  const written = pages.filter((name) => name.endsWith(".md") && !name.startsWith("api"));
  return ["README.md", ...written.sort().map((name) => `docs/${name}`)];
}

/** What the package promises under its names, in the sources. */
const SOURCES: Record<string, string> = {
  stowage: "src/index.ts",
  "stowage/core": "src/core.ts",
  "stowage/xcom": "src/xcom.ts",
  "stowage/driver": "src/driver.ts",
  "stowage/codecs": "src/codecs/formats.ts",
  "stowage/s3": "src/fs/drivers/s3/index.ts",
  "stowage/s3/keys": "src/fs/drivers/s3/keys.ts",
  "stowage/s3/static": "src/fs/drivers/s3/static.ts",
  "stowage/gcs": "src/fs/drivers/gcs/index.ts",
  "stowage/azure": "src/fs/drivers/azure/index.ts",
  "stowage/airflow": "src/airflow/index.ts",
  "stowage/airflow/lean": "src/airflow/lean.ts",
  "stowage/testing": "src/testing/index.ts",
  "stowage/tables": "src/xcom/tables/index.ts",
  "stowage/claims": "src/claims.ts",
  "stowage/temporal": "src/runtimes/temporal.ts",
  "stowage/langgraph": "src/runtimes/langgraph.ts",
  "stowage/sqs": "src/runtimes/sqs.ts",
  "stowage/dbos": "src/runtimes/dbos.ts",
  "stowage/otel": "src/otel.ts",
};

/** What TypeScript has against the blocks, each with the place of its block. */
export function typeErrors(blocks: readonly Block[]): string[] {
  const files = new Map(blocks.map((block, i) => [join(ROOT, `docs-block-${i}.ts`), block]));
  const { config } = ts.readConfigFile(join(ROOT, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
  const paths = Object.fromEntries(Object.entries(SOURCES).map(([name, file]) => [name, [join(ROOT, file)]]));
  const all = { ...options, paths, noUnusedLocals: false, moduleDetection: ts.ModuleDetectionKind.Force };
  const host = ts.createCompilerHost(all);
  const { readFile: read, fileExists } = host;
  host.readFile = (name) => files.get(name)?.code ?? read(name);
  host.fileExists = (name) => files.has(name) || fileExists(name);
  const program = ts.createProgram([...files.keys()], all, host);
  return [...files].flatMap(([name, { where }]) => {
    const source = program.getSourceFile(name);
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    return found.map(({ messageText }) => `${where}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`);
  });
}

/** A folder to run blocks in, with the command `stowage`. */
export class Workshop {
  private constructor(readonly folder: string) {}

  static async open(): Promise<Workshop> {
    const folder = await mkdtemp(join(tmpdir(), "stowage-docs-"));
    await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
    return new Workshop(folder);
  }

  close(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }

  /** Runs the code in an empty folder of its own; rejects with its output when it fails. */
  async run({ language, code }: Block, env: Record<string, string>): Promise<void> {
    const cwd = await mkdtemp(join(this.folder, "block-"));
    const program = language === "sh" ? await this.#script(cwd, code) : await this.#module(cwd, code, language);
    const PATH = `${join(this.folder, "bin")}:${process.env.PATH}`;
    const options = { cwd, env: { PATH, HOME: cwd, ...env }, timeout: 60_000 };
    await promisify(execFile)(program[0]!, program.slice(1), options);
  }

  async #script(cwd: string, code: string): Promise<string[]> {
    if (code.includes("stowage")) await this.#makeCommand();
    await writeFile(join(cwd, "block.sh"), code);
    return ["bash", "-euo", "pipefail", "block.sh"];
  }

  /** The command stands where it stands in the package: it asks the manifest for its version. */
  async #makeCommand(): Promise<void> {
    const main = join(this.folder, "dist/cli/main.js");
    await bundle({ entryPoints: [join(ROOT, "src/cli/main.ts")], outfile: main });
    await copyFile(join(ROOT, "package.json"), join(this.folder, "package.json"));
    await mkdir(join(this.folder, "bin"), { recursive: true });
    const command = join(this.folder, "bin/stowage");
    await writeFile(command, `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@"\n`);
    await chmod(command, 0o755);
  }

  async #module(cwd: string, code: string, loader: "ts" | "js"): Promise<string[]> {
    const outfile = join(cwd, "block.mjs");
    await bundle({ stdin: { contents: code, loader, resolveDir: ROOT }, outfile });
    return [process.execPath, outfile];
  }
}

/** One ESM file of the sources, not of what was built last. Packages stay outside. */
async function bundle(options: Pick<Parameters<typeof build>[0], "stdin" | "entryPoints" | "outfile">): Promise<void> {
  const alias = Object.fromEntries(Object.entries(SOURCES).map(([name, file]) => [name, join(ROOT, file)]));
  const { dependencies, peerDependencies } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
  const external = Object.keys({ ...dependencies, ...peerDependencies });
  const fixed = { bundle: true, platform: "node", target: "node20", format: "esm", logLevel: "silent" } as const;
  await build({ ...fixed, ...options, alias, external });
}
