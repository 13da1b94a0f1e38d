/** The content that the codecs are measured on. */
import { createHash } from "node:crypto";
import { createRequire } from "node:module";

/** JSON lines of real records (the npm package world-countries), each time with other numbers and translations. */
function json(size) {
  const countries = createRequire(import.meta.url)("world-countries");
  const random = generator();
  const into = Buffer.allocUnsafeSlow(size);
  for (let at = 0, id = 0; at < size; id++) {
    const country = countries[Math.floor(random() * countries.length)];
    const translations = Object.entries(country.translations).filter(() => random() < 0.25);
    const numbers = { id, area: country.area * random(), latlng: country.latlng.map((degrees) => degrees * random()) };
    const row = { ...country, ...numbers, translations: Object.fromEntries(translations) };
    at += into.write(`${JSON.stringify(row)}\n`, at, "utf8");
  }
  return into;
}

/** Bytes that do not compress. */
function noise(size) {
  const into = Buffer.allocUnsafeSlow(size);
  let block = Buffer.from("stowage");
  for (let at = 0; at < size; at += block.byteLength) {
    block = createHash("sha512").update(block).digest();
    block.copy(into, at);
  }
  return into;
}

function generator() {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export const CONTENTS = { json, random: noise };

/** The bytes in chunks of 64 KiB, as a socket or a file gives them. */
export async function* chunked(data) {
  for (let at = 0; at < data.byteLength; at += 65_536) yield data.subarray(at, at + 65_536);
}
