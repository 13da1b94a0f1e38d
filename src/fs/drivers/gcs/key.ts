import { invalid } from "../../../errors.js";

/** The key, if objects may have it: https://cloud.google.com/storage/docs/objects#naming */
export function allowed(key: string): string {
  if (key !== "." && key !== "..") return key;
  throw invalid("no object of Google Cloud Storage is named . or ..");
}
