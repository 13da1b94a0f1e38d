/** The page of `stowage report` in a browser: names stay text, nothing is requested, and a keyboard suffices. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { reportHtml, type StorageReport } from "../../src/xcom.js";
import { Browser, type Tab, whyNoBrowser } from "../support/browser.js";
import {
  focusChoice,
  focused,
  focusHeading,
  look,
  numbersOutside,
  runScript,
  tableOfFocus,
} from "../support/report-page.mjs";
import { HOSTILE, sampleReport } from "../support/report-sample.js";

const why = whyNoBrowser();
if (why && process.env.CI) throw new Error(why);
if (why) console.error(`\n*** SKIPPED: page of a report: ${why} ***\n`);

describe.skipIf(why)(`the page of a report${why ? ` (skipped, ${why})` : ""}`, () => {
  let folder: string;
  let browser: Browser;
  let plain: StorageReport;
  let hostile: StorageReport;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "stowage-report-"));
    plain = await sampleReport();
    hostile = await sampleReport(Object.values(HOSTILE));
    // Airflow's rule shortens an id for the path of its object.
    for (const group of hostile.dags.groups) if (group.name.startsWith("xxx")) group.name = "x".repeat(1000);
    browser = await Browser.start();
  });
  afterAll(async () => {
    await browser?.close();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  /** Opens a report. The notes are the console's messages and the addresses of all requests but that of the page. */
  async function open(report: StorageReport, { width = 1440, scheme = "light" } = {}) {
    const tab = await browser.tab();
    const [messages, requests]: [string[], string[]] = [[], []];
    tab.on("Runtime.consoleAPICalled", (entry) => messages.push(JSON.stringify(entry)));
    tab.on("Runtime.exceptionThrown", (entry) => messages.push(JSON.stringify(entry)));
    tab.on("Log.entryAdded", (entry) => messages.push(JSON.stringify(entry)));
    tab.on("Network.requestWillBeSent", ({ request }) => requests.push((request as { url: string }).url));
    for (const domain of ["Page", "Runtime", "Log", "Network"]) await tab.send(`${domain}.enable`);
    await tab.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
    const mobile = width < 500;
    await tab.send("Emulation.setDeviceMetricsOverride", { width, height: 900, deviceScaleFactor: 1, mobile });
    const file = join(folder, "report.html");
    await writeFile(file, reportHtml(report));
    const loaded = new Promise<void>((done) => tab.on("Page.loadEventFired", () => done()));
    await tab.send("Page.navigate", { url: `file://${file}` });
    await loaded;
    const others = () => requests.filter((url) => url !== `file://${file}` && !url.startsWith("data:"));
    return { tab, messages, others };
  }

  async function press(tab: Tab, key: string, code = key === " " ? "Space" : key): Promise<void> {
    const number = { " ": 32, Enter: 13, Tab: 9, ArrowRight: 39 }[key];
    const text = { " ": " ", Enter: "\r" }[key];
    const event = { key, code, windowsVirtualKeyCode: number, ...(text ? { text } : {}) };
    await tab.send("Input.dispatchKeyEvent", { type: "keyDown", ...event });
    await tab.send("Input.dispatchKeyEvent", { type: "keyUp", ...event });
  }

  test.each([360, 1440])(
    "says nothing to the console and requests nothing, at %d pixels, which it does not exceed",
    async (width) => {
      const { tab, messages, others } = await open(plain, { width });
      const seen = await tab.evaluate(look);
      expect({ messages, requests: others(), elements: seen.elements, links: seen.links }).toEqual({
        messages: [],
        requests: [],
        elements: [],
        links: ['<link rel="icon" href="data:,">'],
      });
      expect(seen.width).toBeLessThanOrEqual(width);
      for (const words of [
        "What takes the space",
        "sales_daily",
        "Growth by day",
        "Missing objects",
        "Largest objects",
        "What retention deletes next",
      ])
        expect(seen.text).toContain(words);
    },
  );

  test("shows the bytes of the largest objects on a phone without scrolling sideways", async () => {
    const { tab } = await open(plain, { width: 360 });
    const edges = await tab.evaluate(numbersOutside);
    expect(edges).toEqual([]);
  });

  test.each([360, 1440])("keeps hostile names as text, at %d pixels", async (width) => {
    const { tab, messages, others } = await open(hostile, { width });
    const seen = await tab.evaluate(look);
    expect({ hacked: seen.hacked, elements: seen.elements, messages, requests: others() }).toEqual({
      hacked: false,
      elements: [],
      messages: [],
      requests: [],
    });
    expect(seen.width).toBeLessThanOrEqual(width);
    expect(seen.text).toContain(HOSTILE.script);
    expect(seen.text).toContain(HOSTILE.quotes);
    expect(seen.text).toContain("\\u202etxt.exe\\u2066");
    expect(seen.text).not.toMatch(/[\u202e\u2066]/);
    expect(seen.text).toContain("x".repeat(1000));
  });

  test("has a content security policy that forbids every request and any other script", async () => {
    const { tab } = await open(plain);
    const html = reportHtml(plain);
    expect(html).toMatch(
      /Content-Security-Policy" content="default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-[^']+'; /,
    );
    expect(html).not.toMatch(/ style="| on[a-z]+="|javascript:|https?:/);
    expect(await tab.evaluate(runScript)).toBe(false);
  });

  test("sorts a table by keyboard, numbers by value, both ways", async () => {
    const { tab } = await open(plain);
    const bySize = plain.dags.groups.map(({ name }) => name);
    await tab.evaluate(focusHeading, "Dag");
    await press(tab, "Enter");
    expect(await tab.evaluate(tableOfFocus)).toEqual({ sort: "ascending", names: bySize.toSorted() });
    await press(tab, " ");
    expect(await tab.evaluate(tableOfFocus)).toEqual({ sort: "descending", names: bySize.toSorted().reverse() });
    for (let i = 0; i < 2; i++) await press(tab, "Tab");
    expect((await tab.evaluate(focused))[2]).toBe("Bytes");
    await press(tab, "Enter");
    expect(await tab.evaluate(tableOfFocus)).toEqual({ sort: "descending", names: bySize });
    await press(tab, "Enter");
    expect(await tab.evaluate(tableOfFocus)).toEqual({ sort: "ascending", names: bySize.toReversed() });
  });

  test("chooses what it divides by with the arrow keys", async () => {
    const { tab } = await open(plain);
    expect((await tab.evaluate(look)).shown).toEqual(["panel panel-dags"]);
    await tab.evaluate(focusChoice);
    const shown: string[] = [];
    for (let i = 0; i < 4; i++) {
      await press(tab, "ArrowRight");
      shown.push(...(await tab.evaluate(look)).shown);
    }
    expect(shown).toEqual(["panel panel-runs", "panel panel-tasks", "panel panel-codecs", "panel panel-classes"]);
  });

  test("follows the reader's colours", async () => {
    const [light, dark] = [await open(plain), await open(plain, { scheme: "dark" })];
    expect((await light.tab.evaluate(look)).background).toBe("rgb(244, 246, 249)");
    expect((await dark.tab.evaluate(look)).background).toBe("rgb(14, 18, 23)");
  });
});
