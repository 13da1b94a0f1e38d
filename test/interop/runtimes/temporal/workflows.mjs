/** Workflows with large values in every place that a payload can have. */
import {
  CancellationScope,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  executeChild,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  upsertMemo,
} from "@temporalio/workflow";

const { grow, shrink } = proxyActivities({ startToCloseTimeout: "1 minute", retry: { maximumAttempts: 3 } });
export const append = defineSignal("append");
export const current = defineQuery("current");
export const replace = defineUpdate("replace");
export const finish = defineSignal("finish");

/** An activity makes the input larger, another one looks at the result. */
export async function throughActivities(text) {
  const large = await grow(text);
  return { length: await shrink(large), large };
}

export async function throughMessages(text) {
  let state = text;
  let ended = false;
  setHandler(append, (more) => {
    state += more;
  });
  setHandler(current, () => state);
  setHandler(replace, (other) => {
    const before = state;
    state = other;
    return before;
  });
  setHandler(finish, () => {
    ended = true;
  });
  await condition(() => ended);
  return state;
}

export async function throughChildren(text) {
  return executeChild(throughContinuation, { args: [text, 2] });
}

export async function throughContinuation(text, rounds) {
  if (rounds > 0) await continueAsNew(`${text}${rounds}`, rounds - 1);
  return text;
}

const { hang, failing } = proxyActivities({ startToCloseTimeout: "10 minutes", retry: { maximumInterval: "1 hour" } });
const { shrink: local } = proxyLocalActivities({ startToCloseTimeout: "1 minute" });

/** Has large values in its input, memo, signals, a local activity, and in two activities that do not end. */
export async function throughEverything(text) {
  const received = [text];
  let ended = false;
  setHandler(append, (more) => {
    received.push(more);
  });
  setHandler(current, () => `${text} as a query's result`);
  setHandler(finish, () => {
    ended = true;
  });
  upsertMemo({ changed: `${text} of the changed memo` });
  await local(`${text} of a local activity`);
  const scope = new CancellationScope();
  const running = scope.run(() => Promise.allSettled([hang(`${text} of an activity`), failing()]));
  await condition(() => ended);
  scope.cancel();
  await running;
  return received;
}
