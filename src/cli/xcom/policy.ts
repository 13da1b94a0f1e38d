/** A bucket's lifecycle policy from a file. */
import { invalid } from "../../errors.js";
import { collect } from "../../streams.js";
import type { Session } from "../command.js";
import { input } from "../format.js";

/** Reads a policy as the provider's command prints it; `-` is stdin. */
export async function readPolicy({ io }: Session, file: string): Promise<unknown> {
  const bytes = await collect(await input(io, file));
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch (cause) {
    throw invalid(`${file === "-" ? "what comes in" : file} is not JSON`, { cause });
  }
}
