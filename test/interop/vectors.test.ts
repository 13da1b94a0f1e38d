import { describe, expect, it } from "vitest";
import { codecs } from "../../src/codecs/index.js";
import { decode, sha256, vectorBytes, vectors } from "../support/codecs.js";

/** Beyond the limits, or filters for machine code: refused on purpose. */
const REFUSED = new Map([
  ["window28.zst", "TooLarge"],
  ...["delta", "x86", "arm", "armthumb", "powerpc", "ia64", "sparc"].map(
    (filter) => [`filter-${filter}.xz`, "Unsupported"] as const,
  ),
]);

describe.each(codecs.names)("what Python wrote with %s", (name) => {
  const files = vectors.filter(({ codec, file }) => codec === name && !REFUSED.has(file));

  it.each(files)("reads $file: $how", async ({ file, size, sha256: expected }) => {
    const content = await decode(name, vectorBytes(file));
    expect(content.byteLength).toBe(size);
    expect(sha256(content)).toBe(expected);
  });

  it.each(files.filter(({ size }) => size < 5000))(
    "reads $file in chunks of any size",
    async ({ file, sha256: expected }) => {
      for (const sizes of [[1], [2, 3, 5], [100, 1]]) {
        expect(sha256(await decode(name, vectorBytes(file), {}, ...sizes))).toBe(expected);
      }
    },
  );
});

describe.each([...REFUSED])("%s", (file, code) => {
  const { codec } = vectors.find((vector) => vector.file === file)!;
  it.runIf(codecs.names.includes(codec))(`is refused as ${code}`, async () => {
    await expect(decode(codec, vectorBytes(file))).rejects.toMatchObject({ code });
  });
});
