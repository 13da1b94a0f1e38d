/** Which fault meets which request, and what the call must make of it. */
import type { ErrorCode } from "../../src/errors.js";
import * as faults from "../support/faults.js";
import type { Provider } from "./place.js";
import type { VerbName } from "./verbs.js";

type Outcome = "succeeds" | readonly ErrorCode[];
type Scheme = Provider["scheme"];

export interface Row {
  id: string;
  title: string;
  fault: faults.Fault;
  /** How many requests in a row meet it; 1 when left out. */
  times?: number;
  verbs: readonly VerbName[];
  /** What the call does; `succeeds` when left out. */
  outcome?: (verb: VerbName, scheme: Scheme) => Outcome;
  only?: readonly Scheme[];
  /** Whether the proxy stops reading, so that it cannot see the client leave. */
  unread?: true;
}

export const ALL = [
  "read",
  "bytes",
  "stat",
  "list",
  "write",
  "begin",
  "part",
  "commit",
  "copy",
  "delete",
  "deleteBatch",
] as const;
/** Requests with a body. */
const SENDING = ["write", "part"] as const;
/** Verbs that need the body of the answer. */
const ANSWERED = ["read", "bytes", "list", "begin", "commit", "copy", "deleteBatch"] as const;
const EVER = Number.POSITIVE_INFINITY;

const Throttled = (_: VerbName, scheme: Scheme): Outcome => (scheme === "gs" ? ["Unavailable"] : ["Throttled"]);

/** Google says the size in a header of its own. */
const readWithoutLength = (scheme: Scheme): Outcome => (scheme === "gs" ? "succeeds" : ["Unsupported"]);

const slowDown = {
  headers: { "content-type": "application/xml", "x-ms-error-code": "ServerBusy" },
  body: "<Error><Code>SlowDown</Code><Message>planted</Message></Error>",
};

export const MATRIX: readonly Row[] = [
  { id: "F1", title: "500, twice", fault: faults.answer(500), times: 2, verbs: ALL },
  { id: "F2", title: "503, twice", fault: faults.answer(503, slowDown), times: 2, verbs: ALL },
  {
    id: "F2",
    title: "503 without end",
    fault: faults.answer(503, slowDown),
    times: EVER,
    verbs: ["read", "write", "list", "delete", "copy", "deleteBatch"],
    outcome: Throttled,
  },
  {
    id: "F3",
    title: "429 with Retry-After",
    fault: faults.answer(429, { headers: { "retry-after": "1" } }),
    verbs: ["read", "write", "list", "delete"],
  },
  {
    id: "F4",
    title: "200 with an error in the body",
    fault: faults.okWithError(),
    verbs: ["commit", "copy", "deleteBatch"],
    only: ["s3"],
  },
  { id: "F5", title: "reset before the headers", fault: faults.resetBeforeHeaders(), verbs: ALL },
  { id: "F6", title: "reset in the answer's body", fault: faults.resetBody(100), verbs: ANSWERED },
  { id: "F6", title: "reset far in the answer's body", fault: faults.resetBody(150_000), verbs: ["read"] },
  { id: "F7", title: "reset in the request's body", fault: faults.resetRequest(100_000), verbs: SENDING },
  { id: "F8", title: "a body that ends early", fault: faults.truncateBody(100), verbs: ANSWERED },
  {
    id: "F9",
    title: "a body that ends early, without a length",
    fault: faults.truncateChunked(100),
    verbs: ["read", "list"],
    outcome: (verb, scheme) => (verb === "read" ? readWithoutLength(scheme) : ["Corrupt", "Unavailable"]),
  },
  { id: "F10", title: "a body longer than its length", fault: faults.extendBody(1000), verbs: ["read", "list"] },
  {
    id: "F12",
    title: "an answer that never begins",
    fault: faults.stallHeaders(),
    verbs: ALL,
  },
  { id: "F12", title: "a body that stalls", fault: faults.stallBody(100), verbs: ANSWERED },
  { id: "F12", title: "a request that is not read", fault: faults.stallRequest(1000), verbs: SENDING, unread: true },
  {
    id: "F13",
    title: "a body that trickles, but comes",
    fault: faults.trickle(200_000),
    verbs: ["read"],
  },
  {
    id: "F14",
    title: "a flipped bit",
    fault: faults.corruptBody(150_000),
    verbs: ["bytes"],
    outcome: () => ["Corrupt"],
    only: ["s3"],
  },
  // Not a write: a server that refuses one before it has read the body cuts the line, and the refusal is lost.
  {
    id: "F17",
    title: "a clock that is an hour off",
    fault: faults.skewed(3600),
    verbs: ["read", "list", "delete", "copy"],
  },
  { id: "F22", title: "an answer that is lost", fault: faults.loseAnswer(), verbs: ALL },
  { id: "F22", title: "a success told as 500", fault: faults.answerAfter(500), verbs: ALL },
];
