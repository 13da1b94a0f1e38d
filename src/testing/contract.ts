/** The contract of drivers as data, for any test runner. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Capability, Exception, Harness, Spec } from "./bench.js";
import { TestContext } from "./bench.js";
import { attributeCases } from "./cases/attributes.js";
import { bucketCases } from "./cases/buckets.js";
import { checksumCases } from "./cases/checksums.js";
import { compressionCases } from "./cases/compression.js";
import { conditionCases } from "./cases/conditions.js";
import { copyCases } from "./cases/copy.js";
import { keyCases } from "./cases/keys.js";
import { listCases } from "./cases/list.js";
import { deleteCases, propertyCases, signCases, writerCases } from "./cases/other.js";
import { rangeCases } from "./cases/ranges.js";
import { readCases } from "./cases/read.js";
import { writeCases } from "./cases/write.js";

/** Milliseconds within which a case's resources must be released. */
const GRACE = 1000;

/** One rule of the contract, ready to run. */
export interface Case {
  /** The id in the contract's table: `W01`, `C08`. */
  id: string;
  title: string;
  /** Opens a harness, checks, and cleans up; rejects with an AssertionError if the driver breaks the rule. */
  run(): Promise<void>;
  /** The reason why the case does not apply. */
  skip?: string;
  /** The capability without which this case checks that the call is refused, or the documented alternative. */
  lacking?: Capability;
  exception?: Exception;
}

export interface ContractOptions {
  /** The driver's name in titles. */
  name: string;
  /** Opens a storage with its own location. Called for every case, with its id. */
  open(id: string): Promise<Harness>;
  /** Capabilities that the driver or its provider lacks. */
  lacks?: readonly Capability[];
  /** Known deviations of this server. A case that passes in spite of its exception fails. */
  exceptions?: readonly Exception[];
}

const SPECS: readonly Spec[] = [
  ...writeCases,
  ...writerCases,
  ...propertyCases,
  ...attributeCases,
  ...checksumCases,
  ...conditionCases,
  ...readCases,
  ...rangeCases,
  ...listCases,
  ...deleteCases,
  ...copyCases,
  ...keyCases,
  ...compressionCases,
  ...signCases,
  ...bucketCases,
];

/**
 * Returns the cases that every driver must pass, through the public API of Storage. With any test runner:
 *
 * @example
 * for (const { id, title, run, skip } of driverContract({ name: "mine", open })) {
 *   it(`${id} ${title}`, { skip: skip !== undefined }, run);
 * }
 */
export function driverContract(options: ContractOptions): Case[] {
  const { lacks = [], exceptions = [] } = options;
  checkIds(exceptions);
  return SPECS.map((spec) => {
    const lacking = spec.needs?.find((capability) => lacks.includes(capability));
    const exception = exceptions.find(({ id }) => id === spec.id);
    const check = lacking ? spec.without : spec.run;
    return {
      id: spec.id,
      title: titleOf(spec, lacking, exception),
      run: async () => check && run(await options.open(spec.id), exception ? excepted(check, exception) : check),
      ...(lacking && { lacking }),
      ...(!check && { skip: `${options.name} has no ${lacking}` }),
      ...(exception && { exception }),
    };
  });
}

function checkIds(exceptions: readonly Exception[]): void {
  const unknown = exceptions.find(({ id }) => !SPECS.some((spec) => spec.id === id));
  if (unknown) throw new Error(`there is no case ${unknown.id} that could have an exception`);
}

function titleOf({ title }: Spec, lacking: Capability | undefined, exception: Exception | undefined): string {
  if (exception) return `${title} [exception: ${exception.reason}]`;
  return lacking ? `${title} [no ${lacking} here: refused]` : title;
}

type Check = (context: TestContext) => Promise<void>;

async function run(harness: Harness, check: Check): Promise<void> {
  try {
    await check(new TestContext(harness));
    await leavesNothing(harness);
  } catch (error) {
    // The case's own failure is more informative than a consequence of it.
    await harness.cleanup().catch(() => {});
    throw error;
  }
  await harness.cleanup();
}

/** An abort's clean-up may take a moment. */
async function leavesNothing({ leftovers }: Harness): Promise<void> {
  if (!leftovers) return;
  const deadline = Date.now() + GRACE;
  let left = await leftovers();
  while (left.length > 0 && Date.now() < deadline) {
    await sleep(20);
    left = await leftovers();
  }
  if (left.length > 0) throw new Error(`left behind: ${left.join(", ")}`);
}

/** Checks the exception's alternative; without one, the case must fail. */
function excepted(check: Check, { instead, id, reason }: Exception): Check {
  if (instead) return instead;
  return async (context) => {
    const held = await check(context).then(
      () => true,
      () => false,
    );
    if (held) throw new Error(`${id} holds, its exception can go: ${reason}`);
  };
}
