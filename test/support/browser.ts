/** A headless Chromium, driven over a pipe by the DevTools protocol, which needs no package and opens no port. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { Readable, Writable } from "node:stream";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

type Json = Record<string, unknown>;
type Listener = (params: Json) => void;

/** A response, which has an `id`, or an event. */
interface Message {
  id?: number;
  result?: Json;
  error?: { message: string };
  method?: string;
  params?: Json;
  sessionId?: string;
}

/** Why there is no browser here; undefined when there is one. */
export function whyNoBrowser(): string | undefined {
  return program() ? undefined : `no ${NAMES.join(", ")} on the PATH; Debian has it as chromium`;
}

function program(): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return folders.flatMap((folder) => NAMES.map((name) => join(folder, name))).find((file) => existsSync(file));
}

export class Browser {
  readonly #process: ChildProcess;
  readonly #profile: string;
  readonly #waiting = new Map<number, { resolve(result: Json): void; reject(error: Error): void }>();
  readonly #listeners = new Map<string, Map<string, Listener[]>>();
  #id = 0;
  #rest = "";

  private constructor(child: ChildProcess, profile: string) {
    this.#process = child;
    this.#profile = profile;
    (child.stdio[4] as Readable).setEncoding("utf8").on("data", (text: string) => this.#receive(text));
    child.once("exit", () => {
      for (const { reject } of this.#waiting.values()) reject(new Error("the browser has ended"));
    });
  }

  /** Starts a browser that reaches this machine alone. */
  static async start(): Promise<Browser> {
    const file = program();
    if (!file) throw new Error(whyNoBrowser());
    const profile = await mkdtemp(join(tmpdir(), "stowage-browser-"));
    const args = [
      ...["--headless=new", "--remote-debugging-pipe", `--user-data-dir=${profile}`, "--no-first-run"],
      ...["--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update"],
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
      // Chromium's sandbox does not run as root.
      ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
    ];
    const child = spawn(file, args, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    await once(child, "spawn");
    return new Browser(child, profile);
  }

  /** Opens an empty tab, in a window of its own: the pages of hidden tabs are not drawn. */
  async tab(): Promise<Tab> {
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank", newWindow: true });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    return new Tab(this, String(sessionId));
  }

  send(method: string, params: Json = {}, sessionId?: string): Promise<Json> {
    const id = ++this.#id;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      (this.#process.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  }

  on(sessionId: string, method: string, listener: Listener): void {
    const own = this.#listeners.get(sessionId) ?? new Map<string, Listener[]>();
    this.#listeners.set(sessionId, own.set(method, [...(own.get(method) ?? []), listener]));
  }

  async close(): Promise<void> {
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await ended;
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }

  #receive(text: string): void {
    const messages = (this.#rest + text).split("\0");
    this.#rest = messages.pop() ?? "";
    for (const message of messages) this.#handle(JSON.parse(message) as Message);
  }

  #handle({ id, result = {}, error, method = "", params = {}, sessionId = "" }: Message): void {
    if (id === undefined) {
      for (const listener of this.#listeners.get(sessionId)?.get(method) ?? []) listener(params);
      return;
    }
    const waiter = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) waiter?.reject(new Error(error.message));
    else waiter?.resolve(result);
  }
}

export class Tab {
  constructor(
    readonly browser: Browser,
    readonly session: string,
  ) {}

  send(method: string, params: Json = {}): Promise<Json> {
    return this.browser.send(method, params, this.session);
  }

  on(method: string, listener: Listener): void {
    this.browser.on(this.session, method, listener);
  }

  /** The value of a function that runs in the page, which may be a promise of JSON. */
  async evaluate<T, A extends readonly unknown[]>(run: (...args: A) => T | Promise<T>, ...args: A): Promise<T> {
    const expression = `(${run})(...${JSON.stringify(args)})`;
    const answer = await this.send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    const { result, exceptionDetails } = answer as { result: { value: T }; exceptionDetails?: Json };
    if (exceptionDetails) throw new Error(`in the page: ${JSON.stringify(exceptionDetails)}`);
    return result.value;
  }
}
