/** A real browser posts a signed form, as a page of an application has it. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SignedPost } from "../../src/fs/links.js";
import { openStorage } from "../../src/open.js";
import { describeOn, useBucket } from "../servers/use.js";
import { Browser, type Tab, whyNoBrowser } from "../support/browser.js";
import { submitFile } from "../support/in-page.mjs";

const why = whyNoBrowser();
if (why && process.env.CI) throw new Error(why);
if (why) {
  console.error(`\n*** SKIPPED: forms in a browser: ${why} ***\n`);
  describe("forms in a browser", () => test.skip(`skipped, ${why}`));
} else {
  await describeOn("minio", "forms in a browser", (server) => {
    const bucket = useBucket(server);
    const storage = openStorage({ connections: { it: server.connection }, env: {} });
    const at = (key: string) => `s3://it@${bucket().name}/${key}`;
    let page: string;
    let site: Server;
    let browser: Browser;
    let tab: Tab;

    beforeAll(async () => {
      // The page has the form as an application writes it; its origin is not that of the store.
      site = createServer((_, response) =>
        response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(page),
      );
      await once(site.listen(0, "127.0.0.1"), "listening");
      browser = await Browser.start();
      tab = await browser.tab();
      await tab.send("Page.enable");
    });
    afterAll(async () => {
      await browser?.close();
      site?.close();
      await storage.close();
    });

    /** Opens the page with this form, puts a file into it and presses its button. Returns the status of the answer. */
    async function submit({ url, fields }: SignedPost, name: string, body: string): Promise<number> {
      const inputs = Object.entries(fields).map(
        ([field, value]) => `<input type=hidden name="${field}" value="${value}">`,
      );
      page = `<form method=post enctype=multipart/form-data action="${url}">${inputs.join("")}
        <input type=file name=file><button>Send</button></form>`;
      await loaded(() =>
        tab.send("Page.navigate", { url: `http://127.0.0.1:${(site.address() as AddressInfo).port}/` }),
      );
      const status = new Promise<number>((resolve) => {
        tab.on("Network.responseReceived", ({ response }) => {
          const { url: from, status } = response as { url: string; status: number };
          if (from.startsWith(url)) resolve(status);
        });
      });
      await tab.send("Network.enable");
      await tab.evaluate(submitFile, name, body);
      return status;
    }

    async function loaded(go: () => Promise<unknown>): Promise<void> {
      const event = new Promise<void>((resolve) => tab.on("Page.loadEventFired", () => resolve()));
      await go();
      await event;
    }

    test("a file of the right size is stored below the prefix, under its own name", async () => {
      const form = await storage.signedPost(at("uploads"), { prefix: true, minBytes: 2, maxBytes: 10 });
      expect(await submit(form, "holiday photo é.png", "12345")).toBe(204);
      expect(await storage.text(at("uploads/holiday photo é.png"))).toBe("12345");
    });

    test("a file that is too small or too large is refused and not stored", async () => {
      const form = await storage.signedPost(at("sizes"), { prefix: true, minBytes: 2, maxBytes: 10 });
      expect(await submit(form, "small", "1")).toBe(400);
      expect(await submit(form, "large", "12345678901")).toBe(400);
      expect((await storage.list(at("sizes")).next()).done).toBe(true);
    });

    test("a form whose holder has changed the key leads nowhere", async () => {
      const form = await storage.signedPost(at("mine"), { prefix: true, maxBytes: 10 });
      const changed = { ...form, fields: { ...form.fields, key: "others/x" } };
      expect(await submit(changed, "x", "12345")).toBe(403);
      expect(await storage.exists(at("others/x"))).toBe(false);
    });
  });
}
