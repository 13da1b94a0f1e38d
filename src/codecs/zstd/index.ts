import type { Bytes } from "../../fs/driver.js";
import type { Source } from "../source.js";
import * as native from "./native.js";

export async function* encode(bytes: Bytes, level: number): Bytes {
  const zstd = native.nodeZstd();
  if (zstd) yield* native.encode(zstd, bytes, level);
  else yield* (await import("./encode.js")).encode(bytes, level);
}

export async function* decode(source: Source): Bytes {
  const zstd = native.nodeZstd();
  if (zstd) yield* native.decode(zstd, source);
  else yield* (await import("./decode.js")).decode(source);
}
