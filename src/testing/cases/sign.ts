import assert from "node:assert/strict";
import { ODD_NAMES } from "../names.js";
import type { Spec } from "../spec.js";
import { refused } from "../tools.js";

export const signCases: readonly Spec[] = [
  {
    id: "S01",
    title: "whoever has a signed URL can read, or write, that one object and nothing else",
    needs: ["sign"],
    async run(bench) {
      const { storage } = bench;
      for (const name of ["x", ...ODD_NAMES]) {
        await bench.write(name, name);
        const got = await fetch(await storage.sign(bench.at(name), { expiresIn: 60 }));
        assert.equal(got.status, 200, name);
        assert.equal(await got.text(), name);
      }
      const url = await storage.sign(bench.at("put"), { method: "PUT", expiresIn: 60 });
      const headers = { "x-ms-blob-type": "BlockBlob" };
      const put = await fetch(url, { method: "PUT", body: "from outside", headers });
      assert.ok(put.ok, `PUT answers ${put.status}`);
      await bench.holds("put", "from outside");
      const reading = await storage.sign(bench.at("x"), { expiresIn: 60 });
      const forged = await fetch(reading, { method: "PUT", body: "forged", headers });
      assert.ok(!forged.ok, "a URL for GET lets PUT through");
      await bench.holds("x", "x");
    },
    async without(bench) {
      await bench.write("x", "1");
      await refused(bench.storage.sign(bench.at("x")), "Unsupported");
    },
  },
  {
    id: "S02",
    title: "an expiry out of bounds or another method is InvalidArgument",
    async run(bench) {
      const inits = [{ expiresIn: 0 }, { expiresIn: 604_801 }, { expiresIn: 1.5 }, { method: "DELETE" as never }];
      for (const init of inits) await refused(bench.storage.sign(bench.at("x"), init), "InvalidArgument");
    },
  },
];
