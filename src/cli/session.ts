/** One run of a command: its storage, its output, its way of naming paths. */
import { lstat } from "node:fs/promises";
import { resolve } from "node:path";
import { invalid } from "../errors.js";
import type { Storage } from "../fs/storage.js";
import { openStorage } from "../open.js";
import { providerOf, StoragePath } from "../path.js";
import type { ExitCode } from "./errors.js";
import { jsonLine } from "./format.js";
import { type Io, put } from "./io.js";
import { Progress } from "./progress.js";

/** The options that every command has. */
export interface CommonOptions {
  json?: boolean;
  debug?: boolean;
  connections?: string;
}

export class Session {
  readonly io: Io;
  readonly json: boolean;
  /** The environment, with the secrets file that `--connections` names. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly storage: Storage;
  /** Of a command that did what it was told and has bad news. */
  exitCode: ExitCode = 0;

  constructor(io: Io, { json = false, connections }: CommonOptions) {
    this.io = io;
    this.json = json;
    this.env =
      connections === undefined ? io.env : { ...io.env, STOWAGE_CONNECTIONS_FILE: resolve(io.cwd, connections) };
    this.storage = openStorage({ env: this.env });
  }

  get signal(): AbortSignal {
    return this.io.signal;
  }

  /** A path as it is typed: a URL, or a file relative to the working directory. */
  path(text: string): StoragePath {
    if (text === "") throw invalid("a path is empty");
    if (/^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(text)) return StoragePath.parse(text);
    return StoragePath.of({ scheme: "file", bucket: "", key: resolve(this.io.cwd, text).slice(1) });
  }

  /** Where a copy of `source` goes: the path that is typed, or into it, under the source's name, where it is a directory. */
  async target(text: string, source: StoragePath): Promise<StoragePath> {
    const path = this.path(text);
    const into = text.endsWith("/") || path.key === "" || (!text.includes("://") && (await isDirectory(path)));
    return into ? path.join(source.name) : path;
  }

  /** Says one thing: `value` as JSON, or `text` for a person. */
  say(value: unknown, text: string): Promise<void> {
    return this.json ? jsonLine(this.io.stdout, value) : put(this.io.stdout, `${text}\n`);
  }

  /** Runs a transfer with its bar. The total is asked for only where there is a bar to show it. */
  async transfer<T>(label: string, total: () => Promise<number | undefined>, work: (bar: Progress) => Promise<T>) {
    const { stderr } = this.io;
    const bar = new Progress(stderr, label, stderr.terminal ? await total() : undefined);
    try {
      return await work(bar);
    } finally {
      bar.end();
    }
  }

  close(): Promise<void> {
    return this.storage.close();
  }
}

async function isDirectory({ key }: StoragePath): Promise<boolean> {
  return lstat(`/${key}`).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}

/** Whether a local path is a symbolic link, which also may lead nowhere. */
export async function isLink({ scheme, key }: StoragePath): Promise<boolean> {
  if (providerOf(scheme) !== "file") return false;
  return lstat(`/${key}`).then(
    (stats) => stats.isSymbolicLink(),
    () => false,
  );
}
