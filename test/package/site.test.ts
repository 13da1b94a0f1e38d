/** The documentation site, page by page in a browser, on a phone's width and a desk's. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { basePath, settings } from "../../scripts/release/settings.mjs";
import { Browser, type Tab, whyNoBrowser } from "../support/browser.js";
import { look, searchFor } from "../support/in-page.mjs";
import { ROOT } from "../support/installed.js";

/** CSS pixels: a phone, a desk. */
const WIDTHS = [360, 1440];
const TYPES: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };
const MORE_TYPES: Record<string, string> = {
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
  ".json": "application/json",
};
/** Where the site lies on its host. */
const BASE = basePath(settings().site);
/** Tabs at the same time. */
const TABS = 2;

/** What a page looks like to a reader. */
interface Seen {
  url: string;
  width: number;
  /** Absolute, of all links. */
  links: string[];
  sidebar: string[];
  anchors: string[];
  /** What is cut off on the right: elements if the page scrolls sideways, or the sidebar. */
  beyond: string[];
  /** Console messages, exceptions and failed responses. */
  messages: string[];
  /** The hosts of all requests. */
  hosts: string[];
}

async function buildInto(folder: string): Promise<void> {
  const run = promisify(execFile);
  const bin = (name: string) => join(ROOT, "node_modules/.bin", name);
  await run(bin("typedoc"), [], { cwd: ROOT });
  await run(bin("vitepress"), ["build", "docs", "--outDir", folder], { cwd: ROOT });
}

async function serve(folder: string): Promise<Server> {
  const server = createServer(async ({ url = "/" }, answer) => {
    const path = decodeURIComponent(new URL(url, "http://site").pathname);
    const file = join(folder, path.slice(BASE.length - 1) + (path.endsWith("/") ? "index.html" : ""));
    const body = path.startsWith(BASE) ? await readFile(file).catch(() => undefined) : undefined;
    const type = TYPES[extname(file)] ?? MORE_TYPES[extname(file)] ?? "application/octet-stream";
    answer.writeHead(body ? 200 : 404, { "content-type": type }).end(body);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return server;
}

/** A tab with the notes of what happens in it. */
async function watchedTab(browser: Browser) {
  const tab = await browser.tab();
  const notes = { messages: [] as string[], hosts: [] as string[] };
  tab.on("Runtime.consoleAPICalled", ({ type, args }) => notes.messages.push(`${type}: ${JSON.stringify(args)}`));
  tab.on("Runtime.exceptionThrown", ({ exceptionDetails }) => notes.messages.push(JSON.stringify(exceptionDetails)));
  tab.on("Log.entryAdded", ({ entry }) => notes.messages.push(JSON.stringify(entry)));
  tab.on("Network.requestWillBeSent", ({ request }) => {
    const { protocol, host } = new URL((request as { url: string }).url);
    if (protocol !== "data:" && protocol !== "blob:") notes.hosts.push(host);
  });
  for (const domain of ["Page", "Runtime", "Log", "Network"]) await tab.send(`${domain}.enable`);
  return { tab, notes };
}

async function resize(tab: Tab, width: number): Promise<void> {
  const mobile = width < 500;
  await tab.send("Emulation.setDeviceMetricsOverride", { width, height: 900, deviceScaleFactor: 1, mobile });
}

async function open(tab: Tab, url: string): Promise<void> {
  const loaded = new Promise<void>((done) => tab.on("Page.loadEventFired", () => done()));
  await tab.send("Page.navigate", { url });
  await loaded;
}

/** Loads each page once, on a phone's width, and widens it. */
async function visit(browser: Browser, queue: Iterator<string>): Promise<Seen[]> {
  const { tab, notes } = await watchedTab(browser);
  const seen: Seen[] = [];
  for (let next = queue.next(); !next.done; next = queue.next()) {
    const url = next.value;
    notes.messages = [];
    notes.hosts = [];
    for (const width of WIDTHS) {
      await resize(tab, width);
      if (width === WIDTHS[0]) await open(tab, url);
      seen.push({ url, width, ...(await tab.evaluate(look, width)), ...notes });
    }
  }
  return seen;
}

const why = whyNoBrowser();
if (why && process.env.CI) throw new Error(why);
if (why) console.error(`\n*** SKIPPED: documentation site: ${why} ***\n`);

describe.skipIf(why)(`the documentation site${why ? ` (skipped, ${why})` : ""}`, () => {
  let folder: string;
  let server: Server;
  let browser: Browser;
  let origin: string;
  let pages: string[];
  let seen: Seen[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "stowage-site-"));
    await buildInto(folder);
    server = await serve(folder);
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const files = await readdir(folder, { recursive: true });
    pages = files
      .filter((file) => file.endsWith(".html") && file !== "404.html")
      .map((file) => `${origin}${BASE}${file}`);
    browser = await Browser.start();
    const queue = pages.values();
    seen = (await Promise.all(Array.from({ length: TABS }, () => visit(browser, queue)))).flat();
    console.log(`visited ${pages.length} pages at ${WIDTHS.join(" and ")} pixels`);
  }, 480_000);

  afterAll(async () => {
    await browser?.close();
    server?.close();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  /** What a list of the pages has, each with its page. */
  const all = (of: (page: Seen) => string[]) =>
    seen.flatMap((page) => of(page).map((what) => `${page.url.slice(origin.length)} at ${page.width}: ${what}`));

  test("has a page for every page of the repository, and all were visited at both widths", async () => {
    const sources = (await readdir(join(ROOT, "docs"), { recursive: true })).filter((file) => file.endsWith(".md"));
    expect(pages.length).toBeGreaterThanOrEqual(sources.filter((file) => !file.startsWith("api")).length);
    expect(seen.length).toBe(pages.length * WIDTHS.length);
  });

  test("has no dead link and no dead anchor", () => {
    const anchors = new Map(seen.map((page) => [page.url, new Set(page.anchors)]));
    const isDead = (link: string) => {
      const { origin: where, pathname, hash } = new URL(link);
      if (where !== origin) return false;
      const page = anchors.get(origin + (pathname.endsWith("/") ? `${pathname}index.html` : pathname));
      return !page || (hash !== "" && !page.has(decodeURIComponent(hash.slice(1))));
    };
    expect(all(({ links }) => [...new Set(links)].filter(isDead))).toEqual([]);
  });

  test("shows every page in the sidebar, but the home page", () => {
    const linked = new Set(seen.flatMap(({ sidebar }) => sidebar).map((link) => link.replace(/\/$/, "/index.html")));
    expect(pages.filter((page) => !linked.has(page) && page !== `${origin}${BASE}index.html`)).toEqual([]);
  });

  test("writes nothing to the console", () => {
    expect(all(({ messages }) => messages)).toEqual([]);
  });

  test("sends no request to another host", () => {
    expect(all(({ hosts }) => hosts.filter((host) => `http://${host}` !== origin))).toEqual([]);
    expect(seen.every(({ hosts }) => hosts.length > 0)).toBe(true);
  });

  test("does not scroll sideways and cuts nothing off", () => {
    expect(all(({ beyond }) => beyond)).toEqual([]);
  });

  test("finds a page by a word in it", { timeout: 60_000 }, async () => {
    const { tab } = await watchedTab(browser);
    await resize(tab, 1440);
    await open(tab, `${origin}${BASE}overview.html`);
    await tab.evaluate(look, 1440);
    expect(await tab.evaluate(searchFor, "sigv4a")).not.toBe("");
  });
});
