/** Where a cloud's protocol, or the server that stands for it, allows less than the others. */
import type { ErrorCode } from "../../src/errors.js";
import type { Row } from "./matrix.js";
import type { Provider } from "./place.js";
import type { VerbName } from "./verbs.js";

export interface Exception {
  why: string;
  outcome?: "succeeds" | readonly ErrorCode[];
  /** An upload that nobody knows of stays behind. */
  leavesUpload?: true;
}

interface Listed extends Exception {
  scheme: Provider["scheme"];
  verb: VerbName;
  /** Names of the faults; all when left out. */
  faults?: readonly string[];
}

const EXCEPTIONS: readonly Listed[] = [
  {
    scheme: "s3",
    verb: "begin",
    faults: [
      "resetBody(100)",
      "truncateBody(100)",
      "stallHeaders()",
      "stallBody(100)",
      "loseAnswer()",
      "answerAfter(500)",
    ],
    why: "the id of an upload is known only by the answer to its beginning; one whose answer is lost stays until the bucket's lifecycle rule takes it",
    leavesUpload: true,
  },
  {
    scheme: "gs",
    verb: "part",
    outcome: ["Unavailable", "Timeout"],
    why: "fake-gcs-server v1.56.1 takes the question how far an upload has got for its end, and a chunk that is sent again for more data; so the write fails there, and whoever calls tries again",
  },
];

/** What is expected of this row instead. */
export function exceptionOf(scheme: Provider["scheme"], row: Row, verb: VerbName): Exception | undefined {
  const same = (one: Listed) => one.scheme === scheme && one.verb === verb;
  return EXCEPTIONS.find((one) => same(one) && (!one.faults || one.faults.includes(row.fault.name)));
}

/** The exceptions as they are printed with the table. */
export function exceptionsOn(scheme: Provider["scheme"]): string[] {
  return EXCEPTIONS.filter((one) => one.scheme === scheme).map(({ verb, why }) => `at ${verb}: ${why}`);
}
