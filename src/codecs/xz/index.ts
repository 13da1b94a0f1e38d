import type { Bytes } from "../../fs/driver.js";
import type { Source } from "../source.js";

export async function* encode(bytes: Bytes, level: number): Bytes {
  yield* (await import("./encode.js")).encode(bytes, level);
}

export async function* decode(source: Source): Bytes {
  yield* (await import("./decode.js")).decode(source);
}
